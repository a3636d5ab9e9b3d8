import numpy as np
import pytest

from ritm_edge.clicks import Click
from ritm_edge.errors import UsageError
from ritm_edge.session.view import View, mirrored, paste
from ritm_edge.session.zoom_in import Roi, ZoomIn, bounding_box, box_iou, scaled_to, whole_image


def test_bounding_box_unites_mask_and_positive_clicks() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:8, 10:12] = True
    assert bounding_box(mask) == Roi(5, 7, 10, 11)
    clicks = [Click(2.9, 11), Click(6, 25.7), Click(19, 29, positive=False)]
    assert bounding_box(mask, clicks) == Roi(2, 7, 10, 25)
    assert bounding_box(np.zeros((20, 30), bool), clicks) is None


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        # 1.4 × 100 = 140 is below min_crop: 200 around the centre 249.5.
        (Roi(200, 299, 200, 299), Roi(150, 350, 150, 350)),
        # 1.4 × 201 around 100 ends at 240.7; the upper end is cut, not shifted.
        (Roi(0, 200, 300, 599), Roi(0, 241, 240, 599)),
        # Halves go to the even neighbour: centre 250, ends 150 and 350.
        (Roi(250, 250, 251, 252), Roi(150, 350, 152, 352)),
    ],
)
def test_expansion(box: Roi, expected: Roi) -> None:
    assert ZoomIn().expand(box, (450, 600)) == expected


def test_box_iou_is_the_product_of_the_axes() -> None:
    assert box_iou(Roi(0, 9, 0, 9), Roi(0, 9, 0, 9)) == 1
    assert box_iou(Roi(0, 9, 0, 9), Roi(5, 14, 0, 9)) == 5 / 15
    assert box_iou(Roi(0, 9, 0, 9), Roi(5, 14, 5, 14)) == (5 / 15) ** 2
    assert box_iou(Roi(0, 9, 0, 9), Roi(10, 12, 0, 9)) == 0


def test_sizes_round_half_to_even_and_are_never_empty() -> None:
    assert scaled_to((450, 600), 400) == (300, 400)
    assert scaled_to((1, 800), 400) == (1, 400)  # 0.5 → 0 → at least 1
    assert scaled_to((3, 16), 8) == (2, 8)  # 1.5 → 2
    assert scaled_to((5, 16), 8) == (2, 8)  # 2.5 → 2
    assert ZoomIn((10, 20)).crop_size(Roi(0, 99, 0, 9)) == (10, 20)


@pytest.mark.parametrize(
    "options", [{"target_size": 0}, {"target_size": (10, 0)}, {"expansion": 0}, {"min_crop": 0}]
)
def test_impossible_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="zoom-in"):
        ZoomIn(**options)  # type: ignore[arg-type]


def test_view_maps_clicks_by_pixel_count() -> None:
    view = View(Roi(10, 109, 20, 69), (400, 200))
    click = view.click(Click(60, 30, positive=False, order=3))
    assert click == Click(400 * 50 / 100, 200 * 10 / 50, positive=False, order=3)
    assert view.click(Click(0, 0)).row < 0
    assert mirrored(Click(5, 0.5), 200) == Click(5, 198.5)


def test_whole_native_view_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    view = View(whole_image((17, 23)), (17, 23))
    assert np.array_equal(view.cut(image), image)
    for position in range(17):
        assert view.click(Click(position, position)) == Click(position, position)


def test_paste_inverts_cut() -> None:
    rows, columns = np.mgrid[0:50, 0:60].astype(np.float32)
    plane = rows * 0.01 + columns * 0.005  # bilinear resizing keeps a plane
    roi = Roi(7, 30, 11, 47)
    back = paste(View(roi, (80, 90)).cut(plane), roi, (50, 60))
    assert np.allclose(back[roi.slices], plane[roi.slices], atol=1e-6)
    back[roi.slices] = 0
    assert back.max() == 0
