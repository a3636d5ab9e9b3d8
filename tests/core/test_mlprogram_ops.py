"""Each operation alone: the file is coremltools', the expectation NumPy's."""

import numpy as np
import pytest
import torch

from ritm_edge.artifacts.mlprogram.registry import OPERATIONS

from ..graphs import open_program, operations
from .mlprogram_build import mb, sample, write_program
from .mlprogram_cases import CONSTANT, ELEMENTWISE, REDUCE, SHAPE, WINDOW, Case

CASES = [*CONSTANT, *ELEMENTWISE, *SHAPE, *REDUCE, *WINDOW]


def run(path, build, *arrays):
    """Write a program, run it, and return its only output."""
    write_program(path, build, *(array.shape for array in arrays))
    program = open_program(path)
    (result,) = program.run(dict(zip(program.inputs, arrays, strict=True))).values()
    return result


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.kind}" for i, case in enumerate(CASES)])
def test_operation_computes_what_its_reference_says(case: Case, tmp_path):
    arrays = case.inputs()
    path = write_program(tmp_path / "p.mlpackage", case.build, *case.shapes)
    program = open_program(path)
    assert case.kind in operations(program)
    result = next(iter(program.run(dict(zip(program.inputs, arrays, strict=True))).values()))
    expected = np.asarray(case.reference(*arrays))
    assert result.shape == expected.shape
    assert result.dtype == np.float32
    np.testing.assert_allclose(
        result, expected.astype(np.float32), rtol=case.tolerance, atol=case.tolerance
    )


def test_every_operation_is_tested():
    assert {case.kind for case in CASES} | {"upsample_bilinear"} == OPERATIONS.keys()


def bilinear(x, size):
    """Two linear interpolations in float64 between corners that stay where they are."""
    x = x.astype(np.float64)
    for axis, target in ((-2, size[0]), (-1, size[1])):
        source = x.shape[axis]
        positions = np.arange(target) * (source - 1) / max(target - 1, 1)
        x = np.apply_along_axis(
            lambda line, p=positions, n=source: np.interp(p, np.arange(n), line), axis, x
        )
    return x


@pytest.mark.parametrize("shape", [(1, 3, 5, 4), (2, 3, 1, 1)])
@pytest.mark.parametrize("options", [{"align_corners": True}, {}])
def test_upsample_bilinear_samples_the_documented_grid(shape, options, tmp_path):
    x = sample(shape)
    size = (shape[-2] * 2, (shape[-1] * 13) // 4)
    result = run(
        tmp_path / "p.mlpackage",
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=2.0, scale_factor_width=3.25, **options
        ),
        x,
    )
    assert result.shape == (*shape[:-2], *size)
    np.testing.assert_allclose(result, bilinear(x, size), atol=2e-6)


@pytest.mark.parametrize(("source", "target"), [(13, 25), (13, 100), (25, 50), (7, 101), (4, 3)])
def test_upsample_bilinear_reaches_sizes_that_are_no_multiple(source, target, tmp_path):
    """The factor is a rounded fraction; the grid must follow the sizes, as in HRNet's fusion."""
    x = sample((1, 2, source, source))
    factor = (target + 1e-4) / source
    result = run(
        tmp_path / "p.mlpackage",
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=factor, scale_factor_width=factor, align_corners=True
        ),
        x,
    )
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x), size=(target, target), mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-6)


def halves(function):
    """Run `function` in fp16 between two casts."""
    return lambda a: mb.cast(x=function(mb.cast(x=a, dtype="fp16")), dtype="fp32")


def test_fp16_values_are_rounded_after_every_operation(tmp_path):
    """4097 needs 13 bits: in fp16 adding 1 to 4096 is lost, in fp32 it is not."""
    one = np.float16(1.0)
    x = np.array([4096.0, 0.1, 70000.0], np.float32)
    result = run(tmp_path / "p.mlpackage", halves(lambda a: mb.add(x=a, y=one)), x)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(result, (x.astype(np.float16) + one).astype(np.float32))
    assert result[0] == 4096.0
    assert np.isinf(result[2])
    wide = run(tmp_path / "q.mlpackage", lambda a: mb.add(x=a, y=np.float32(1.0)), x)
    np.testing.assert_array_equal(wide, x + np.float32(1))


W16 = sample((2, 3, 3, 3)).astype(np.float16)


@pytest.mark.parametrize(
    "build",
    [
        lambda a, t: mb.conv(x=a, weight=t(W16), bias=t(W16[:, 0, 0, 0]), pad_type="valid"),
        lambda a, _: mb.upsample_bilinear(x=a, scale_factor_height=2.0, scale_factor_width=3.25),
        lambda a, _: mb.softmax(x=a, axis=1),
        lambda a, _: mb.reduce_mean(x=a, axes=[2, 3], keep_dims=True),
        lambda a, _: mb.matmul(x=a, y=a, transpose_y=True),
        lambda a, _: mb.tanh(x=mb.sqrt(x=mb.abs(x=a))),
    ],
    ids=["conv", "upsample", "softmax", "mean", "matmul", "tanh"],
)
def test_fp16_stays_near_fp32(build, tmp_path):
    """`build` gets the input and a function that casts weights to the type of the program."""
    x = sample((1, 3, 6, 4)).astype(np.float16).astype(np.float32)
    half = run(tmp_path / "half.mlpackage", halves(lambda a: build(a, np.float16)), x)
    full = run(tmp_path / "full.mlpackage", lambda a: build(a, np.float32), x)
    # Rounded to fp16 at the end, hence exactly representable, and not what fp32 gives.
    np.testing.assert_array_equal(half, half.astype(np.float16))
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, rtol=4e-3, atol=4e-3)
