"""The published evaluator, click by click, on photos."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ritm_edge.evaluation.loop import EvaluationSettings, evaluate_sample
from ritm_edge.io_spec import CLICKS
from ritm_edge.session.interactive import InteractiveSession

from ..golden_files import load_arrays, load_json
from ..paths import requires_whole_golden
from .golden_session import (
    CONFIGS,
    IMAGES,
    FakeNetRuntime,
    FormulaRuntime,
    GoldenSample,
    LogitlessRuntime,
)

pytestmark = requires_whole_golden


def compare(
    runtime: Any, run: str, *, image: str, config: str, net: str, clicks: int = 8
) -> dict[str, float]:
    """Replay the first clicks of a golden run; clicks, crops and network inputs must be equal.

    Returns:
        Largest differences seen: probabilities (float16 storage) and pixels of the masks.
    """
    record = load_json("predictor.json")["runs"][run]["clicks"]
    arrays = load_arrays("predictor.npz")
    sample = GoldenSample(image)
    truth_shape = sample.load()[1].shape
    stride = 8 if net == "fake" else 4
    masks = None
    if f"{run}/masks" in arrays:
        bits = np.unpackbits(arrays[f"{run}/masks"])
        masks = bits[: len(record) * truth_shape[0] * truth_shape[1]].reshape(-1, *truth_shape)
    worst = {"probability": 0.0, "mask_pixels": 0.0, "iou": 0.0}

    def observe(session: InteractiveSession, iou: float) -> None:
        step = len(session.clicks) - 1
        expected = record[step]
        click = session.clicks[step]
        assert [click.row, click.column, click.positive] == expected["click"], (run, step)
        assert click.order == expected["indx"]
        roi = session.zoom_roi
        assert (None if roi is None else list(roi)) == expected["roi"], (run, step)
        points = np.array(expected["points"], np.float64)
        for call, wanted in zip(runtime.calls[-len(points) :], points, strict=True):
            assert np.array_equal(call[CLICKS][0], wanted), (run, step)
            assert list(call["image"].shape[2:]) == expected["net_shape"][2:]
        assert len(runtime.calls) == expected["calls"] * len(points), (run, step)
        mean = float(runtime.calls[-len(points)]["prev_mask"].mean(dtype=np.float64))
        assert mean == pytest.approx(expected["prev_in_mean"], abs=1e-5), (run, step)
        runtime.calls.clear()
        # A pixel within float32 noise of the threshold may fall on either side.
        allowed = expected["near_thr_1e-5"]
        area = abs(int(session.mask.sum()) - expected["pred_area"])
        assert area <= allowed, (run, step)
        if masks is not None:
            different = int((session.mask != masks[step]).sum())
            assert different <= allowed, (run, step)
            worst["mask_pixels"] = max(worst["mask_pixels"], different)
        worst["iou"] = max(worst["iou"], abs(iou - expected["iou"]))
        if f"{run}/prob{step + 1}" in arrays:
            wanted_probability = arrays[f"{run}/prob{step + 1}"].astype(np.float32)
            got = session.probabilities[::stride, ::stride]
            worst["probability"] = max(
                worst["probability"], float(np.abs(got - wanted_probability).max())
            )

    settings = replace(EvaluationSettings(max_clicks=clicks), **CONFIGS[config])
    result = evaluate_sample(runtime, sample, settings, observe=observe)
    assert len(result.clicks) == clicks
    assert worst["probability"] < 1e-3
    return worst


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("image", IMAGES)
def test_analytic_network_is_reproduced(image: str, config: str) -> None:
    worst = compare(
        FakeNetRuntime(), f"{image}/fake/{config}", image=image, config=config, net="fake"
    )
    assert worst["mask_pixels"] == 0
    assert worst["iou"] == 0


@pytest.mark.parametrize("config", ["cvpr", "skip0"])
def test_probabilities_alone_reproduce_the_run(config: str) -> None:
    """Artifacts return no logits: the flip average must come out the same from probabilities."""
    runtime = LogitlessRuntime(FakeNetRuntime())
    run = f"Berkeley/12003.jpg/fake/{config}"
    compare(runtime, run, image="Berkeley/12003.jpg", config=config, net="fake")


@pytest.mark.parametrize(("config", "clicks"), [("cvpr", 8), ("fixed400", 4), ("nozoom_noflip", 4)])
def test_hrnet18s_is_reproduced(config: str, clicks: int) -> None:
    image = "Berkeley/12003.jpg"
    run = f"{image}/h18s/{config}"
    worst = compare(FormulaRuntime(), run, image=image, config=config, net="h18s", clicks=clicks)
    assert worst["iou"] < 1e-4
