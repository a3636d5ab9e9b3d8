"""RITM on EfficientNet-Lite: the same contract as the other networks, and phone-friendly layers."""

import re
import sys

import pytest
import torch
from torch import nn

from ritm_edge import build_model, load_checkpoint
from ritm_edge.errors import CheckpointError
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.model.layers import AbsoluteScale

from ..paths import SHARED

PROTOTYPE = SHARED / "prototypes" / "lite0"
# Parameter names of the experiment that this network was first tried in → ours.
RENAMED = (
    (r"maps_transform\.0\.", "maps_transform."),
    (r"maps_transform\.1\.", "feature_extractor.clicks.scale."),
    (r"maps_transform\.([234])\.dw", "feature_extractor.clicks.down.{-2}.0"),
    (r"maps_transform\.([234])\.pw", "feature_extractor.clicks.down.{-2}.1"),
    (r"maps_transform\.([567])\.", "feature_extractor.clicks.join.{-5}.0."),
    (r"maps_transform\.(8|9|10)\.", "feature_extractor.clicks.join.{-8}.1."),
    (r"feature_extractor\._conv_stem", "feature_extractor.stem.0"),
    (r"feature_extractor\._bn0", "feature_extractor.stem.1"),
    (r"feature_extractor\._blocks\.(\d+)\._expand_conv", "feature_extractor.blocks.{0}.expand.0"),
    (r"feature_extractor\._blocks\.(\d+)\._bn0", "feature_extractor.blocks.{0}.expand.1"),
    (r"feature_extractor\._blocks\.(\d+)\._depth\w+", "feature_extractor.blocks.{0}.depthwise.0"),
    (r"feature_extractor\._blocks\.(\d+)\._bn1", "feature_extractor.blocks.{0}.depthwise.1"),
    (r"feature_extractor\._blocks\.(\d+)\._project\w+", "feature_extractor.blocks.{0}.project.0"),
    (r"feature_extractor\._blocks\.(\d+)\._bn2", "feature_extractor.blocks.{0}.project.1"),
    (r"head\.b(\d+\.\d)\.dw", "feature_extractor.decoder.refine{}.depthwise.0"),
    (r"head\.b(\d+\.\d)\.bn1", "feature_extractor.decoder.refine{}.depthwise.1"),
    (r"head\.b(\d+\.\d)\.pw", "feature_extractor.decoder.refine{}.mix.0"),
    (r"head\.b(\d+\.\d)\.bn2", "feature_extractor.decoder.refine{}.mix.1"),
    (r"head\.lat(\d+)", "feature_extractor.decoder.lateral{}"),
    (r"head\.glob\.0", "feature_extractor.decoder.whole_photo.1"),
    (r"head\.red4", "feature_extractor.decoder.narrow"),
    (r"head\.logits", "feature_extractor.decoder.logits"),
    (r"head\.aux", "feature_extractor.decoder.aux_logits"),
)


def renamed(name: str) -> str:
    for pattern, template in RENAMED:
        match = re.match(pattern, name)
        if match is not None:
            shift = re.search(r"\{(-?\d+)\}", template)
            found = match.group(1) if match.groups() else ""
            if shift is not None:
                template = template.replace(shift.group(0), str(int(found) + int(shift.group(1))))
            return template.replace("{}", found) + name[match.end() :]
    raise AssertionError(name)


def inputs(height: int = 97, width: int = 130) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    clicks = torch.full((2, 4, 3), -1.0)
    clicks[:, 0] = torch.tensor((40.0, 60.0, 0.0))
    clicks[1, 2] = torch.tensor((10.0, 20.0, 1.0))
    image = torch.rand((2, 3, height, width), generator=generator)
    return image, clicks, torch.rand((2, 1, height, width), generator=generator)


@pytest.mark.skipif(not PROTOTYPE.is_dir(), reason="needs ../shared/prototypes/lite0")
@torch.no_grad()
def test_logits_are_those_of_the_experiment(monkeypatch):
    from safetensors.torch import load_file

    monkeypatch.setattr(sys, "path", [str(PROTOTYPE), *sys.path])
    from lite_model import LiteRitm

    state = load_file(PROTOTYPE / "lite0_ema_fp16.safetensors")
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    reference = LiteRitm().eval()
    reference.load_state_dict(state)
    model = build_model("lite0").eval()
    model.load_state_dict({renamed(name): value for name, value in state.items()})
    expected = reference(*inputs()).mask_logits
    assert expected.std() > 0.5
    torch.testing.assert_close(model(*inputs()).mask_logits, expected, atol=2e-5, rtol=1e-5)


def test_parameters_and_layers_suit_phones():
    model = build_model("lite0")
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 3.13
    kinds = {type(module) for module in model.modules() if not list(module.children())}
    assert kinds == {
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.ReLU6,
        nn.LeakyReLU,
        nn.AdaptiveAvgPool2d,
        nn.Identity,
        AbsoluteScale,
    }


@pytest.mark.parametrize("encoding", ["disk", "distance"])
@pytest.mark.parametrize("scheme", ["conv1s", "conv1e", "dmf"])
@torch.no_grad()
def test_every_input_matters_at_every_scheme(scheme, encoding):
    torch.manual_seed(0)
    model = build_model("lite0", input_scheme=scheme, encoding=encoding, radius=6).eval()
    image, clicks, prev_mask = inputs()
    first = model(image, clicks, prev_mask)
    assert first.mask_logits.shape == (2, 1, 97, 130)
    assert first.aux_logits is None
    for changed in (
        (1 - image, clicks, prev_mask),
        (image, clicks + 5, prev_mask),
        (image, clicks, 1 - prev_mask),
    ):
        assert not torch.equal(model(*changed).mask_logits, first.mask_logits)


def test_auxiliary_logits_guide_the_training_alone():
    model = build_model("lite0").train()
    output = model(*inputs(64, 96))
    assert output.aux_logits is not None
    assert output.aux_logits.shape == output.mask_logits.shape == (2, 1, 64, 96)


@pytest.mark.parametrize("arguments", [{}, {"input_scheme": "dmf"}, {"prev_mask": False}])
def test_checkpoints_keep_the_configuration(arguments, tmp_path):
    model = build_model("lite0", **arguments).eval()
    save_checkpoint(model, tmp_path / "m.pth")
    loaded = load_checkpoint(tmp_path / "m.pth", model="lite0")
    assert loaded.config == model.config
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in model.state_dict().items())


def test_an_unknown_size_is_refused(tmp_path):
    content = {
        "config": {
            "class": "ritm_edge.model.efficientnet_lite.LiteNetwork",
            "params": {"backbone": "lite9"},
        },
        "state_dict": {},
    }
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"EfficientNet-Lite 'lite9': only lite0"):
        load_checkpoint(tmp_path / "m.pth")
