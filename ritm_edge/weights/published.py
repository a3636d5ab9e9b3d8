"""Checkpoints that the authors of RITM publish (their repository's release v1.0)."""

from dataclasses import dataclass

from ..errors import UsageError

_RELEASE = "https://github.com/saic-vul/ritm_interactive_segmentation/releases/download/v1.0"


@dataclass(frozen=True)
class PublishedCheckpoint:
    """A checkpoint to pull by the name that users type: name of its model for `build_model`, and
    data and procedure of its training, as the paper calls them."""

    name: str
    model: str
    training: str
    url: str


def _checkpoint(name: str, model: str, training: str) -> PublishedCheckpoint:
    return PublishedCheckpoint(name, model, training, f"{_RELEASE}/{name}.pth")


PUBLISHED = (
    _checkpoint("coco_lvis_h18s_itermask", "hrnet18s", "COCO+LVIS, iterative with mask guidance"),
    _checkpoint("coco_lvis_h18_itermask", "hrnet18", "COCO+LVIS, iterative with mask guidance"),
    _checkpoint("coco_lvis_h32_itermask", "hrnet32", "COCO+LVIS, iterative with mask guidance"),
    _checkpoint("sbd_h18_itermask", "hrnet18", "SBD, iterative with mask guidance"),
    _checkpoint("coco_lvis_h18_baseline", "hrnet18", "COCO+LVIS, random clicks only"),
)


def published_checkpoint(name: str) -> PublishedCheckpoint:
    """The published checkpoint called `name`. Raises UsageError: there is none; the message lists
    those that exist."""
    for each in PUBLISHED:
        if each.name == name.removesuffix(".pth"):
            return each
    names = ", ".join(each.name for each in PUBLISHED)
    raise UsageError(f"'{name}' is neither a URL nor a published checkpoint: choose from {names}.")
