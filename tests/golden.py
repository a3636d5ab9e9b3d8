"""The published implementation's outputs, and models filled with the weights that made them."""

import importlib.util
import json
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ritm_edge.model.ritm import RitmModel, build_model

from .paths import GOLDEN

# Golden configuration name -> arguments of build_model.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "h18s": {"name": "hrnet18s"},
    "h18_noprev": {"name": "hrnet18", "prev_mask": False},
    "h18_dt260": {"name": "hrnet18", "encoding": "distance", "radius": 260},
    "h18_dmf": {"name": "hrnet18", "input_scheme": "dmf"},
    "r34_prev": {"name": "deeplab_r34"},
}


@cache
def formula() -> ModuleType:
    """The module that makes weights from parameter names."""
    spec = importlib.util.spec_from_file_location("golden_formula", GOLDEN / "formula.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def load_json(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


@cache
def load_arrays(name: str) -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN / name) as arrays:
        return dict(arrays)


def formula_model(configuration: str) -> RitmModel:
    """A model of a golden configuration with the golden weights, in eval mode."""
    arguments = dict(CONFIGURATIONS[configuration])
    model = build_model(arguments.pop("name"), **arguments).eval()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = formula().fill_state(shapes)
    model.load_state_dict({key: torch.from_numpy(np.asarray(v)) for key, v in state.items()})
    return model
