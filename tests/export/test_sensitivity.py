"""The list of sensitive layers, measured on the small model."""

from ritm_edge.export import sensitivity
from ritm_edge.export.sensitivity import measure_sensitivity
from ritm_edge.io_spec import IOSpec

from ..runtimes import tiny_reference


def test_layers_are_listed_by_what_integers_do_to_them(monkeypatch):
    monkeypatch.setattr(sensitivity, "DEPTH", 2)  # whole stages instead of blocks
    told = []
    losses = measure_sensitivity(
        tiny_reference(),
        IOSpec(64, 64, max_clicks=4),
        progress=lambda done, total: told.append((done, total)),
    )
    layers = [loss.layer for loss in losses]
    assert len(set(layers)) == len(layers) >= 8
    assert {"feature_extractor.stage2", "feature_extractor.cls_head"} <= set(layers)
    errors = [loss.mean_abs for loss in losses]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0
    assert all(0 <= loss.mask_iou <= 1 for loss in losses)
    assert told[-1] == (len(losses), len(losses))
