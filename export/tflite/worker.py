"""ONNX to TFLite in its own process: `python -m ritm_edge.export.tflite.worker OUT JOB PART...`.

onnx2tf prints, exits, rewrites its input file and holds TensorFlow's memory; here none of that
reaches the caller. The folder of the parts is scratch space.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ritm_edge.artifacts.info import Precision
from ritm_edge.io_spec import CLICKS

from .click_maps import ClickEncoding
from .int8 import KEPT, integer_model

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One ONNX graph as a function of TensorFlow tensors by name, images in NHWC.

    Shapes are those of the ONNX file.
    """

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    compute: Callable[[dict[str, Any]], dict[str, Any]]


def main(target: Path, job: Path, sources: Sequence[Path]) -> None:
    """Convert static-shape ONNX graphs that feed each other by name into one .tflite file.

    Tensors of four axes become NHWC; inputs of three axes (clicks) keep their shape.

    Args:
        target: file to write.
        job: .npz with "precision": "int8" (then also the stacked calibration inputs by name,
            NCHW, and weights of layers to keep by "kept: " and their name), "int8-dynamic" or
            "fp32".
        sources: ONNX files, in the order in which they run.
    """
    import tensorflow as tf

    parts = [_convert(source) for source in sources]
    computed = {name for part in parts for name in part.outputs}
    specs = {
        name: tf.TensorSpec(_nhwc(shape), tf.float32, name)
        for part in parts
        for name, shape in part.inputs.items()
        if name not in computed
    }

    def serve(**tensors: Any) -> dict[str, Any]:
        for part in parts:
            tensors.update(part.compute(tensors))
        return {name: tf.identity(tensors[name]) for name in parts[-1].outputs}

    concrete = tf.function(serve).get_concrete_function(**specs)
    # All weights are constants of the function. Handing the Keras models over as the tracked
    # object would serialise every layer's configuration first, which takes ten times as long.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with np.load(job) as settings:
        precision = str(settings["precision"])
        if precision == Precision.INT8_DYNAMIC:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        data = converter.convert()
        if precision == Precision.INT8:
            calibration = {name: settings[name] for name in specs}
            kept = {n.removeprefix(KEPT): settings[n] for n in settings if n.startswith(KEPT)}
            data = integer_model(data, calibration, kept, threads=os.cpu_count() or 1)
    target.write_bytes(data)


def _convert(source: Path) -> Part:
    import onnx

    graph = onnx.load(source).graph
    inputs = {value.name: _shape(value) for value in graph.input}
    outputs = {value.name: _shape(value) for value in graph.output}
    make = _click_encoding if inputs.keys() == {CLICKS} else _network
    return Part(inputs, outputs, make(graph, source))


def _click_encoding(graph: Any, _: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    import tensorflow as tf

    encoding = ClickEncoding(graph)
    to_nhwc = (0, 2, 3, 1)
    return lambda tensors: {
        name: tf.transpose(result, to_nhwc) for name, result in encoding(tensors[CLICKS]).items()
    }


def _network(graph: Any, source: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    import onnx2tf

    from .ops import replace_guessing_operations

    replace_guessing_operations()
    # Version 2 writes TFLite by a backend of its own unless told otherwise. Its files convert
    # without an error and then cannot run, lose their masks in int8 or are wrong at open sizes.
    two = int(version("onnx2tf").partition(".")[0]) >= 2
    backend = {"tflite_backend": "tf_converter"} if two else {}
    model = onnx2tf.convert(
        input_onnx_file_path=str(source),
        output_folder_path=str(source.parent / "saved_model"),
        # It is already simplified and every node has a name.
        not_use_onnxsim=True,
        not_use_opname_auto_generate=True,
        # Its own TFLite step would write a second, float16 file and lose the output names.
        disable_model_save=True,
        onnxruntime_output_memmap_dir=str(source.parent),
        non_verbose=True,
        **backend,
    )
    found = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
    expected = {value.name: _nhwc(_shape(value)) for value in graph.input}
    if found != expected:
        raise RuntimeError(f"onnx2tf made the inputs {found} instead of {expected}")
    wanted = {value.name: _nhwc(_shape(value)) for value in graph.output}
    made = [tuple(tensor.shape) for tensor in model.outputs]
    if made != list(wanted.values()):
        raise RuntimeError(f"onnx2tf made outputs of {made} instead of {wanted}")

    def compute(tensors: dict[str, Any]) -> dict[str, Any]:
        results = model([tensors[tensor.name] for tensor in model.inputs])
        results = results if isinstance(results, list | tuple) else [results]
        return dict(zip(wanted, results, strict=True))

    return compute


def _shape(value: Any) -> Shape:
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def _nhwc(shape: Shape) -> Shape:
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(argument) for argument in sys.argv[3:]])
