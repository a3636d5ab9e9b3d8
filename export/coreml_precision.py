"""Core ML with 8-bit weights, by coremltools' own compression."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ritm_edge.optional import require

from .layer_names import find_layers

STEPS = 127  # of int8 on either side of zero
# Weights of at most this many elements stay: together, HRNet-18s's would save only 6 kB.
SMALL = 2048


def store_in_int8(model: Any, keep_float: Iterable[str] = ()) -> Any:
    """A copy of a coremltools `MLModel`, float32 or float16, with the weights of large convolutions
    in int8: symmetric, one scale per output channel. Core ML unpacks them; types and order of all
    computation, and every constant of the click encoding, stay as they are.

    Layers whose parameters' names have a beginning of `keep_float` are left alone. Raises
    UsageError: no layer of that name.
    """
    optimize = require("coremltools.optimize.coreml", extra="coreml")
    weights = {
        name: constant.val
        for name, constant in optimize.get_weights_metadata(model, weight_threshold=0).items()
        if any(
            user.op_type == "conv" and user.params_name_mapping.get("weight") == name
            for user in constant.child_ops
        )
    }
    kept = find_layers(
        {name: name for name in weights},
        keep_float,
        # How torch.export calls a parameter of the graph's model.
        spell=lambda layer: f"p_model_{layer.replace('.', '_')}",
    ) | {name for name, weight in weights.items() if _needs_tiny_scales(weight)}
    per_channel = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=SMALL
    )
    config = optimize.OptimizationConfig(
        op_type_configs={"conv": per_channel}, op_name_configs=dict.fromkeys(kept)
    )
    return optimize.linear_quantize_weights(model, config)


def _needs_tiny_scales(weight: NDArray[np.floating[Any]]) -> bool:
    """Whether the scale of a channel is not a normal number of its type.

    It would lose bits, and hardware that takes such numbers for zero would lose the channel.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1).astype(np.float32)
    return bool((largest / STEPS < np.finfo(weight.dtype).tiny).any())
