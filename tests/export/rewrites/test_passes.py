"""Each rewrite alone, and all of them, are the baseline function; on the PyTorch modules."""

from copy import deepcopy

import pytest
import torch

from ritm_edge.errors import UsageError
from ritm_edge.export.registry import all_targets
from ritm_edge.export.rewrites import NAMES, rewrite
from ritm_edge.io_spec import IOSpec
from ritm_edge.model.export_graph import example_inputs
from ritm_edge.model.ritm import ModelConfig, RitmModel, build_model

from ...models import TINY, spread_outputs, tiny_model

ODD = IOSpec(75, 101, max_clicks=3)
EXACT = 1e-5


class Published(torch.nn.Module):
    """The network as published code calls it, for photos in 0…1."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image, clicks, prev_mask=None):
        return torch.sigmoid(self.model(image / 255.0, clicks, prev_mask).mask_logits)


def outputs(graph, spec, seeds=(3, 4), kind=torch.float32):
    graph = deepcopy(graph).to(kind)
    inputs = [example_inputs(spec, seed=seed) for seed in seeds]
    with torch.no_grad():
        return torch.stack([graph(**{k: v.to(kind) for k, v in each.items()}) for each in inputs])


def variant(**config):
    torch.manual_seed(0)
    model = RitmModel(ModelConfig("hrnet18s", **config), TINY).eval()
    spread_outputs(model)
    return model


# Some passes use what others leave behind; each must be right without them too.
SELECTIONS = [*((name,) for name in NAMES), NAMES, ()]


@pytest.mark.parametrize("names", SELECTIONS, ids=lambda names: "+".join(names) or "none")
@pytest.mark.parametrize("spec", [ODD, IOSpec(64, 96, max_clicks=1)], ids=["odd", "even"])
def test_a_selection_of_passes_keeps_the_output(names, spec):
    model = tiny_model()
    expected = outputs(Published(model), spec)
    assert expected.min() < 0.2 < 0.8 < expected.max()

    graph, applied = rewrite(model, spec, names)

    assert applied == names
    assert torch.allclose(outputs(graph, spec), expected, rtol=0, atol=EXACT)


def test_the_model_itself_is_not_changed():
    model = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rewrite(model, ODD)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("config", "declined"),
    [
        ({"input_scheme": "conv1e", "leaky_relu": False}, set()),
        ({"input_scheme": "dmf"}, set()),
        ({"encoding": "distance", "radius": 260}, {"windowed_disks"}),
        ({"encoding": "disk", "radius": 40}, {"windowed_disks"}),
        ({"prev_mask": False}, set()),
    ],
    ids=["conv1e", "dmf", "distance", "large disks", "no previous mask"],
)
def test_variants_of_the_model(config, declined):
    model = variant(**config)
    spec = IOSpec(ODD.height, ODD.width, ODD.max_clicks, prev_mask=model.config.prev_mask)
    graph, applied = rewrite(model, spec)
    assert set(NAMES) - set(applied) == declined
    # In float64, since what float32 arithmetic loses depends on the processor; but without a
    # previous mask the click maps stay float32.
    kind = torch.float64 if model.config.prev_mask else torch.float32
    expected = outputs(Published(model), spec, kind=kind)
    assert torch.allclose(outputs(graph, spec, kind=kind), expected, rtol=0, atol=EXACT)


def test_a_graph_of_any_size_keeps_what_needs_a_size():
    model = tiny_model()
    graph, applied = rewrite(model, IOSpec(max_clicks=3))
    assert set(NAMES) - set(applied) == {"commute_upsampling", "resize_by_matrices"}
    for spec in (ODD, IOSpec(64, 96, max_clicks=3)):
        expected = outputs(Published(model), spec)
        assert torch.allclose(outputs(graph, spec), expected, rtol=0, atol=EXACT)


def test_another_network_is_rewritten_where_it_has_the_same_parts():
    model = build_model("deeplab_r34").eval()
    graph, applied = rewrite(model, ODD)
    assert applied == ("fold_batch_norm", "fold_scales", "windowed_disks", "two_stage_means")
    expected = outputs(Published(model), ODD, seeds=(3,))
    assert torch.allclose(outputs(graph, ODD, seeds=(3,)), expected, rtol=0, atol=EXACT)


def test_the_border_of_the_photo_stays_exact():
    """A mean colour folded into a bias would show along the edges of a bright photo."""
    model = tiny_model()
    graph, _ = rewrite(model, ODD, ("fold_scales",))
    inputs = example_inputs(ODD)
    inputs["image"] = torch.full_like(inputs["image"], 255.0)
    with torch.no_grad():
        expected, actual = Published(model)(**inputs), graph(**inputs)
    error = (expected - actual).abs()[0, 0]
    border = torch.cat((error[0], error[-1], error[:, 0], error[:, -1]))
    assert border.max() < EXACT


def test_only_known_passes_are_named():
    with pytest.raises(UsageError, match="unknown rewrite 'faster': choose from fold_batch_norm"):
        rewrite(tiny_model(), ODD, ("faster",))
    for target in all_targets():
        assert set(target.rewrites) <= set(NAMES)
