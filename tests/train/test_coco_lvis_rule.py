"""The COCO+LVIS combination: the published result on its own inputs, and the paper's limit."""

import numpy as np
import pytest

from ritm_edge.train.coco_lvis.masks import BoxedMask
from ritm_edge.train.coco_lvis.rule import (
    IMPLEMENTATION,
    PAPER,
    Merged,
    fill_polygons,
    hierarchy,
    merge,
)

from ..golden_files import load_arrays, load_json

NAMES = [f"00000000100{index}" for index in range(6)]


def merged(name: str) -> Merged:
    golden = load_json("coco_lvis.json")
    image = golden["images"][name]
    ids = load_arrays("coco_lvis.npz")[f"in/{name}/panoptic"]
    thing = {category["id"]: category["isthing"] for category in golden["categories"]}
    masks = {True: [], False: []}
    for segment in image["segments"]:
        masks[bool(thing[segment["category_id"]])].append(ids == segment["id"])
    lvis = [
        fill_polygons([np.reshape(part, (-1, 2)) for part in polygons], ids.shape)
        for polygons in image["lvis_polygons"]
    ]
    return merge(masks[True], masks[False], lvis, IMPLEMENTATION)


@pytest.mark.parametrize("name", NAMES)
def test_the_official_rule_gives_the_published_masks_layers_and_hierarchy(name):
    expected = load_json("coco_lvis.json")["images"][name]["result"]
    layers = load_arrays("coco_lvis.npz")[f"out/{name}/layers"]
    result = merged(name)
    assert [int(mask.sum()) for mask in result.masks] == expected["areas"]
    assert result.instances == expected["num_instance_masks"]
    assert len(result.masks) == expected["num_masks"]
    assert [list(place) for place in result.places] == expected["objs_mapping"]
    assert np.array_equal(result.layers.transpose(2, 0, 1), layers)
    for index, node in expected["hierarchy"].items():
        parent = result.parents[int(index)]
        children = {i for i, p in enumerate(result.parents) if p == int(index)}
        if node is None:
            assert parent is None
            assert not children
        else:
            assert parent == node["parent"]
            assert children == set(node["children"])


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((60, 60), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_the_papers_limit_is_an_iou_of_four_fifths():
    lvis = box(10, 30, 10, 40)  # 20 x 30
    kept, dropped = box(10, 26, 10, 40), box(10, 27, 10, 40)  # IoU 0.80 and 0.85
    stuff = np.ones((60, 60), bool)
    result = merge([kept, dropped], [stuff], [lvis], PAPER)
    assert (result.from_coco, result.dropped_coco, result.instances) == (1, 1, 2)
    assert np.array_equal(result.masks[0], kept)
    assert np.array_equal(result.masks[1], lvis)
    assert np.array_equal(result.masks[2], ~lvis)
    assert merge([kept], [], [lvis], IMPLEMENTATION).dropped_coco == 1


def test_small_masks_and_small_rests_of_stuff_are_left_out():
    speck, object_ = box(0, 7, 0, 11), box(0, 8, 0, 10)  # 77 and 80 pixels
    rest = box(0, 16, 20, 52)  # 512 pixels, of which 12 are covered below
    result = merge([speck], [rest], [object_, box(0, 10, 49, 60)], PAPER)
    assert result.instances == 2
    assert len(result.masks) == 2


def test_objects_are_attached_to_the_smallest_that_contains_them():
    nested = [box(20, 30, 20, 30), box(0, 60, 0, 60), box(10, 40, 10, 40), box(50, 59, 50, 59)]
    assert hierarchy([BoxedMask(mask) for mask in nested]) == [2, None, 1, 1]
    apart = [box(0, 10, 0, 10), box(20, 30, 20, 30)]
    assert hierarchy([BoxedMask(mask) for mask in apart]) == [None, None]


def test_boxes_and_masks_overlap_as_counted_by_hand():
    first, second = BoxedMask(box(0, 10, 0, 10)), BoxedMask(box(5, 15, 0, 20))
    assert first.intersection(second) == 50
    assert first.iou(second) == pytest.approx(50 / 250)
    assert first.box_iou(second) == pytest.approx(5 / 15 * 10 / 20)
    assert first.box_intersection(second) == 50
    far = BoxedMask(box(40, 50, 40, 50))
    assert first.intersection(far) == first.box_iou(far) == 0
