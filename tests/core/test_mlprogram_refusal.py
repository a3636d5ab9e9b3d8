"""What the evaluator does not know it refuses by name, before computing anything."""

import numpy as np
import pytest

from ritm_edge.errors import ArtifactError, UnsupportedOperationError
from ritm_edge.mlprogram.evaluator import Program

from .mlprogram_build import ct, edit_model, main_block, mb, sample, write_program


def refused(path, reason, error=UnsupportedOperationError):
    with pytest.raises(error, match=reason) as caught:
        Program.open(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda a: mb.gelu(x=a), "gelu"),
        (lambda a: mb.cumsum(x=a), "cumsum"),
        (lambda a: mb.topk(x=a, k=1)[0], "topk"),
        (lambda a: mb.resize_nearest_neighbor(x=a, target_size_height=4, target_size_width=4),
         "resize_nearest_neighbor"),
        (lambda a: mb.cond(pred=mb.less(x=mb.reduce_sum(x=a), y=0.0),
                           _true_fn=lambda: mb.relu(x=a), _false_fn=lambda: mb.tanh(x=a)), "cond"),
        (lambda a: mb.add(x=a, y=mb.constexpr_affine_dequantize(
            quantized_data=np.ones((3, 4), np.int8), zero_point=np.int8(0), scale=np.float32(2),
            axis=0)), "constexpr_affine_dequantize"),
    ],
    ids=["gelu", "cumsum", "topk", "nearest", "control flow", "int8"],
)  # fmt: skip
def test_an_unknown_operation_is_named(build, name, tmp_path):
    path = write_program(tmp_path / "p.mlpackage", build, (1, 2, 3, 4))
    refused(path, f"the operation '{name}'")


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda a: mb.max_pool(x=a, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid",
                               ceil_mode=True), "ceil_mode in the operation 'max_pool'"),
        (lambda a: mb.conv(x=a, weight=sample((2, 2, 3, 3)), strides=[2, 2], pad_type="same"),
         r"pad_type 'same' with strides \[2, 2\] in the operation 'conv'"),
        (lambda a: mb.upsample_bilinear(x=a, scale_factor_height=2.0, scale_factor_width=2.0,
                                        align_corners=True, half_pixel_centers=True),
         "align_corners and half_pixel_centers"),
        (lambda a: mb.upsample_nearest_neighbor(x=a, scale_factor_height=1.5,
                                                scale_factor_width=2.0), "fractional factor"),
        (lambda a: mb.cast(x=mb.real_div(x=mb.cast(x=a, dtype="int32"), y=np.int32(2)),
                           dtype="fp32"), "int32 operands in the operation 'real_div'"),
        (lambda a: mb.reshape(x=a, shape=mb.concat(values=[mb.cast(x=mb.reduce_sum(
            x=a, axes=[0, 1, 2, 3], keep_dims=False), dtype="int32"), np.int32(-1)], axis=0)),
         "with a computed 'shape'"),
    ],
    ids=["ceil_mode", "same", "corners", "nearest", "integer division", "computed shape"],
)  # fmt: skip
def test_an_ambiguous_use_of_a_known_operation_is_refused(build, reason, tmp_path):
    path = write_program(tmp_path / "p.mlpackage", build, (1, 2, 5, 4))
    refused(path, reason)


@pytest.fixture
def package(tmp_path):
    weight = sample((2, 2, 3, 3))

    def build(a):
        b = mb.conv(x=a, weight=weight, pad_type="custom", pad=[1, 1, 1, 1], name="first")
        return mb.add(x=mb.relu(x=b, name="second"), y=a, name="third")

    return write_program(tmp_path / "p.mlpackage", build, (1, 2, 5, 4))


def find(model, kind):
    return next(o for o in main_block(model).operations if o.type == kind)


def bind(operation, key, name):
    del operation.inputs[key].arguments[:]
    operation.inputs[key].arguments.add().name = name


def test_an_unknown_input_is_named(package):
    edit_model(package, lambda model: bind(find(model, "relu"), "slope", "a"))
    refused(package, r"the input 'slope' of the operation 'relu' \('second'\)")


def test_an_unknown_attribute_is_named(package):
    def edit(model):
        relu = find(model, "relu")
        relu.attributes["rounding"].CopyFrom(relu.attributes["name"])

    edit_model(package, edit)
    refused(package, r"the operation 'relu' \('second'\) with rounding")


def test_a_nested_block_is_refused(package):
    edit_model(package, lambda model: find(model, "relu").blocks.add())
    refused(package, "with a nested block")


