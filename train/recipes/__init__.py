"""Named settings: every file NAME.py of this folder holds `recipe() -> TrainConfig`."""

import pkgutil
from importlib import import_module

from ritm_edge.errors import UsageError

from ..config import TrainConfig


def recipe_names() -> list[str]:
    """Names that `load_recipe` accepts, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_recipe(name: str) -> TrainConfig:
    """The settings of the recipe `name`.

    Raises:
        UsageError: no recipe has this name; the message lists those that exist.
    """
    if name not in recipe_names():
        raise UsageError(f"unknown recipe '{name}': choose one of {', '.join(recipe_names())}.")
    config = import_module(f"{__name__}.{name}").recipe()
    assert isinstance(config, TrainConfig), f"recipe {name} returns no TrainConfig"
    return config


def recipe_summary(name: str) -> str:
    """First line of the recipe's docstring."""
    return (import_module(f"{__name__}.{name}").__doc__ or "").strip().splitlines()[0]
