"""Session graphs as .tflite files, written by TensorFlow's converter from the same lines.

`python -m ritm_edge.export.session_graphs.tensorflow SETTINGS FOLDER`, in a process of its own,
since TensorFlow prints and keeps its memory.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ritm_edge.io_spec import IOSpec
from ritm_edge.session.zoom_in import ZoomIn

from .steps import Step, StepSettings, all_steps

# LiteRT in a browser resizes no input: what is fixed there, larger where a runtime can resize.
LARGEST_PHOTO = 4096 * 3072
SCREEN = (1080, 1440)
LENGTHS = {"pixels": LARGEST_PHOTO, "rows": SCREEN[0], "columns": SCREEN[1]}


def as_text(settings: StepSettings) -> str:
    """The settings for the command line of the worker."""
    return json.dumps(asdict(settings))


def _settings(text: str) -> StepSettings:
    values = json.loads(text)
    return StepSettings(
        **{**values, "io": IOSpec(**values["io"]), "zoom": ZoomIn(**values["zoom"])}
    )


def _namespace() -> SimpleNamespace:
    import tensorflow as tf

    return SimpleNamespace(
        floor=tf.floor, round=tf.round, sqrt=tf.sqrt, where=tf.where,
        minimum=tf.minimum, maximum=tf.maximum, concat=tf.concat, reshape=tf.reshape,
        transpose=tf.transpose, flip=lambda x, axis: tf.reverse(x, [axis]),
        max=lambda values, axis: tf.reduce_max(values, axis, keepdims=True),
        min=lambda values, axis: tf.reduce_min(values, axis, keepdims=True),
        rows=lambda values, at: tf.gather(values, tf.cast(at, tf.int32)),
        vector=lambda *numbers: tf.constant(numbers, tf.float32),
        arange=lambda count: tf.range(float(count), dtype=tf.float32),
        integer=lambda x: tf.cast(x, tf.int32), number=lambda x: tf.cast(x, tf.float32),
        byte=lambda x: tf.cast(x, tf.uint8), channels_first=lambda x: tf.transpose(x, (2, 0, 1)),
    )  # fmt: skip


def _convert(step: Step, settings: StepSettings) -> bytes:
    import tensorflow as tf

    xp = _namespace()

    def compute(**given: Any) -> dict[str, Any]:
        results = step.compute(xp, settings, given)
        # A name of its own for each result, even where it is an input as it came.
        return {n: tf.identity(r) for n, r in zip(step.outputs, results, strict=True)}

    specs = {
        name: tf.TensorSpec(
            [LENGTHS[n] if isinstance(n, str) else n for n in shape], getattr(tf, kind), name
        )
        for name, (kind, shape) in step.inputs.items()
    }
    concrete = tf.function(compute, autograph=False).get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


def main(settings: str, folder: Path) -> None:
    """Write `folder`/NAME.tflite for every graph."""
    known = _settings(settings)
    for name, step in all_steps(known).items():
        (folder / f"{name}.tflite").write_bytes(_convert(step, known))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
