"""What the evaluator does not know it refuses by name, before computing anything."""

import numpy as np
import pytest

from ritm_edge.errors import ArtifactError, UnsupportedOperationError

from ..graphs import open_program
from .mlprogram_build import ct, edit_model, main_block, mb, sample, write_program


def refused(path, reason, error=UnsupportedOperationError):
    with pytest.raises(error, match=reason) as caught:
        open_program(path)
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
        (lambda a: mb.l2_pool(x=a, kernel_sizes=[2, 2], strides=[1, 1], pad_type="valid"),
         "l2_pool"),
        (lambda a: mb.split(x=a, num_splits=2, axis=1)[0], "split"),
        (lambda a: mb.cond(pred=mb.less(x=mb.reduce_min(x=a), y=0.0),
                           _true_fn=lambda: mb.relu(x=a), _false_fn=lambda: mb.tanh(x=a)), "cond"),
        (lambda a: mb.add(x=a, y=mb.constexpr_cast(source_val=np.ones((3, 4), np.float16),
                                                   output_dtype="fp32")), "constexpr_cast"),
    ],
    ids=["gelu", "cumsum", "topk", "nearest", "pool", "split", "control flow", "constant"],
)  # fmt: skip
def test_an_unknown_operation_is_named(build, name, tmp_path):
    path = write_program(tmp_path / "p.mlpackage", build, (1, 2, 3, 4))
    refused(path, f"the operation '{name}'")


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda a: mb.max_pool(x=a, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid",
                               ceil_mode=True), "ceil_mode in the operation 'max_pool'"),
        (lambda a: mb.conv(x=a, weight=sample((2, 2, 3, 3)), pad_type="same"),
         r"pad_type 'same' in the operation 'conv'"),
        (lambda a: mb.conv(x=a, weight=sample((2, 2, 3, 3)), pad_type="custom", pad=[0, 1, 1, 1]),
         r"padding by \[0, 1, 1, 1\], which differs from side to side, in the operation 'conv'"),
        (lambda a: mb.conv(x=mb.reshape(x=a, shape=[1, 2, 20]), weight=sample((2, 2, 3)),
                           pad_type="valid"), "a window over a tensor of rank 3"),
        (lambda a: mb.max_pool(x=a, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom",
                               pad=[1, 0, 1, 0]), "differs from side to side"),
        (lambda a: mb.upsample_bilinear(x=a, scale_factor_height=2.0, scale_factor_width=2.0,
                                        align_corners=False), "without align_corners"),
        (lambda a: mb.upsample_bilinear(x=a, scale_factor_height=2.0, scale_factor_width=2.0,
                                        half_pixel_centers=False), "input 'half_pixel_centers' of"),
        (lambda a: mb.upsample_bilinear(x=mb.reshape(x=a, shape=[2, 5, 4]),
                                        scale_factor_height=2.0, scale_factor_width=2.0),
         "a resize of a tensor of rank 3"),
        (lambda a: mb.concat(values=[a, a], axis=1, interleave=True), "concat with interleave"),
        (lambda a: mb.pad(x=a, pad=[1, 1], mode="reflect"), "the padding mode 'reflect'"),
        (lambda a: mb.slice_by_index(x=a, begin=[0, 0, 0, 0], end=[1, 2, 5, 4],
                                     stride=[1, 1, 2, 1]), "the input 'stride' of"),
        (lambda a: mb.slice_by_index(x=a, begin=[0, 0, 0, 0], end=[1, 2, 5, 4],
                                     begin_mask=[True] * 4), "the input 'begin_mask' of"),
        (lambda a: mb.cast(x=mb.cast(x=a, dtype="int32"), dtype="fp32"), "a cast to int32 in"),
        (lambda a: mb.cast(x=mb.select(cond=mb.less(x=a, y=0.0), a=np.int32(2), b=np.int32(3)),
                           dtype="fp32"), "int32 operands in the operation 'select'"),
        (lambda a: mb.reshape(x=a, shape=mb.concat(values=[mb.cast(x=mb.reduce_min(
            x=a, axes=[0, 1, 2, 3], keep_dims=False), dtype="int32"), np.int32(-1)], axis=0)),
         "with a computed 'shape'"),
    ],
    ids=["ceil_mode", "same", "one side", "one axis", "pool", "corners", "centers", "rank",
         "interleave", "reflect", "stride", "begin_mask", "integer cast", "integers",
         "computed shape"],
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


