"""Where refinement enters a network: what comes before that place, and what after.

The places are those of f-BRS (arXiv:2001.10331); A, B and C are ever later ones.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

from ..errors import UsageError
from ..model.deeplab import DeepLabV3Plus
from ..model.hrnet import HRNetOCR
from ..model.ritm import RitmModel

Place = Literal["a", "b", "c"]


class Insertion(NamedTuple):
    """The features at a place, [B, C, h, w], of normalised RGB and click maps as in
    `RitmModel.segment`; and the function from such features to logits [B, 1, h, w]."""

    features: Tensor
    rest: Callable[[Tensor], Tensor]


def insertion(model: RitmModel, place: Place, rgb: Tensor, maps: Tensor) -> Insertion:
    """Run the network up to a place. Raises UsageError: the architecture has no such places."""
    rgb, click_features = model.fuse(rgb, maps)
    network = model.feature_extractor
    if isinstance(network, HRNetOCR):
        features = network.concatenated(network.features(rgb, click_features))
        if place == "c":
            return Insertion(network.with_context(features)[0], network.cls_head)
        # Both heads see the changed features; on an HRNet A and B are the same place.
        return Insertion(features, lambda changed: network.classified(changed)[0])
    if isinstance(network, DeepLabV3Plus) and model.head is not None:
        head = model.head
        fine, coarse = network.backbone(rgb, click_features)
        if place == "a":
            return Insertion(
                coarse, lambda changed: head(network.head(network.joined(fine, changed)))
            )
        joined = network.joined(fine, coarse)
        if place == "b":
            return Insertion(joined, lambda changed: head(network.head(changed)))
        return Insertion(network.head(joined), head)
    raise UsageError(
        f"f-BRS has no place in {model.config.name}: take rgb-brs or distmap-brs, or an HRNet or "
        "DeepLab."
    )
