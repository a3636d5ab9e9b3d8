"""Named settings: every file NAME.py of this folder holds `recipe() -> TrainConfig`.

A recipe is called by its file's name with dashes; names that start with an underscore are helpers.
Where the official code differs from the paper, the file also holds `as_implemented()`.
"""

import difflib
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ritm_edge.errors import InputFileError, UsageError
from ritm_edge.files import existing_file
from ritm_edge.untrusted_json import parse_json

from ..config import TrainConfig
from ..idle_settings import refuse_idle
from ..settings import as_dict, flatten


def recipe_names() -> list[str]:
    """Names that `load_recipe` accepts, sorted."""
    files = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in files if not name.startswith("_"))


def load_recipe(name: str, *, as_implemented: bool = False) -> TrainConfig:
    """The settings of the recipe `name`.

    Args:
        name: one of `recipe_names()`.
        as_implemented: those of the official code instead of the paper's.

    Raises:
        UsageError: no recipe has this name (the message tells the nearest ones), or the official
            code is not known to differ from it.
    """
    known = name.replace("_", "-")
    if known not in recipe_names():
        near = difflib.get_close_matches(known, recipe_names(), n=3, cutoff=0.0)
        raise UsageError(
            f"unknown recipe '{name}': the nearest are {', '.join(near)}; see train --list."
        )
    module = _module(known)
    if as_implemented and not hasattr(module, "as_implemented"):
        raise UsageError(
            f"the recipe {known} is not known to differ in the official code: leave "
            "--as-implemented out."
        )
    config = module.as_implemented() if as_implemented else module.recipe()
    assert isinstance(config, TrainConfig), f"recipe {name} returns no TrainConfig"
    return config


def load_recipe_file(path: Path) -> TrainConfig:
    """Settings written as JSON: sections as `--dry-run --json` prints them, alone or under
    "settings"; what is left out has its default.

    Raises:
        InputFileError: missing, or no such JSON.
        UsageError: an unknown setting, a value that cannot be used or one that does nothing.
    """
    try:
        content = parse_json(existing_file(path).read_bytes())
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} is not JSON ({error}): correct it.") from error
    given: set[str] = set()
    if isinstance(content, dict) and "settings" in content:
        content = content["settings"]  # of a dry run: all values, those that nobody chose too
    elif isinstance(content, dict):
        given = set(flatten(content))
    if not isinstance(content, dict):
        raise InputFileError(f"{path} holds no sections of settings: see train --dry-run --json.")
    config, defaults = TrainConfig(**content), flatten(as_dict(TrainConfig()))
    values = flatten(as_dict(config)).items()
    refuse_idle(config, [n for n, v in values if n in given and v not in (0, defaults[n])], {})
    return config


def recipe_summary(name: str) -> str:
    """First line of the recipe's docstring."""
    return (_module(name).__doc__ or "").strip().splitlines()[0]


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name.replace('-', '_')}")
