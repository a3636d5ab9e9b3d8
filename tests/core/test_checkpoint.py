"""Checkpoints: the published form, strictness, and hostile files."""

import copy
import os
import pickle
from pathlib import Path

import pytest
import torch

from ritm_edge import build_model, load_checkpoint, save_checkpoint
from ritm_edge.errors import CheckpointError, InputFileError, OutputFileError, UsageError
from ritm_edge.files import checksum_file, sha256_of
from ritm_edge.model.checkpoint import DIGEST, save_safetensors
from ritm_edge.model.content_digest import content_digest
from ritm_edge.model.published_config import parse_config, published_config
from ritm_edge.weights import EMBEDDED_MODELS, checkpoint_path, default_checkpoint

from ..golden_files import CONFIGURATIONS, formula_model, load_json


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model("hrnet18s").eval()


def assert_same_weights(first, second):
    for (name, a), (other, b) in zip(
        first.state_dict().items(), second.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(a, b), name


def test_round_trip_in_the_published_form(model, tmp_path):
    path = tmp_path / "model.pth"
    save_checkpoint(model, path)
    content = torch.load(path, weights_only=True)
    assert content["config"]["class"] == "isegm.model.is_hrnet_model.HRNetModel"
    assert content["config"]["params"]["ocr_width"]["value"] == 48
    loaded = load_checkpoint(path)
    assert loaded.config == model.config
    assert not loaded.training
    assert_same_weights(model, loaded)


@pytest.mark.parametrize(
    "arguments",
    [
        {"input_scheme": "conv1e"},
        {"input_scheme": "dmf", "prev_mask": False},
        {"encoding": "distance", "radius": 260, "leaky_relu": False},
    ],
)
def test_every_configuration_survives_the_published_form(arguments, tmp_path):
    variant = build_model("hrnet18s", **arguments)
    save_checkpoint(variant, tmp_path / "v.pth")
    assert load_checkpoint(tmp_path / "v.pth").config == variant.config


@pytest.mark.parametrize(
    ("name", "channels"), [("deeplab_r34", None), ("deeplab_r50", None), ("deeplab_r50", 128)]
)
def test_a_deeplab_survives_the_published_form(name, channels, tmp_path):
    network = build_model(name, prev_mask=False, decoder_channels=channels)
    save_checkpoint(network, tmp_path / "v.pth")
    content = torch.load(tmp_path / "v.pth", weights_only=True)["config"]
    assert content["class"] == "isegm.model.is_deeplab_model.DeeplabModel"
    loaded = load_checkpoint(tmp_path / "v.pth", model=name)
    assert loaded.config == network.config
    assert_same_weights(network, loaded)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_published_constructor_arguments_are_recognised(configuration, tmp_path):
    golden = load_json("models.json")[configuration]
    published_class = {
        "hrnet": "isegm.model.is_hrnet_model.HRNetModel",
        "deeplab": "isegm.model.is_deeplab_model.DeeplabModel",
    }[golden["class"]]
    params = {name: {"type": "builtin", "value": v} for name, v in golden["kwargs"].items()}
    config = parse_config({"class": published_class, "params": params}, tmp_path)
    assert config == formula_model(configuration).config


def test_absent_arguments_have_the_published_defaults(tmp_path):
    config = parse_config(
        {"class": "isegm.model.is_deeplab_model.DeeplabModel", "params": {}}, tmp_path
    )
    assert (config.name, config.input_scheme, config.encoding) == ("deeplab_r50", "dmf", "distance")
    assert (config.radius, config.prev_mask, config.leaky_relu) == (260, False, False)


def test_a_checkpoint_written_by_the_published_code_loads(model, tmp_path):
    """Its config also has arguments that we do not use, and a class-valued one."""
    config = published_config(model.config)
    config["params"] |= {
        "norm_layer": {
            "type": "class",
            "value": "torch.nn.modules.batchnorm.BatchNorm2d",
            "specified": False,
        },
        "backbone_lr_mult": {"type": "builtin", "value": 0.1, "specified": False},
        "cpu_dist_maps": {"type": "builtin", "value": False, "specified": False},
        "clicks_groups": {"type": "builtin", "value": None, "specified": False},
    }
    path = tmp_path / "published.pth"
    torch.save({"state_dict": model.state_dict(), "config": config}, path)
    assert_same_weights(model, load_checkpoint(path, model="hrnet18s"))


def test_safetensors_hold_half_precision_and_load_as_float32(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_safetensors(model, path)
    assert path.stat().st_size < 9e6
    loaded = load_checkpoint(path)
    for name, value in loaded.state_dict().items():
        expected = model.state_dict()[name]
        assert value.dtype == expected.dtype
        assert torch.equal(
            value, expected.half().float() if value.is_floating_point() else expected
        )


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_the_embedded_weights_load_by_name(name):
    assert load_checkpoint(default_checkpoint(name)).config == build_model(name).config
    assert default_checkpoint(name).stat().st_size <= 9e6
    assert checkpoint_path(Path(name)) == default_checkpoint(name)


def test_what_no_name_means(tmp_path):
    assert default_checkpoint() == checkpoint_path(None) == default_checkpoint("hrnet18s")
    assert checkpoint_path(None, model="lite0") == default_checkpoint("lite0")
    assert checkpoint_path(tmp_path / "lite0.pth") == tmp_path / "lite0.pth"
    with pytest.raises(UsageError, match=r"hrnet32.*hrnet18s and lite0"):
        checkpoint_path(None, model="hrnet32")


def test_missing_and_unexpected_keys_are_named(model, tmp_path):
    state = dict(model.state_dict())
    state["stranger.weight"] = state.pop("feature_extractor.cls_head.bias")
    state["feature_extractor.cls_head.weight"] = torch.zeros(2, 2)
    path = tmp_path / "odd.pth"
    torch.save({"config": published_config(model.config), "state_dict": state}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert "1 missing (feature_extractor.cls_head.bias)" in text
    assert "1 unexpected (stranger.weight)" in text
    assert "feature_extractor.cls_head.weight [2, 2] instead of [1, 96, 1, 1]" in text


def test_a_checkpoint_of_another_model_is_refused(model, tmp_path):
    path = tmp_path / "model.pth"
    save_checkpoint(model, path)
    with pytest.raises(CheckpointError, match="holds hrnet18s, not hrnet32"):
        load_checkpoint(path, model="hrnet32")
    config = published_config(model.config)
    config["params"]["width"]["value"] = 48
    torch.save({"config": config, "state_dict": model.state_dict()}, path)
    with pytest.raises(CheckpointError, match="width 48"):
        load_checkpoint(path)
    config = published_config(build_model("deeplab_r34").config)
    config["params"]["backbone"]["value"] = "resnet101"
    torch.save({"config": config, "state_dict": model.state_dict()}, path)
    with pytest.raises(CheckpointError, match="DeepLabV3\\+ on 'resnet101' with 128"):
        load_checkpoint(path)
    config["class"] = "isegm.model.is_segformer_model.SegFormer"
    torch.save({"config": config, "state_dict": model.state_dict()}, path)
    with pytest.raises(CheckpointError, match="is_segformer_model"):
        load_checkpoint(path)


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_that_would_run_code_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    torch.save({"config": {}, "state_dict": RunsCode()}, path)
    with pytest.raises(CheckpointError, match="nothing was executed"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(RunsCode()))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -1000])
def test_truncated_files_give_one_sentence(model, tmp_path, suffix, keep):
    path = tmp_path / f"model{suffix}"
    (save_checkpoint if suffix == ".pth" else save_safetensors)(model, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [[1, 2], {"state_dict": {}}, {"config": {}, "state_dict": {"a": 1}}]
)
def test_other_contents_are_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputFileError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_checkpoint(tmp_path)


def test_a_failed_write_keeps_what_was_there(model, tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    path.write_text("precious")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OutputFileError, match="No space left"):
        save_checkpoint(model, path)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


SAVERS = {".pth": save_checkpoint, ".safetensors": save_safetensors}
each_format = pytest.mark.parametrize("suffix", SAVERS)


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@each_format
def test_a_flipped_bit_in_the_weights_is_found(model, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    SAVERS[suffix](model, path)
    content = path.read_bytes()
    stored = model.state_dict()["feature_extractor.cls_head.weight"]
    stored = stored if suffix == ".pth" else stored.half()
    bits = stored.numpy().tobytes()
    start = content.index(bits)
    for place in (start, start + len(bits) - 1):
        path.write_bytes(flipped(content, place))
        with pytest.raises(CheckpointError, match=r"changed after it was saved.*--allow-changed"):
            load_checkpoint(path)
        changed = load_checkpoint(path, allow_changed=True).state_dict()
        assert not torch.equal(changed["feature_extractor.cls_head.weight"], stored.float())


def test_weights_settings_and_names_that_somebody_changed_are_found(model, tmp_path):
    path = tmp_path / "model.pth"
    save_checkpoint(model, path)
    saved = torch.load(path, weights_only=True)
    head = "feature_extractor.cls_head.bias"
    for change in (
        lambda c: c["state_dict"].update({head: c["state_dict"][head] + 1}),
        lambda c: c["config"]["params"]["norm_radius"].update(value=7),
        lambda c: c.update(more=1),
    ):
        content = copy.deepcopy(saved)
        change(content)
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="changed after it was saved"):
            load_checkpoint(path)
        load_checkpoint(path, allow_changed=True)
        del content[DIGEST]  # as files that others wrote
        torch.save(content, path)
        load_checkpoint(path)


def test_the_digest_is_of_the_content_not_of_its_order_or_layout(model):
    state = model.state_dict()
    other = {name: state[name].clone() for name in reversed(state)}
    name = "feature_extractor.conv1.weight"
    other[name] = other[name].to(memory_format=torch.channels_last)
    assert content_digest({"a": state}) == content_digest({"a": other})
    other[name] = other[name].double()
    assert content_digest({"a": state}) != content_digest({"a": other})
    odd = {
        "half": torch.ones(2, dtype=torch.bfloat16),
        3: [None, (1.5, True)],
        "n": torch.tensor(7),
    }
    assert content_digest(odd) == content_digest(dict(reversed(odd.items())))
    assert content_digest(odd) != content_digest({**odd, 3: [None, (1.5, 1)]})


@each_format
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(model, tmp_path, suffix, value):
    for name in ("feature_extractor.cls_head.weight", "feature_extractor.bn1.running_var"):
        broken = copy.deepcopy(model)
        broken.state_dict()[name].view(-1)[-1] = value
        SAVERS[suffix](broken, tmp_path / f"model{suffix}")
        with pytest.raises(CheckpointError, match=f"NaN or infinity in {name}:"):
            load_checkpoint(tmp_path / f"model{suffix}", allow_changed=True)


def test_values_beyond_half_precision_are_kept(model, tmp_path):
    large = copy.deepcopy(model)
    name = "feature_extractor.bn1.running_var"
    large.state_dict()[name].fill_(1e6)
    save_safetensors(large, tmp_path / "m.safetensors")
    assert torch.equal(
        load_checkpoint(tmp_path / "m.safetensors").state_dict()[name], large.state_dict()[name]
    )


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm_mean_std", ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])),
        ("norm_mean_std", (MEAN, [0.229, 0.224, 0.226])),
        ("norm_mean_std", None),
        ("norm_mean_std", torch.tensor([MEAN, STD])),
        ("norm_layer", "torch.nn.modules.instancenorm.InstanceNorm2d"),
        ("image_mean", MEAN),
        ("use_disks", "False"),
        ("with_prev_mask", 2),
        ("norm_radius", "5"),
        ("norm_radius", float("nan")),
        ("norm_radius", True),
        ("clicks_groups", [[1, 2]]),
        ("binary_prev_mask", True),
        ("nonsense", 1),
    ],
)
def test_arguments_that_would_do_nothing_are_refused(model, tmp_path, name, value):
    config = published_config(model.config)
    config["params"][name] = {"type": "builtin", "value": value, "specified": True}
    with pytest.raises(CheckpointError, match=f"with {name}="):
        parse_config(config, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm_mean_std", (MEAN, STD)),
        ("norm_mean_std", [tuple(MEAN), tuple(STD)]),
        ("norm_layer", "torch.nn.modules.batchnorm.SyncBatchNorm"),
        ("with_aux_output", False),
        ("aspp_dropout", 0.3),
    ],
)
def test_arguments_that_change_no_mask_are_accepted(model, tmp_path, name, value):
    config = published_config(model.config)
    config["params"][name] = {"type": "builtin", "value": value, "specified": True}
    assert parse_config(config, tmp_path) == model.config


def test_a_pulled_checkpoint_is_checked_by_the_recorded_checksum(model, tmp_path):
    path = tmp_path / "published.pth"
    torch.save({"config": published_config(model.config), "state_dict": model.state_dict()}, path)
    note = checksum_file(path)
    note.write_text(f"{sha256_of(path)}  published.pth\n")
    load_checkpoint(path)
    content = path.read_bytes()
    path.write_bytes(flipped(content, len(content) // 2))
    with pytest.raises(CheckpointError, match="changed after it was saved"):
        load_checkpoint(path)
    load_checkpoint(path, allow_changed=True)
    path.write_bytes(content)
    note.write_text("damaged")
    with pytest.raises(CheckpointError, match="changed after it was saved"):
        load_checkpoint(path)