def test_an_unknown_operation_set_is_named(package):
    def edit(model):
        function = model.mlProgram.functions["main"]
        function.block_specializations["CoreML99"].CopyFrom(main_block(model))
        del function.block_specializations[function.opset]
        function.opset = "CoreML99"

    edit_model(package, edit)
    refused(package, "the operation set 'CoreML99'")


def test_a_second_function_is_refused(package):
    def edit(model):
        functions = model.mlProgram.functions
        functions["other"].CopyFrom(functions["main"])

    edit_model(package, edit)
    refused(package, "several functions")


@pytest.mark.parametrize("code", [0, 12, 13, 21, 24, 99])
def test_an_unsupported_element_type_is_refused(package, code):
    edit_model(
        package,
        lambda model: setattr(find(model, "relu").outputs[0].type.tensorType, "dataType", code),
    )
    refused(package, f"the data type {code} of")


def test_a_flexible_shape_is_refused(package):
    def edit(model):
        find(model, "relu").outputs[0].type.tensorType.dimensions[2].unknown.variadic = False

    edit_model(package, edit)
    refused(package, "a flexible shape")


def test_a_list_is_refused(package):
    edit_model(package, lambda m: find(m, "relu").outputs[0].type.listType.SetInParent())
    refused(package, "not a tensor")


def set_dimension(model, kind, size):
    dimensions = find(model, kind).outputs[0].type.tensorType.dimensions
    dimensions[1].constant.size = size


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: set_dimension(m, "conv", 3), r"'first' as fp32 \[1, 2, 5, 4\], but declares"),
        (lambda m: set_dimension(m, "conv", 2**40), "claims"),
        (lambda m: setattr(find(m, "relu").outputs[0].type.tensorType, "dataType", 10),
         "as fp32 .*, but declares fp16"),
        (lambda m: setattr(find(m, "relu").outputs[0].type.tensorType, "rank", 3), "rank"),
        (lambda m: bind(find(m, "relu"), "x", "nowhere"), "'nowhere', which is not defined"),
        (lambda m: bind(find(m, "relu"), "x", "third"), "'third', which is not defined"),
        (lambda m: find(m, "relu").inputs["x"].arguments.add(), "has 2 values"),
        (lambda m: find(m, "relu").inputs.clear(), "lacks its input 'x'"),
        (lambda m: setattr(find(m, "add").outputs[0], "name", "second"), "defined twice"),
        (lambda m: main_block(m).outputs.append("missing"), "'missing' is never computed"),
        (lambda m: bind(find(m, "conv"), "groups", "first_strides_0"), "is not a single int"),
        (lambda m: m.mlProgram.functions.clear(), "no function 'main'"),
        (lambda m: find(m, "relu").outputs.add(name="z", type=find(m, "relu").outputs[0].type),
         "declares 2 outputs"),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_program_that_contradicts_itself_is_refused(package, edit, reason):
    edit_model(package, edit)
    refused(package, reason, ArtifactError)


def test_operands_of_two_types_are_refused(tmp_path):
    def build(a):
        return mb.add(x=a, y=mb.cast(x=mb.cast(x=a, dtype="fp16"), dtype="fp32", name="back"))

    path = write_program(tmp_path / "p.mlpackage", build, (2, 3))

    def edit(model):
        half = next(o for o in main_block(model).operations if o.type == "cast")
        bind(find(model, "add"), "y", half.outputs[0].name)

    edit_model(path, edit)
    refused(path, "mixes fp16 and fp32", ArtifactError)


def test_a_constant_written_in_place_counts_like_a_named_one(package):
    """coremltools writes constants as operations; the format also allows them as arguments."""

    def edit(model):
        block = main_block(model)
        strides = next(o for o in block.operations if o.outputs[0].name == "first_strides_0")
        value = strides.attributes["val"]
        argument = find(model, "conv").inputs["strides"].arguments[0]
        argument.ClearField("name")
        argument.value.CopyFrom(value)
        block.operations.remove(strides)

    x = sample((1, 2, 5, 4))
    before = Program.open(package).run({"a": x})["third"]
    edit_model(package, edit)
    np.testing.assert_array_equal(Program.open(package).run({"a": x})["third"], before)


def test_values_are_released_once_nobody_needs_them(package):
    steps = Program.open(package)._compiled.steps
    assert [step.release for step in steps] == [(), ("first",), ("a", "second")]


def test_ios_26_is_not_claimed(tmp_path):
    path = write_program(
        tmp_path / "p.mlpackage", lambda a: mb.relu(x=a), (2,), opset=ct.target.iOS26
    )
    refused(path, "the operation set 'CoreML9'")
