"""Arrays as JSON."""

import base64
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def to_json(array: ArrayLike) -> dict[str, Any]:
    """Plain values of an array, converted to float32."""
    values = np.asarray(array, "<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode()}


def from_json(values: dict[str, Any]) -> NDArray[np.float32]:
    """The inverse of `to_json`. Raises ValueError, KeyError, TypeError: values of another kind."""
    array = np.frombuffer(base64.b64decode(values["float32"], validate=True), "<f4")
    return array.reshape(values["shape"]).astype(np.float32)
