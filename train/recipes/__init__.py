"""Named settings: every file of this folder holds `RECIPES`, by the names that people type."""

import difflib
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ritm_edge.errors import InputFileError, UsageError
from ritm_edge.files import read_file
from ritm_edge.untrusted_json import MAX_BYTES, parse_json

from ..config import TrainConfig
from ..idle_settings import refuse_idle
from ..settings import as_dict, flatten, from_json
from .recipe import Recipe


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name, sorted."""
    found: dict[str, Recipe] = {}
    for file in pkgutil.iter_modules(__path__):
        found |= getattr(import_module(f"{__name__}.{file.name}"), "RECIPES", {})
    return dict(sorted(found.items()))


def load_recipe(name: str, *, as_implemented: bool = False) -> TrainConfig:
    """The settings of the recipe `name`: of a run of the paper, the paper's, or those of the
    official code. Raises UsageError: no recipe has this name (the message tells the nearest ones),
    or the official code is not known to differ from it."""
    known = name.replace("_", "-")
    recipe = recipes().get(known)
    if recipe is None:
        near = difflib.get_close_matches(known, recipes(), n=3, cutoff=0.0)
        raise UsageError(
            f"unknown recipe '{name}': the nearest are {', '.join(near)}; see train --list."
        )
    if not as_implemented:
        return recipe.config
    if recipe.official is None:
        raise UsageError(
            f"the recipe {known} is not known to differ in the official code: leave "
            "--as-implemented out."
        )
    return recipe.official


def load_recipe_file(path: Path) -> TrainConfig:
    """Settings written as JSON: sections as `--dry-run --json` prints them, alone or under
    "settings"; what is left out has its default. Raises InputFileError: missing, or no such JSON;
    UsageError: an unknown setting, a value that cannot be used or one that does nothing."""
    data = read_file(path, most=MAX_BYTES)
    try:
        content = parse_json(data)
    except ValueError as error:
        raise InputFileError(f"{path} is not JSON ({error}): correct it.") from error
    given: set[str] = set()
    if isinstance(content, dict) and "settings" in content:
        content = content["settings"]  # of a dry run: all values, those that nobody chose too
    elif isinstance(content, dict):
        given = set(flatten(content))
    if not isinstance(content, dict):
        raise InputFileError(f"{path} holds no sections of settings: see train --dry-run --json.")
    config, defaults = from_json(TrainConfig, content), flatten(as_dict(TrainConfig()))
    values = flatten(as_dict(config)).items()
    refuse_idle(config, [n for n, v in values if n in given and v not in (0, defaults[n])], {})
    return config
