"""Which masks of one photo are kept, and which lies in which (section 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..scene import Layers, Mask, pack
from .masks import BoxedMask

MIN_AREA = 80
MIN_STUFF_AREA = 500
INSIDE_BOX_SHARE = 0.7
INSIDE_SHARE = 0.8


@dataclass(frozen=True)
class Rule:
    """When two masks are the same object: a COCO mask is dropped if an LVIS mask overlaps it by
    more than `coco_iou`, and their boxes by more than `coco_box_iou`; likewise an LVIS mask and a
    later one of LVIS."""

    name: str
    coco_iou: float
    coco_box_iou: float
    lvis_iou: float = 0.85
    lvis_box_iou: float = 0.70


# The text compares masks alone; the official code has a lower limit and looks at boxes first.
# Both drop near-duplicates within LVIS, which the text does not mention.
PAPER = Rule("paper", coco_iou=0.80, coco_box_iou=0.0)
IMPLEMENTATION = Rule("implementation", coco_iou=0.70, coco_box_iou=0.70)
RULES = {rule.name: rule for rule in (PAPER, IMPLEMENTATION)}


@dataclass(frozen=True)
class Merged:
    """The masks of one photo.

    Attributes:
        masks: bool [H, W]: kept COCO masks, kept LVIS masks, then stuff.
        instances: how many of them are objects, not stuff.
        parents: of each object: the index of the one that it lies in, or None.
        layers: uint8 [H, W, L], all masks packed.
        places: (layer, label) of each mask.
        from_coco: how many of the objects are COCO's.
        dropped_coco, dropped_lvis: masks that had a better one.
    """

    masks: list[Mask]
    instances: int
    parents: list[int | None]
    layers: Layers
    places: list[tuple[int, int]]
    from_coco: int
    dropped_coco: int
    dropped_lvis: int


def merge(
    things: Sequence[Mask], stuff: Sequence[Mask], lvis: Sequence[Mask], rule: Rule
) -> Merged:
    """Combine the annotations of one photo, bool [H, W] each: COCO's objects (crowds included, as
    published), COCO's regions, and LVIS; at least one mask in all three together."""
    ours = _large(lvis)
    theirs = _large(things)
    kept_coco = [
        mask
        for mask in theirs
        if not any(
            mask.box_iou(other) > rule.coco_box_iou and mask.iou(other) > rule.coco_iou
            for other in ours
        )
    ]
    kept_lvis = [
        mask
        for index, mask in enumerate(ours)
        if not any(
            mask.box_iou(other) > rule.lvis_box_iou and mask.iou(other) > rule.lvis_iou
            for other in ours[index + 1 :]
        )
    ]
    objects = [*kept_coco, *kept_lvis]
    masks = [mask.pixels for mask in objects]
    shape = (things or stuff or lvis)[0].shape
    covered = np.logical_or.reduce(masks) if masks else np.zeros(shape, bool)
    regions = [region & ~covered for region in stuff]
    masks += [region for region in regions if region.sum() > MIN_STUFF_AREA]
    layers, places = pack(masks, (shape[0], shape[1]))
    return Merged(
        masks=masks,
        instances=len(objects),
        parents=hierarchy(objects),
        layers=layers,
        places=places,
        from_coco=len(kept_coco),
        dropped_coco=len(theirs) - len(kept_coco),
        dropped_lvis=len(ours) - len(kept_lvis),
    )


def hierarchy(objects: Sequence[BoxedMask]) -> list[int | None]:
    """For each object the smallest found one that contains it, or None.

    Objects are taken by falling area, of equal ones the later first. Each is attached once, below
    the largest that contains it, as deep as its other containers there reach.
    """
    parents: list[int | None] = [None] * len(objects)
    children: list[list[int]] = [[] for _ in objects]
    order = sorted(range(len(objects)), key=lambda i: (objects[i].area, i), reverse=True)
    for position, outer in enumerate(order):
        for inner in order[position + 1 :]:
            if parents[inner] is None and is_inside(objects[inner], objects[outer]):
                parent = _deepest(outer, inner, objects, children)
                parents[inner] = parent
                children[parent].append(inner)
    return parents


def is_inside(inner: BoxedMask, outer: BoxedMask) -> bool:
    """Whether most of `inner` lies in `outer`."""
    if inner.box_intersection(outer) / inner.box_area < INSIDE_BOX_SHARE:
        return False
    return inner.intersection(outer) / inner.area > INSIDE_SHARE


def _deepest(
    start: int, inner: int, objects: Sequence[BoxedMask], children: list[list[int]]
) -> int:
    node = start
    while True:
        for child in children[node]:
            if objects[child].area < objects[inner].area:
                continue
            if is_inside(objects[inner], objects[child]):
                node = child
                break
        else:
            return node


def fill_polygons(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> Mask:
    """Union of polygons, [N, 2] each, (x, y) in pixels, on (H, W); corners rounded to pixels, as
    published."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], [1])
    return mask.astype(bool)


def _large(masks: Sequence[Mask]) -> list[BoxedMask]:
    return [BoxedMask(mask) for mask in masks if mask.sum() >= MIN_AREA]
