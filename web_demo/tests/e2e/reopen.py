"""Reads files that the page saved with Pillow and pycocotools, and prints what is in them."""

import contextlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools.coco import COCO


def picture(path: str) -> dict[str, object]:
    """Size, mode and values of a picture of one channel, alpha of one with four."""
    with Image.open(path) as image:
        values = np.asarray(image)
        alpha = values[..., 3] if image.mode == "RGBA" else values
        return {"size": image.size, "mode": image.mode, "values": np.unique(alpha).tolist(),
                "share": float((alpha > 0).mean())}  # fmt: skip


def differing(first: str, second: str) -> dict[str, object]:
    """Share of pixels in which two masks differ; alpha counts of pictures with four channels."""
    with Image.open(first) as a, Image.open(second) as b:
        pair = [np.asarray(i)[..., 3] if i.mode == "RGBA" else np.asarray(i) for i in (a, b)]
    return {"share": float(((pair[0] > 0) != (pair[1] > 0)).mean())}


def coco(path: str, labels: str) -> dict[str, object]:
    """Names, kinds, and share of pixels in which each annotation differs from a label map."""
    with contextlib.redirect_stdout(sys.stderr):
        document = COCO(path)
    with Image.open(labels) as image:
        ids = np.asarray(image)
    found = [
        {
            "name": document.cats[each["category_id"]]["name"],
            "polygons": isinstance(each["segmentation"], list),
            "area": each["area"],
            "differing": float((document.annToMask(each).astype(bool) != (ids == number)).mean()),
        }
        for number, each in enumerate(document.loadAnns(document.getAnnIds()), start=1)
    ]
    return {"annotations": found}


def make(path: str, kind: str) -> dict[str, object]:
    """Files to open: a photo of 48 megapixels, a label map, half of a JPEG, a damaged model."""
    place = Path(path)
    if kind == "large":
        rows, columns = np.ogrid[0:6000, 0:8000]
        photo = np.full((6000, 8000, 3), (40, 90, 60), np.uint8)
        photo[(rows - 3000) ** 2 + (columns - 4000) ** 2 < 1500**2] = (230, 60, 40)
        Image.fromarray(photo).save(place)
    elif kind == "mask":
        values = np.zeros((512, 512), np.uint8)
        values[100:300, 150:350] = 3
        Image.fromarray(values).save(place)
    elif kind == "small-mask":
        Image.fromarray(np.full((20, 30), 255, np.uint8)).save(place)
    elif kind == "empty-mask":
        Image.fromarray(np.zeros((512, 512), np.uint8)).save(place)
    return {}


if __name__ == "__main__":
    command = {"picture": picture, "differing": differing, "coco": coco, "make": make}[sys.argv[1]]
    print(json.dumps(command(*sys.argv[2:])))
