"""Named settings: every file NAME.py of this folder holds `recipe() -> TrainConfig`.

A recipe is called by its file's name with dashes; names that start with an underscore are helpers.
"""

import difflib
import pkgutil
from importlib import import_module
from types import ModuleType

from ritm_edge.errors import UsageError

from ..config import TrainConfig


def recipe_names() -> list[str]:
    """Names that `load_recipe` accepts, sorted."""
    files = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in files if not name.startswith("_"))


def load_recipe(name: str) -> TrainConfig:
    """The settings of the recipe `name`.

    Raises:
        UsageError: no recipe has this name; the message tells the nearest one.
    """
    known = name.replace("_", "-")
    if known not in recipe_names():
        near = difflib.get_close_matches(known, recipe_names(), n=3, cutoff=0.0)
        raise UsageError(
            f"unknown recipe '{name}': the nearest are {', '.join(near)}; see train --list."
        )
    config = _module(known).recipe()
    assert isinstance(config, TrainConfig), f"recipe {name} returns no TrainConfig"
    return config


def recipe_summary(name: str) -> str:
    """First line of the recipe's docstring."""
    return (_module(name).__doc__ or "").strip().splitlines()[0]


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name.replace('-', '_')}")
