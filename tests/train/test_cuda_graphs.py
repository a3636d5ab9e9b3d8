"""What a GPU repeats by itself is what the host would have launched."""

import pytest
import torch

from ritm_edge.model.ritm import build_model
from ritm_edge.train.cuda_graphs import CALLS_BEFORE, Repeated
from ritm_edge.train.distance import squared_depth
from ritm_edge.train.distributed import DistributedContext
from ritm_edge.train.recipes import load_recipe
from ritm_edge.train.settings import override
from ritm_edge.train.step import Trainer

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=on_gpu)]


def plan(seed, config):
    """A batch as the loading processes describe it: disks on noise, clicked in their middle."""
    random = torch.Generator().manual_seed(seed)
    size, (height, width) = config.data.batch_size, config.augmentation.crop
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.randint(height // 4, height // 2, (size, 2, 1, 1), generator=random)
    disk = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < (height // 5) ** 2
    slots = 2 * config.clicks.max_clicks
    places = torch.full((size, slots), -1)
    places[:, 0] = 3
    return {
        "photo": torch.tensor([[0, 0, 0, height, width]] * size),
        "size": torch.tensor([height, width]),
        "pixels": torch.randint(256, (size, 3, height, width), generator=random).byte(),
        "matrix": torch.eye(2, 3).repeat(size, 1, 1),
        "colour": torch.tensor([[1.0, 0, 0, 0, 0]] * size),
        "codes": 16 + disk.byte(),
        "places": places,
        "eroded": torch.zeros((size, 2), dtype=torch.bool),
        "chances": torch.rand((size, slots), generator=random, dtype=torch.float64),
    }


def trained(device, *, graphs, steps=12):
    """Values of each step of a short training, and the averaged weights after it."""
    settings = ["augmentation.crop=64x64", "data.batch_size=4", "run.batches=device"]
    settings += ["run.precision=fp32", f"run.cuda_graphs={graphs}"]
    config = override(load_recipe("lite0-phone"), settings)
    torch.manual_seed(1)
    model = build_model("lite0")
    trainer = Trainer(model, config, DistributedContext(0, 1, torch.device(device)))
    values = [
        trainer.step(plan(step, config), step=step, rate=1e-4 * (step + 1)).values.clone()
        for step in range(steps)
    ]
    state = trainer.state_dict()
    assert all(isinstance(group["lr"], float) for group in state["optimiser"]["param_groups"])
    return torch.stack(values).cpu(), trainer.shipped_model.state_dict()


@on_gpu
def test_a_training_with_graphs_is_one_without():
    values, weights = trained("cuda", graphs=True)
    expected, same = trained("cuda", graphs=False)
    # Sums of gradients have no fixed order on a GPU.
    torch.testing.assert_close(values, expected, rtol=0.02, atol=0.02)
    for name, value in weights.items():
        torch.testing.assert_close(value, same[name], rtol=0.02, atol=0.02, msg=name)


def test_the_setting_does_nothing_on_a_cpu():
    values, _ = trained("cpu", graphs=True, steps=3)
    assert torch.equal(values, trained("cpu", graphs=False, steps=3)[0])


@pytest.mark.parametrize("device", DEVICES)
def test_parts_see_the_tensors_of_each_call_and_keep_no_result(device):
    def double(values):
        values["twice"] = 2 * values["given"]

    def add(values):
        values["sum"] = values["twice"] + values["other"]

    pool = torch.cuda.graph_pool_handle() if device == "cuda" else None
    repeated = Repeated({"double": double, "add": add}, ("sum",), pool)
    told = []

    class Watch:
        def __init__(self, name):
            told.append(name)

        def __enter__(self):
            return None

        def __exit__(self, *_):
            return None

    results = []
    for call in range(CALLS_BEFORE + 3):
        given = {"given": torch.full((3,), call), "other": torch.ones(3, dtype=torch.long)}
        given = {name: value.to(device) for name, value in given.items()}
        results.append(repeated(given, Watch)["sum"])
    assert [result.tolist() for result in results] == [[2 * n + 1] * 3 for n in range(len(results))]
    assert told == ["double", "add"] * len(results)


@on_gpu
@pytest.mark.parametrize("size", [(1, 9), (37, 50), (320, 300)])
def test_distances_on_a_gpu_are_exact(size):
    regions = (torch.rand((3, *size), generator=torch.Generator().manual_seed(2)) > 0.99).byte()
    regions = torch.nn.functional.max_pool2d(regions[:, None].float(), 5, 1, 2)[:, 0].byte()
    assert torch.equal(squared_depth(regions.cuda()).cpu(), squared_depth(regions))
