"""A photo with its objects, which may overlap and lie inside one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Photo = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Layers = NDArray[np.uint8]

IGNORE = 255  # in label maps
MAX_LABEL = 254  # of a layer; as many objects as the published packing puts into one


@dataclass(frozen=True)
class SceneObject:
    """Where an object's pixels are, the channel of `Scene.layers` and its value there (1…254), and
    the index of the object that contains it. Stuff, a region without instances (sky, grass), is
    offered as an object only by chance."""

    layer: int
    label: int
    parent: int | None = None
    stuff: bool = False


@dataclass(frozen=True)
class Scene:
    """One annotated photo or a crop of it.

    Attributes:
        photo: uint8 [H, W, 3], RGB.
        layers: uint8 [H, W, L]; objects that overlap are in different layers.
        objects: what the labels mean.
        ignored: bool [H, W], pixels that nobody labelled; None where there are none.
        problems: annotations that could not be read and were left out.
    """

    photo: Photo
    layers: Layers
    objects: tuple[SceneObject, ...]
    ignored: Mask | None = None
    problems: tuple[str, ...] = ()

    def mask(self, index: int) -> Mask:
        """Pixels of one object, bool [H, W]."""
        item = self.objects[index]
        return np.asarray(self.layers[..., item.layer] == item.label)

    def areas(self) -> list[int]:
        """Pixels of each object."""
        counts = [
            np.bincount(self.layers[..., layer].ravel(), minlength=256)
            for layer in range(self.layers.shape[2])
        ]
        return [int(counts[item.layer][item.label]) for item in self.objects]


def from_label_map(photo: Photo, labels: NDArray[np.uint8]) -> Scene:
    """Scene of a map with 0 background, 1…254 object ids and 255 ignore."""
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    objects = tuple(SceneObject(0, int(i)) for i in present if 0 < i < IGNORE)
    ignored = labels == IGNORE
    layer = np.where(ignored, np.uint8(0), labels)
    return Scene(photo, layer[..., None], objects, ignored if ignored.any() else None)


def from_masks(
    photo: Photo,
    masks: Sequence[Mask],
    *,
    stuff: Sequence[bool] | None = None,
    ignored: Mask | None = None,
    problems: Sequence[str] = (),
) -> Scene:
    """Scene of masks that may overlap, all of them roots; see `Scene` for the rest."""
    height, width = photo.shape[:2]
    layers, places = pack(masks, (height, width))
    flags = stuff or [False] * len(masks)
    objects = tuple(
        SceneObject(layer, label, stuff=flag)
        for (layer, label), flag in zip(places, flags, strict=True)
    )
    return Scene(photo, layers, objects, ignored, tuple(problems))


def pack(masks: Sequence[Mask], shape: tuple[int, int]) -> tuple[Layers, list[tuple[int, int]]]:
    """Put masks, bool [H, W] each, into as few layers as their overlaps allow: uint8 [H, W, L], L ≥
    1, and the (layer, label) of each. Largest first, each into the first layer where it overlaps
    nothing, as the published data preparation does."""
    places = [(0, 0)] * len(masks)
    layers: list[NDArray[np.uint8]] = []
    counts: list[int] = []
    # A stable sort of negated areas: equal ones keep their order.
    for index in np.argsort([-int(mask.sum()) for mask in masks], kind="stable"):
        mask = masks[index]
        for layer, labels in enumerate(layers):
            if counts[layer] < MAX_LABEL and not labels[mask].any():
                break
        else:
            layer = len(layers)
            layers.append(np.zeros(shape, np.uint8))
            counts.append(0)
        counts[layer] += 1
        layers[layer][mask] = counts[layer]
        places[index] = (layer, counts[layer])
    return np.stack(layers or [np.zeros(shape, np.uint8)], axis=2), places


def without(scene: Scene, removed: Sequence[int], *, erase: bool = False) -> Scene:
    """The scene with fewer objects; the children of a removed one go to its parent. Its pixels
    become background (`erase`), or stay labelled and count as other objects for negative clicks."""
    gone = set(removed)
    if not gone:
        return scene
    kept = [i for i in range(len(scene.objects)) if i not in gone]
    place = {old: new for new, old in enumerate(kept)}

    def ancestor(index: int | None) -> int | None:
        while index is not None and index in gone:
            index = scene.objects[index].parent
        return None if index is None else place[index]

    layers = scene.layers
    if erase:
        layers = layers.copy()
        for index in gone:
            item = scene.objects[index]
            layers[..., item.layer][layers[..., item.layer] == item.label] = 0
    objects = tuple(
        replace(scene.objects[i], parent=ancestor(scene.objects[i].parent)) for i in kept
    )
    return replace(scene, layers=layers, objects=objects)


def roots(scene: Scene) -> list[int]:
    """Indices of the objects that lie in no other."""
    return [i for i, item in enumerate(scene.objects) if item.parent is None]
