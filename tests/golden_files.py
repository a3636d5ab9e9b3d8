"""The published implementation's outputs, and models filled with the weights that made them.

`tests/golden` holds the numbers that show no photograph. The whole set, which lies outside the
repository, adds those that do.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ritm_edge.model.ritm import RitmModel, build_model

from .golden_weights import fill_state
from .paths import GOLDEN, WHOLE_GOLDEN

# Golden configuration name -> arguments of build_model.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "h18s": {"name": "hrnet18s"},
    "h18_noprev": {"name": "hrnet18", "prev_mask": False},
    "h18_dt260": {"name": "hrnet18", "encoding": "distance", "radius": 260},
    "h18_dmf": {"name": "hrnet18", "input_scheme": "dmf"},
    "r34_prev": {"name": "deeplab_r34"},
}


def _places(name: str) -> list[Path]:
    """The file's versions, the repository's first; the whole set may hold none, or the only one."""
    places = [folder / name for folder in (GOLDEN, WHOLE_GOLDEN) if (folder / name).is_file()]
    assert places, f"{name} is neither in {GOLDEN} nor in {WHOLE_GOLDEN}"
    return places


def _joined(first: Any, second: Any) -> Any:
    """`first`, and what only `second` has, at every depth."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return first
    both = {key: _joined(first[key], second[key]) for key in first.keys() & second.keys()}
    return {**second, **first, **both}


@cache
def load_json(name: str) -> Any:
    contents = [json.loads(path.read_text()) for path in _places(name)]
    return _joined(contents[0], contents[-1])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as arrays:
        return dict(arrays)


@cache
def load_arrays(name: str) -> dict[str, NDArray[Any]]:
    contents = [read_arrays(path) for path in _places(name)]
    return {**contents[-1], **contents[0]}


def formula_model(configuration: str) -> RitmModel:
    """A model of a golden configuration with the golden weights, in eval mode."""
    arguments = dict(CONFIGURATIONS[configuration])
    model = build_model(arguments.pop("name"), **arguments).eval()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = fill_state(shapes)
    model.load_state_dict({key: torch.from_numpy(np.asarray(v)) for key, v in state.items()})
    return model