def constant(model, key):
    """The numbers that `key` of the convolution is given."""
    (name,) = (argument.name for argument in find(model, "conv").inputs[key].arguments)
    (found,) = (o for o in main_block(model).operations if o.outputs[0].name == name)
    return found.attributes["val"].immediateValue.tensor.ints.values


@pytest.mark.parametrize("key", ["strides", "dilations", "pad"])
@pytest.mark.parametrize("value", [-1, 0])
def test_a_window_that_cannot_be_is_refused_before_anything_is_computed(package, key, value):
    edit_model(
        package,
        lambda m: constant(m, key).__setitem__(slice(None), [value] * len(constant(m, key))),
    )
    refused(package, "a window with|declares", ArtifactError)


def test_a_bias_of_another_length_is_refused(package):
    edit_model(package, lambda m: bind(find(m, "conv"), "bias", "first_weight_0"))
    refused(package, "a convolution of", ArtifactError)


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


@pytest.mark.parametrize("code", [0, 12, 13, 22, 24, 31, 32, 99])
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
        (lambda m: set_dimension(m, "conv", 3), r"gives fp32 \[1, 2, 5, 4\], but declares"),
        (lambda m: set_dimension(m, "conv", 2**40), "claims"),
        (lambda m: setattr(find(m, "relu").outputs[0].type.tensorType, "dataType", 10),
         "gives fp32 .*, but declares fp16"),
        (lambda m: setattr(find(m, "relu").outputs[0].type.tensorType, "rank", 3), "rank"),
        (lambda m: bind(find(m, "relu"), "x", "nowhere"), "'nowhere', which is not defined"),
        (lambda m: bind(find(m, "relu"), "x", "third"), "'third', which is not defined"),
        (lambda m: find(m, "relu").inputs["x"].arguments.add(name="a"), "has 2 values"),
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


@pytest.fixture
def packed(tmp_path):
    """A weight in bytes, with a vector of scales in the file and one zero point in the program."""

    def build(a):
        weight = mb.constexpr_affine_dequantize(
            quantized_data=np.ones((12, 2, 3, 3), np.int8),
            zero_point=np.int8(0),
            scale=np.full(12, 0.5, np.float32),
            axis=0,
            name="weight",
        )
        return mb.conv(x=a, weight=weight, pad_type="valid", name="out")

    return write_program(tmp_path / "p.mlpackage", build, (1, 2, 5, 4))


def unpacking(model):
    return find(model, "constexpr_affine_dequantize")


def argument(model, key):
    return unpacking(model).attributes[key]


def typed(value, code, *shape):
    """Declare another type, of a value that stays in the file or the program."""
    declared = value.type.tensorType
    declared.dataType, declared.rank = code, len(shape)
    del declared.dimensions[:]
    for size in shape:
        declared.dimensions.add().constant.size = size


def number(value, code, field, *numbers):
    """Replace a value by numbers written into the program."""
    value.ClearField("blobFileValue")
    typed(value, code, *([len(numbers)] if len(numbers) > 1 else []))
    value.immediateValue.tensor.Clear()
    getattr(value.immediateValue.tensor, field).values.extend(numbers)


FP16, FP32, INT8, INT32 = 10, 11, 21, 23


def test_bytes_are_unpacked(packed):
    x = sample((1, 2, 5, 4))
    result = open_program(packed).run({"a": x})["out"]
    np.testing.assert_allclose(result[0, 3, 0, 0], 0.5 * x[0, :, :3, :3].sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: number(argument(m, "scale"), FP32, "floats", 1, 2), r"\[2\] factors for axis 0"),
        (lambda m: typed(argument(m, "scale"), FP32, 12, 1), r"\[12, 1\] factors for axis 0"),
        (lambda m: typed(argument(m, "scale"), FP16, 12), "has no float16 weights at byte"),
        (lambda m: typed(argument(m, "quantized_data"), INT8, 12, 2, 3, 4),
         "are 216 values, not the 288"),
        (lambda m: typed(argument(m, "quantized_data"), FP32, 12, 2, 3, 3),
         "has no float32 weights at byte"),
        (lambda m: typed(argument(m, "quantized_data"), INT8, 12, 2, 9), "but declares fp32"),
        (lambda m: typed(argument(m, "quantized_data"), INT8, 2**29), "claims 536870912 elements"),
        (lambda m: number(argument(m, "quantized_data"), FP32, "floats", 1, 2),
         "quantized data that is not int8"),
        (lambda m: number(argument(m, "axis"), INT32, "ints", 4), "without the axis 4"),
        (lambda m: number(argument(m, "axis"), INT32, "ints", -5), "without the axis -5"),
        (lambda m: number(argument(m, "axis"), FP32, "floats", 0.0), "is not a single int"),
        (lambda m: typed(argument(m, "zero_point"), INT8, 2), "has 1 values instead of 2"),
        (lambda m: argument(m, "zero_point").immediateValue.tensor.bytes.Clear(), "has 0 values"),
        (lambda m: unpacking(m).attributes.pop("scale"), "lacks its input 'scale'"),
        (lambda m: argument(m, "scale").CopyFrom(argument(m, "name")), "with the text"),
        (lambda m: setattr(unpacking(m).outputs[0].type.tensorType, "dataType", FP16),
         "gives fp32 .*, but declares fp16"),
    ],
    ids=range(16),
)  # fmt: skip
def test_packed_weights_that_contradict_themselves_are_refused(packed, edit, reason):
    edit_model(packed, edit)
    refused(packed, reason, ArtifactError)


