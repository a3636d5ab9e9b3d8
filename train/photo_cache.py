"""Photos that are decoded once, before a run, and kept (`data.cache`)."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ritm_edge.errors import InputFileError, TrainingError, UsageError, data_warnings

from .config import TrainConfig
from .datasets import Entry
from .scene import Scene

# A scene, or the reason why it cannot be used; and warnings.
Loaded = tuple[Scene | InputFileError, list[str]]
SHARE = 0.8  # of the free memory; the network needs some
ENOUGH = 64  # photos, at random, that tell how large all are


def load_scene(entry: Entry, rng: np.random.Generator) -> Loaded:
    """Load an entry; an error of the user's files is returned."""
    with data_warnings() as warnings:
        try:
            return entry.load(rng), warnings
        except InputFileError as error:
            return error, warnings


class _Scenes(Dataset[Loaded]):
    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def __getitem__(self, index: int) -> Loaded:
        return load_scene(self.entries[index], np.random.default_rng(0))


class PhotoCache:
    """All photos of a run, decoded, where `data.cache` says.

    Args:
        device: that makes the batches; None where the CPU does.
        workers: processes that decode; 0 decodes in this one.

    Attributes:
        scenes: by entry; None where nothing is kept.
        photos: by entry, uint8 [3, H, W] on the device, whose scenes then have no colours.

    Raises:
        UsageError: a photo has several annotations, or the device makes no batches.
        TrainingError: they do not fit into the memory.
    """

    def __init__(
        self, entries: list[Entry], config: TrainConfig, device: torch.device | None, workers: int
    ) -> None:
        self.scenes: list[Loaded] | None = None
        self.photos: dict[int, Tensor] = {}
        where = config.data.cache
        if where == "none":
            return
        if where == "device" and device is None:
            raise UsageError(
                "data.cache=device does nothing where the CPU makes the batches: choose memory, "
                "or set run.batches=device."
            )
        varies = next((entry.image for entry in entries if entry.varies), None)
        if varies:
            raise UsageError(
                f"data.cache={where} keeps one of several annotations of {varies}: choose none."
            )
        found: dict[int, Loaded] = {}
        order = np.random.default_rng(0).permutation(len(entries)).tolist()
        loader = DataLoader(_Scenes(entries), batch_size=None, sampler=order, num_workers=workers)
        used, free = 0, free_bytes(device if where == "device" else None)
        for place, (scene, warnings) in zip(order, loader, strict=True):
            if isinstance(scene, Scene):
                used += scene.photo.nbytes + (scene.layers.nbytes if where == "memory" else 0)
                needed = used / (len(found) + 1) * len(entries)
                if max(used, needed * (len(found) >= ENOUGH)) > SHARE * free:
                    raise TrainingError(
                        f"data.cache={where}: {len(entries)} decoded photos take about "
                        f"{needed / 2**30:.3g} GiB, more than {SHARE:.0%} of the "
                        f"{free / 2**30:.3g} GiB that are free: choose data.cache=none."
                    )
                if where == "device":
                    pixels = np.ascontiguousarray(scene.photo.transpose(2, 0, 1))
                    self.photos[place] = torch.from_numpy(pixels).to(device)
                    # Who chooses windows needs the size alone.
                    blank = np.broadcast_to(np.uint8(0), scene.photo.shape)
                    scene = replace(scene, photo=blank)
            found[place] = scene, warnings
        self.scenes = [found[place] for place in range(len(entries))]


def free_bytes(device: torch.device | None) -> float:
    """Free memory of a GPU or of the host; infinite where that cannot be told."""
    if device is not None and device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return 1024.0 * int(file.read().partition("MemAvailable:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return float("inf")
