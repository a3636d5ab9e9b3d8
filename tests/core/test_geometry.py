"""The step at network resolution, against maps of the photo's size that it does without."""

from typing import Any

import numpy as np
import pytest

from ritm_edge.clicks import Click, pack_clicks
from ritm_edge.session.app_protocol import _cut, _roi, content, rect
from ritm_edge.session.fit import FITS, Fit, fitted_view
from ritm_edge.session.geometry import NUMPY, Frame, average, find_crop
from ritm_edge.session.predictor import mean_probabilities
from ritm_edge.session.view import paste
from ritm_edge.session.zoom_in import Roi, ZoomIn, bounding_box, box_iou

THRESHOLD = 0.49
PHOTOS = [(300, 500), (500, 301), (64, 96), (1, 1), (1, 700), (90, 2), (1200, 1600)]


def smooth_output(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Probabilities with one blob, as a network gives them."""
    rows, columns = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    centre, radius = rng.uniform(0.1, 0.9, 2), rng.uniform(0.05, 0.5, 2)
    distance = ((rows - centre[0]) / radius[0]) ** 2 + ((columns - centre[1]) / radius[1]) ** 2
    return np.asarray(1 / (1 + np.exp(3 * np.minimum(distance - 1, 20))), np.float32)


def some_crop(rng: np.random.Generator, size: tuple[int, int]) -> Roi:
    ends = [sorted(int(i) for i in rng.integers(0, length, 2)) for length in size]
    return Roi(*ends[0], *ends[1])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("side", [(96, 96), (64, 96), (96, 64)])
@pytest.mark.parametrize("size", PHOTOS)
def test_a_frame_shows_what_views_and_maps_of_the_photo_show(
    size: tuple[int, int], side: tuple[int, int], fit: Fit
) -> None:
    rng = np.random.default_rng([*size, *side, FITS.index(fit)])
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    frame, extent = Frame(NUMPY, side, fit), NUMPY.vector(*size)
    for _ in range(6):
        crop, before = some_crop(rng, size), frame.seen(rect(some_crop(rng, size)), extent)
        view, seen = fitted_view(crop, size, side, fit), frame.seen(rect(crop), extent)
        assert view.roi == _roi(seen)
        assert np.abs(_cut(frame, photo, seen) - view.cut(photo)).max() < 1e-3
        output = smooth_output(rng, side)
        assert np.array_equal(content(frame, output, seen), view.uncover(output))
        shown = paste(content(frame, output, before), _roi(before), size)
        # The margin of the output is black in the photo, whatever the network says there.
        previous = frame.previous(frame, output, before, seen)
        assert np.abs(previous - view.cut(shown)).max() < 1e-5
        everywhere = frame.over(output, before, *(np.arange(n, dtype=np.float32) for n in size))
        assert np.abs(everywhere - shown).max() < 1e-5
        clicks = [Click(*rng.uniform(0, size), bool(k % 2), k) for k in range(5)]
        moved = pack_clicks([view.click(click) for click in clicks])
        assert np.allclose(frame.clicks(np.float32(pack_clicks(clicks)[0]), seen), moved, atol=1e-3)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", PHOTOS)
def test_the_box_holds_the_mask_and_no_more_than_its_rounding(
    size: tuple[int, int], fit: Fit
) -> None:
    rng = np.random.default_rng([*size, FITS.index(fit)])
    frame, whole = Frame(NUMPY, (96, 64), fit), NUMPY.vector(*size)
    tight = checked = 0
    for _ in range(40):
        placed = frame.seen(rect(some_crop(rng, size)), whole)
        output = smooth_output(rng, frame.shape)
        shown = paste(content(frame, output, placed), _roi(placed), size)
        exact = bounding_box(shown > np.float32(THRESHOLD))
        box, found = frame.box(output, placed, THRESHOLD)
        if exact is None:
            continue
        assert found
        difference = np.abs(np.subtract(_roi(box), exact))
        assert _roi(box).contains(exact), (box, exact)
        if min(_roi(placed).size) >= 8:  # photo pixels not much coarser than the network's
            tight += int(difference.max() <= 1)
            checked += 1
    assert tight >= 0.9 * checked
    assert checked > 8 or min(size) < 8


def test_without_object_there_is_no_box_and_margins_never_count() -> None:
    frame = Frame(NUMPY, (60, 60), "letterbox")
    placed = rect(Roi(10, 19, 0, 59))
    output = np.ones((60, 60), np.float32)
    output[25:35] = 0.2
    assert not frame.box(output, placed, THRESHOLD)[1]
    output[30, 17] = 0.495
    box, found = frame.box(output, placed, THRESHOLD)
    assert found
    assert _roi(box) == Roi(15, 15, 17, 17)


def exact_crop(zoom: ZoomIn, box: Roi, old: Roi | None, size: tuple[int, int]) -> Roi:
    wanted = zoom.expand(box, size)
    if old is not None and old.contains(box) and box_iou(wanted, old) >= zoom.recompute_iou:
        return old
    return wanted


def test_crops_are_those_of_the_published_rule_but_for_ties() -> None:
    rng, size = np.random.default_rng(3), (700, 900)
    zoom, differ, kept = ZoomIn(min_crop=20), 0, 0
    for _ in range(2000):
        box, old = some_crop(rng, size), some_crop(rng, size) if rng.random() < 0.7 else None
        if old is not None and rng.random() < 0.6:
            old = zoom.expand(box, size)
        clicks = [Click(*rng.uniform(0, size), bool(rng.random() < 0.3), k) for k in range(2)]
        grown = [box, *(Roi(int(c.row), int(c.row), int(c.column), int(c.column))
                        for c in clicks if c.positive)]  # fmt: skip
        union = Roi(*(f(r[i] for r in grown) for i, f in enumerate((min, max, min, max))))
        packed = np.float32(pack_clicks(clicks)[0])
        found = _roi(find_crop(NUMPY, zoom, rect(box), packed, rect(old), NUMPY.vector(*size)))
        exact = exact_crop(zoom, union, old, size)
        kept += found == old
        if found != exact:
            differ += 1
            assert np.abs(np.subtract(found, exact)).max() <= 1
    assert kept > 300
    assert differ < 0.02 * 2000


def test_the_average_is_that_of_logits() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.float32(1 / (1 + np.exp(-rng.normal(0, 6, (50, 40))))) for _ in range(2))
    first[0, 0], second[0, 0] = 0, 1
    outputs: list[dict[str, Any]] = [{"mask": each[None, None]} for each in (first, second)]
    outputs[1]["mask"] = outputs[1]["mask"][..., ::-1]
    difference = np.abs(average(NUMPY, first, second) - mean_probabilities(*outputs))
    ordinary = np.maximum(np.abs(first - 0.5), np.abs(second - 0.5)) < 0.4999
    assert ordinary.sum() > 500
    assert difference[ordinary].max() < 1e-6
    assert difference.max() < 0.05  # saturation at 2⁻²³ instead of 10⁻⁷