def unpack_computed(model):
    unpacking(model).attributes.pop("quantized_data")
    unpacking(model).inputs["quantized_data"].arguments.add().name = "a"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: number(argument(m, "zero_point"), FP32, "floats", 0.0),
         "a zero point that is not int8"),
        (lambda m: setattr(unpacking(m).outputs[0].type.tensorType, "dataType", INT8),
         "a computed int8 value"),
        (lambda m: argument(m, "block").CopyFrom(argument(m, "axis")), "the input 'block' of"),
        (unpack_computed, "with quantized_data"),
        (lambda m: setattr(find(m, "conv").outputs[0].type.tensorType, "dataType", INT8),
         "a computed int8 value"),
    ],
    ids=["zero point", "bytes", "unknown", "computed", "convolution"],
)  # fmt: skip
def test_an_unknown_kind_of_packed_weights_is_refused(packed, edit, reason):
    edit_model(packed, edit)
    refused(packed, reason)


def test_nothing_is_computed_in_bytes(packed):
    def edit(model):
        constant = main_block(model).operations.add(type="const")
        constant.outputs.add().CopyFrom(unpacking(model).outputs[0])
        constant.outputs[0].name = "bytes"
        constant.outputs[0].type.tensorType.dataType = INT8
        constant.attributes["val"].CopyFrom(argument(model, "quantized_data"))
        block = main_block(model)
        reordered = [block.operations[-1], *block.operations[:-1]]
        kept = [type(constant).FromString(each.SerializeToString()) for each in reordered]
        del block.operations[:]
        block.operations.extend(kept)
        bind(find(model, "conv"), "weight", "bytes")

    edit_model(packed, edit)
    refused(packed, "mixes fp32 and int8", ArtifactError)


def test_operands_of_two_types_are_refused(tmp_path):
    def build(a):
        return mb.add(x=a, y=mb.cast(x=mb.cast(x=a, dtype="fp16"), dtype="fp32", name="back"))

    path = write_program(tmp_path / "p.mlpackage", build, (2, 3))

    def edit(model):
        half = next(o for o in main_block(model).operations if o.type == "cast")
        bind(find(model, "add"), "y", half.outputs[0].name)

    edit_model(path, edit)
    refused(path, "mixes fp16 and fp32", ArtifactError)


def test_a_constant_written_in_place_is_refused(package):
    """The format allows it; coremltools writes constants as operations."""

    def edit(model):
        strides = next(
            o for o in main_block(model).operations if o.outputs[0].name == "first_strides_0"
        )
        binding = find(model, "conv").inputs["strides"].arguments[0]
        binding.value.CopyFrom(strides.attributes["val"])

    edit_model(package, edit)
    refused(package, "a value in place of the input 'strides' of the operation 'conv'")


def test_values_are_released_once_nobody_needs_them(package):
    steps = open_program(package)._compiled.steps
    assert [step.release for step in steps] == [(), ("first",), ("a", "second")]


@pytest.mark.parametrize(
    ("target", "opset"),
    [("iOS15", "CoreML5"), ("iOS17", "CoreML7"), ("iOS18", "CoreML8"), ("iOS26", "CoreML9")],
)
def test_only_the_operation_set_of_our_exports_is_claimed(target, opset, tmp_path):
    path = write_program(
        tmp_path / "p.mlpackage", lambda a: mb.relu(x=a), (2,), opset=getattr(ct.target, target)
    )
    refused(path, f"the operation set '{opset}'")
