"""What a run shows: curves and pictures in TensorBoard, validation, the best checkpoint."""

import json

import cv2
import numpy as np
import pytest
import torch

from ritm_edge.errors import OutputFileError
from ritm_edge.model.checkpoint import load_checkpoint
from ritm_edge.train import run as training_run
from ritm_edge.train.board import FOLDER, Board
from ritm_edge.train.loop import train
from ritm_edge.train.panels import GAP, NEGATIVE, POSITIVE, panel
from ritm_edge.train.run_log import LOG
from ritm_edge.train.state import BEST_CHECKPOINT, LAST_CHECKPOINT
from ritm_edge.train.validation import Validation

from .drawn_benchmark import BENCHMARK
from .photos import small_config


def events(folder):
    """The scalars {name: {step: value}} and pictures {name: {step: array}} of event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    scalars = {n: {e.step: e.value for e in reader.Scalars(n)} for n in reader.Tags()["scalars"]}
    pictures = {
        name: {
            event.step: cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), 1)
            for event in reader.Images(name)
        }
        for name in reader.Tags()["images"]
    }
    return scalars, pictures


# Four photos in batches of two: an epoch is 2 steps.
@pytest.mark.usefixtures("tiny_networks")
@pytest.mark.parametrize("every", [{"val_every": 1}, {"val_every": 0, "val_every_steps": 2}])
def test_a_run_with_validation_leaves_curves_pictures_and_the_best_weights(
    photos, tmp_path, monkeypatch, every
):
    scores = iter([12.0, 9.0, 11.0])
    models: list[dict[str, torch.Tensor]] = []

    def measured(model, benchmarks, team, *, samples, progress):
        assert (list(benchmarks), samples, team.size) == ([BENCHMARK], 3, 1)
        models.append({name: value.clone() for name, value in model.state_dict().items()})
        progress(1, 3)
        score = next(scores)
        return Validation({"Drawn": {"noc@80": score - 2, "noc@90": score}}, 1.0)

    monkeypatch.setattr(training_run, "validate", measured)
    config = small_config(
        steps=6, val_samples=3, image_every=3, ema_decay=0.5, warmup_steps=1, **every
    )
    seen = []
    options = {"workers": 0, "device": "cpu", "benchmarks": [BENCHMARK]}
    output = tmp_path / "run"
    train(
        config,
        data=photos,
        output=output,
        validation_progress=lambda **values: seen.append(values),
        **options,
    )

    told = [(v["step"], v["best"]) for v in seen if v["result"] is not None]
    assert told == [(2, True), (4, True), (6, False)]
    best = load_checkpoint(output / BEST_CHECKPOINT).state_dict()
    assert all(torch.equal(best[name], models[1][name]) for name in best)
    last = torch.load(output / LAST_CHECKPOINT, weights_only=True)
    assert last["training"]["best"] == [9.0, 4]
    assert not torch.equal(  # the averaged weights are validated, not those of the step
        last["state_dict"]["feature_extractor.conv1.weight"],
        models[2]["feature_extractor.conv1.weight"],
    )
    rows = [json.loads(line) for line in (output / LOG).read_text().splitlines()]
    validated = {row["step"]: row["validation"] for row in rows if "validation" in row}
    assert validated[4] == {"Drawn": {"noc@80": 7.0, "noc@90": 9.0}}
    assert rows[-2].keys() >= {"loss", "iou", "gradient_norm", "learning_rate", "data_wait"}

    scalars, pictures = events(output / FOLDER)
    assert scalars["validation/Drawn noc@90"] == {2: 12.0, 4: 9.0, 6: 11.0}
    assert scalars["train/loss"][6] == pytest.approx(rows[-2]["loss"], rel=1e-5)
    (name,) = pictures
    assert sorted(pictures[name]) == [3, 6]
    assert pictures[name][3].shape == (2 * 32 + GAP, 5 * 32 + 4 * GAP, 3)


def test_events_that_a_resumed_run_repeats_are_not_shown_twice(tmp_path):
    board = Board(tmp_path, done=0)
    for step in (1, 2, 3):
        board.scalars({"a": float(step)}, step=step)
    board.close()
    board = Board(tmp_path, done=1)
    board.scalars({"a": 20.0}, step=2)
    board.close()
    assert events(tmp_path)[0] == {"a": {1: 1.0, 2: 20.0}}


def test_a_board_that_cannot_be_written_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFileError, match="cannot write"):
        Board(tmp_path / "file" / FOLDER, done=0)


def test_a_panel_shows_photo_clicks_previous_mask_prediction_and_truth():
    image = torch.full((3, 3, 32, 32), 0.2)
    clicks = torch.full((3, 4, 3), -1.0)
    clicks[0, 0] = torch.tensor((8.0, 20.0, 100.0))
    clicks[0, 3] = torch.tensor((24.0, 6.0, 1.0))
    labels = torch.zeros((3, 1, 32, 32))
    labels[:, :, :16] = 1
    labels[:, :, 31] = -1
    prev_mask = torch.full((3, 1, 32, 32), 0.5)
    logits = torch.where(labels > 0, 20.0, -20.0)
    drawn = panel(image, clicks, prev_mask, logits, labels, samples=2)
    assert drawn.shape == (2 * 32 + GAP, 5 * 32 + 4 * GAP, 3)
    tiles = [drawn[:32, index * (32 + GAP) :][:, :32] for index in range(5)]
    assert (tiles[0] == 51).all()
    assert tuple(tiles[1][8, 20]) == POSITIVE
    assert tuple(tiles[1][24, 6]) == NEGATIVE
    assert (tiles[1][:4] == 51).all()
    assert (tiles[2] == 128).all()
    assert (tiles[3][:16] == 255).all()
    assert not tiles[3][16:].any()
    assert (tiles[4][:16] == 255).all()
    assert (tiles[4][31] == 128).all()
