"""The BRS family against the published predictors, and what refuses it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ritm_edge import build_model, default_checkpoint
from ritm_edge.clicks import Click
from ritm_edge.errors import RitmEdgeError, UsageError
from ritm_edge.evaluation.metrics import iou
from ritm_edge.evaluation.simulator import next_click
from ritm_edge.methods.base import REFINING
from ritm_edge.methods.brs import BrsProtocol
from ritm_edge.methods.refinement import (
    Refinement,
    RefinementSettings,
    click_loss,
    click_squares,
)
from ritm_edge.runtimes.base import open_runtime
from ritm_edge.runtimes.pytorch import PytorchRuntime
from ritm_edge.session.interactive import InteractiveSession
from ritm_edge.session.zoom_in import ZoomIn

from ..golden_files import load_arrays, load_json, read_arrays
from ..golden_weights import fill_state
from ..models import tiny_model
from ..paths import WHOLE_GOLDEN
from .blob_runtime import BlobRuntime

UNIT, ARRAYS = load_json("brs/unit.json"), load_arrays("brs/unit.npz")
RUNS = WHOLE_GOLDEN / "brs/brs.json"


@pytest.mark.parametrize("name", UNIT["loss"])
def test_loss_and_gradient_are_the_published_ones(name):
    expected = UNIT["loss"][name]
    probability, positive, negative = (
        torch.from_numpy(ARRAYS[f"loss/{name}/{key}"]) for key in ("prob", "pos", "neg")
    )
    probability.requires_grad_()
    loss, worst_positive, worst_negative = click_loss(probability, positive, negative)
    loss.backward()
    assert float(loss) == pytest.approx(expected["loss"], rel=1e-6)
    assert worst_positive == pytest.approx(expected["max_pos"])
    assert worst_negative == pytest.approx(expected["max_neg"])
    assert probability.grad is not None
    assert np.allclose(probability.grad.numpy(), ARRAYS[f"loss/{name}/grad"], atol=1e-7)


@pytest.mark.parametrize("name", UNIT["squares"])
@pytest.mark.parametrize("positive", [True, False])
def test_squares_are_sliced_as_published(name, positive):
    expected = UNIT["squares"][name]
    height, width = expected["shape"]
    click = Click(*expected["click"], positive=positive)
    maps = click_squares([click], (height, width), flip=True)
    other = maps[1 if positive else 0]
    assert not other.any()
    for found, pixels, place in zip(
        maps[0 if positive else 1], expected["px"], expected["rows_cols"], strict=True
    ):
        rows, columns = np.nonzero(found[0].numpy())
        assert len(rows) == pixels
        if place is not None:
            assert [rows.min(), rows.max(), columns.min(), columns.max()] == place


def toy(name: str) -> tuple[Refinement, NDArray[np.float64]]:
    expected = UNIT["toy"][name]
    squares = [torch.from_numpy(ARRAYS[f"toy/{sign}"]) for sign in ("pos", "neg")]
    stall = expected["params"].get("min_iou_diff", 0.01)
    settings = RefinementSettings(stall=stall, evaluations=expected["params"]["maxfun"])
    if expected["kind"] == "sb":
        features, weights = (torch.from_numpy(ARRAYS[f"toy/{k}"]) for k in ("feats", "wgt"))

        def logits_of(x):
            scale, bias = x.view(2, 1, 6, 1, 1)
            changed = (1 + scale) * features + bias
            return 1.5 * (weights.view(1, 6, 1, 1) * changed).sum(1, keepdim=True)

        def penalty(x):
            return (x[:6] ** 2).sum() + 10 * (x[6:] ** 2).sum()

        count = 12
    else:
        base = torch.from_numpy(ARRAYS["toy/base"])
        both, mix = torch.cat((base, base.flip(3))), torch.tensor([1, 0.7, -0.4]).view(1, 3, 1, 1)

        def logits_of(x):
            added = x.view(1, 3, 20, 28)
            changed = both + torch.cat((added, added.flip(3)))
            return (mix * torch.nn.functional.avg_pool2d(changed, 3, 1, 1)).sum(1, keepdim=True)

        def penalty(x):
            return 2 * (x * x).sum()

        count = 1680
    start = ARRAYS[f"toy/{name}/x0"]
    refinement = Refinement(logits_of, penalty, *squares, settings)
    return refinement, start if start.size else np.zeros(count)


@pytest.mark.parametrize("name", [n for n in UNIT["toy"] if n != "input_avg"])  # nobody sets it
def test_the_optimisation_is_the_published_one(name):
    expected = UNIT["toy"][name]
    refinement, start = toy(name)
    found = refinement.minimise(start)
    losses = [row[0] for row in expected["evals"]]
    if name == "input_nodiffstop":  # ends in float32 noise
        assert np.allclose(refinement.losses[:6], losses[:6], atol=1e-5)
        assert min(refinement.losses) == pytest.approx(expected["best_loss"], abs=1e-5)
        return
    assert np.allclose(refinement.losses, losses, atol=1e-5)
    assert int(np.argmin(refinement.losses)) == expected["best_eval"]
    assert np.allclose(found, ARRAYS[f"toy/{name}/x"], atol=1e-5)
    assert refinement.best_logits is not None
    assert np.allclose(refinement.best_logits, ARRAYS[f"toy/{name}/best_logits"], atol=1e-4)


@pytest.fixture(scope="module")
def deeplab() -> PytorchRuntime:
    """As the golden runs have it."""
    model = build_model("deeplab_r34", prev_mask=False).eval()
    state = fill_state({key: tuple(value.shape) for key, value in model.state_dict().items()})
    model.load_state_dict({key: torch.from_numpy(np.asarray(v)) for key, v in state.items()})
    return PytorchRuntime(model, default_checkpoint())


whole = pytest.mark.skipif(not RUNS.exists(), reason="the golden runs show photographs: not here")


@whole
@pytest.mark.parametrize("method", ["f-BRS-A", "f-BRS-B", "f-BRS-C", "RGB-BRS", "DistMap-BRS"])
def test_the_first_gradient_is_the_published_one(method, deeplab, monkeypatch):
    photo = "GrabCut/fullmoon.bmp"
    arrays, runs = read_arrays(RUNS.with_suffix(".npz")), load_json("brs/brs.json")
    expected = runs["grad0"][f"{photo}|r34|{method}"]
    seen: list[tuple[float, NDArray[np.float64]]] = []

    def stop(self, start):
        seen.append(self.loss_and_gradient(start))
        return start

    monkeypatch.setattr(Refinement, "minimise", stop)
    session = InteractiveSession(
        deeplab, protocol=BrsProtocol(method.lower(), deeplab), zoom_in=None
    )
    session.set_image(arrays[f"{photo}/image"])
    for click in runs["runs"][f"{photo}|r34|{method}|full"]["clicks"][:2]:
        row, column, positive = click["click"]
        session.click(row, column, positive=bool(positive))
    ((loss, gradient),) = seen
    assert loss == pytest.approx(expected["loss"], abs=3e-5)
    assert gradient.size == expected["n"]
    stored = arrays.get(f"grad0/{photo}|r34|{method}")
    if stored is not None:
        assert np.linalg.norm(gradient - stored) <= 1e-3 * np.linalg.norm(stored)
    else:
        lengths = np.linalg.norm(gradient.reshape(len(expected["channel_l2"]), -1), axis=1)
        assert lengths == pytest.approx(expected["channel_l2"], rel=3e-2)


@whole
@pytest.mark.parametrize("method", ["f-BRS-B", "f-BRS-C"])
def test_a_session_is_the_published_one_as_long_as_that_is_stable(method, deeplab):
    photo = "GrabCut/fullmoon.bmp"
    arrays, runs = read_arrays(RUNS.with_suffix(".npz")), load_json("brs/brs.json")
    run = runs["runs"][f"{photo}|r34|{method}|full"]
    session = InteractiveSession(
        deeplab, protocol=BrsProtocol(method.lower(), deeplab), zoom_in=None
    )
    session.set_image(arrays[f"{photo}/image"])
    truth = arrays[f"{photo}/gt"].astype(np.int32)
    clicked: set[tuple[int, int]] = set()
    for expected in run["clicks"][: run["stable_clicks"]]:
        click = next_click(truth, session.mask, clicked, order=len(clicked))
        assert [click.row, click.column, click.positive] == expected["click"]
        clicked.add((int(click.row), int(click.column)))
        mask = session.click(click.row, click.column, positive=click.positive)
        assert iou(truth, mask) == pytest.approx(expected["iou"], abs=1e-3)


@pytest.mark.parametrize("method", REFINING)
@pytest.mark.parametrize("scheme", ["conv1s", "conv1e", "dmf"])
@pytest.mark.parametrize(("prev_mask", "flip"), [(True, True), (False, False)])
def test_every_method_refines_every_input_scheme(method, scheme, prev_mask, flip):
    model = tiny_model(input_scheme=scheme, prev_mask=prev_mask)
    runtime = PytorchRuntime(model, default_checkpoint())
    session = InteractiveSession(
        runtime,
        protocol=BrsProtocol(method, runtime),
        zoom_in=ZoomIn(64, min_crop=20),
        flip=flip,
        click_limit=2,
    )
    photo = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    session.set_image(photo)
    for row, column, positive in ((30, 40, True), (10, 70, False), (50, 20, False), (31, 45, True)):
        mask = session.click(row, column, positive=positive)
        assert mask.shape == (60, 80)
        assert np.isfinite(session.probabilities).all()
    before = session.probabilities
    session.undo()
    again = session.click(31, 45)
    assert np.array_equal(again, mask)
    assert np.allclose(session.probabilities, before, atol=1e-6)


@pytest.mark.parametrize("method", REFINING)
def test_an_exported_file_is_refused(method):
    with pytest.raises(UsageError, match="needs gradients, which no exported graph computes"):
        BrsProtocol(method, BlobRuntime())


def test_unknown_methods_and_networks_without_a_place_are_refused():
    runtime = open_runtime(default_checkpoint("lite0"))
    with pytest.raises(UsageError, match="unknown method 'brs'"):
        BrsProtocol("brs", runtime)
    with pytest.raises(UsageError, match="no place in lite0: take rgb-brs or distmap-brs"):
        BrsProtocol("f-brs-b", runtime)
    assert BrsProtocol("rgb-brs", runtime).click_limit == 5


def test_a_loss_that_is_not_finite_is_one_sentence():
    nothing = torch.zeros(1, 1, 4, 4)
    squares = torch.ones(1, 1, 4, 4)
    broken = Refinement(lambda x: nothing * x * float("nan"), lambda x: x.sum(), squares, nothing)
    with pytest.raises(RitmEdgeError, match="loss of a refinement is nan"):
        broken.minimise(np.zeros(1))
