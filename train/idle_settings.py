"""Settings that act only together with others: changes without effect are refused."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ritm_edge.errors import UsageError

from .config import TrainConfig
from .settings import as_dict, flatten, override

# What is needed (a value, or anything but 0) → the settings that need it.
NEEDS = {
    "augmentation.kind=published": "augmentation.scale augmentation.quarter_turns "
    "augmentation.shift augmentation.empty_crop_probability",
    "augmentation.kind=published or augmentation.kind=windows": "augmentation.rotate "
    "augmentation.warp_probability",
    "augmentation.kind=object_crops": "augmentation.object_crop_probability",
    "augmentation.kind=object_crops or augmentation.kind=windows": "data.area_power",
    "augmentation.kind=windows": "augmentation.window_shares",
    "augmentation.shift or augmentation.rotate": "augmentation.warp_probability",
    "augmentation.warp_probability": "augmentation.shift augmentation.rotate",
    "augmentation.colour_probability": "augmentation.brightness augmentation.contrast "
    "augmentation.channel_shift",
    "loss.kind=nfl or loss.kind=focal": "loss.alpha loss.gamma",
    "clicks.single_click_probability": "clicks.positive_places",
    "iterative.max_iterations": "iterative.deepest_probability iterative.skip_ignored",
    # DeepLabV3+ has no auxiliary output.
    "model.name=hrnet* or model.name=lite*": "loss.aux_weight",
    "schedule.kind=multistep": "schedule.milestones schedule.gamma",
    "schedule.milestones": "schedule.gamma",
    "schedule.kind=cosine": "schedule.final_fraction",
    "schedule.steps=0": "schedule.epochs",
    "run.val_every_steps=0": "run.val_every",
}


def refuse_idle(config: TrainConfig, names: Iterable[str], also: dict[str, str]) -> None:
    """Refuse settings, "section.key", that somebody chose and that change nothing in a
    configuration; `also` maps what else is not there to the settings that need it. Raises
    UsageError: names the first of them and what it needs."""
    values = flatten(as_dict(config))
    missing = {need: text for need, text in NEEDS.items() if not _holds(need, values)} | also
    for name in names:
        for need, settings in missing.items():
            if name in settings.split():
                raise UsageError(f"{name} does nothing without {need}: leave it out.")


def refuse_fp16(config: TrainConfig, device: str) -> None:
    """Raise UsageError where the network would be trained in fp16 on a CPU, whose convolutions
    overflow in it."""
    if config.run.precision == "fp16" and device == "cpu":
        raise UsageError("run.precision=fp16 needs a GPU: set fp32 or bf16 on this CPU.")


def _holds(need: str, values: Mapping[str, Any]) -> bool:
    for part in need.split(" or "):
        name, equals, wanted = part.partition("=")
        if fnmatchcase(str(values[name]), wanted) if equals else values[name]:
            return True
    return False


def changed(
    config: TrainConfig, assignments: Sequence[str], also: dict[str, str] | None = None
) -> TrainConfig:
    """A copy with some settings changed, each of them once and with effect.

    Args and errors: as `settings.override` and `refuse_idle`.
    """
    names = [text.partition("=")[0].strip() for text in assignments]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is set twice: leave one of the two values out.")
    result = override(config, assignments)
    refuse_idle(result, names, also or {})
    return result
