"""Tiny data sets in the official layouts, made of `photos.shapes`."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .photos import shapes

HEIGHT, WIDTH = 72, 96


def scene(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Photo and label map: 1 a disk, 2 a box."""
    return shapes(seed, (HEIGHT, WIDTH))


def save_photo(path: Path, photo: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path, quality=95)


def save_pixels(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def polygon(mask: NDArray[Any]) -> list[float]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [float(v) for v in contours[0].ravel()]


def counts(mask: NDArray[Any]) -> list[int]:
    """Uncompressed run lengths, column by column, background first."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


def write_sbd(root: Path, names: dict[str, list[int]]) -> Path:
    """Lists (train, val) with the seeds of their photos."""
    from scipy.io import savemat

    for split, seeds in names.items():
        for seed in seeds:
            photo, labels = scene(seed)
            save_photo(root / "img" / f"2008_{seed:06}.jpg", photo)
            (root / "inst").mkdir(exist_ok=True)
            instances = np.zeros((1, 1), [("Segmentation", "O"), ("Boundaries", "O")])
            instances[0, 0]["Segmentation"] = labels
            instances[0, 0]["Boundaries"] = np.zeros((2, 1), object)
            savemat(root / "inst" / f"2008_{seed:06}.mat", {"GTinst": instances})
        (root / f"{split}.txt").write_text("".join(f"2008_{s:06}\n" for s in seeds))
    return root


def write_voc(root: Path, names: dict[str, list[int]]) -> Path:
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, seeds in names.items():
        for seed in seeds:
            photo, labels = scene(seed)
            save_photo(root / "JPEGImages" / f"2008_{seed:06}.jpg", photo)
            rim = cv2.dilate((labels > 0).astype(np.uint8), np.ones((3, 3))) > 0
            labels[rim & (labels == 0)] = 255
            image = Image.fromarray(labels, mode="P")
            image.putpalette([value for i in range(256) for value in (i, 255 - i, i // 2)])
            path = root / "SegmentationObject" / f"2008_{seed:06}.png"
            path.parent.mkdir(exist_ok=True)
            image.save(path)
        (lists / f"{split}.txt").write_text("".join(f"2008_{s:06}\n" for s in seeds))
    return root


def write_coco_instances(root: Path, seeds: list[int]) -> Path:
    """A polygon, a compressed-free run length, and a crowd per photo."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for seed in seeds:
        photo, labels = scene(seed)
        save_photo(root / "train2017" / f"{seed:012}.jpg", photo)
        images.append(
            {"id": seed, "file_name": f"{seed:012}.jpg", "height": HEIGHT, "width": WIDTH}
        )
        crowd = np.zeros_like(labels, bool)
        crowd[:6, :10] = True
        masks = [
            ([polygon(labels == 1)], 0),
            ({"size": [HEIGHT, WIDTH], "counts": counts(labels == 2)}, 0),
            ({"size": [HEIGHT, WIDTH], "counts": counts(crowd)}, 1),
        ]
        for segmentation, iscrowd in masks:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": seed,
                    "category_id": 1,
                    "iscrowd": iscrowd,
                    "segmentation": segmentation,
                }
            )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances_train2017.json").write_text(json.dumps(content))
    return root


def write_panoptic(root: Path, seeds: list[int], split: str = "train2017") -> Path:
    """Object ids as in `scene`, and the ground as stuff."""
    annotations = []
    for seed in seeds:
        photo, labels = scene(seed)
        save_photo(root / split / f"{seed:012}.jpg", photo)
        ids = np.array([70_000 + seed, 300 + seed, 5_000_000 + seed])[labels]
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
        save_pixels(root / "annotations" / f"panoptic_{split}" / f"{seed:012}.png", colours)
        segments = [
            {"id": 70_000 + seed, "category_id": 101, "iscrowd": 0},
            {"id": 300 + seed, "category_id": 1, "iscrowd": 0},
            {"id": 5_000_000 + seed, "category_id": 1, "iscrowd": 0},
        ]
        annotations.append({"file_name": f"{seed:012}.png", "segments_info": segments})
    categories = [{"id": 1, "isthing": 1}, {"id": 101, "isthing": 0}]
    content = {"annotations": annotations, "categories": categories}
    path = root / "annotations" / f"panoptic_{split}.json"
    path.write_text(json.dumps(content))
    return root


def write_lvis(folder: Path, photos: Path, seeds: list[int]) -> Path:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for seed in seeds:
        photo, labels = scene(seed)
        save_photo(photos / "train2017" / f"{seed:012}.jpg", photo)
        url = f"http://images.cocodataset.org/train2017/{seed:012}.jpg"
        images.append({"id": seed, "coco_url": url, "height": HEIGHT, "width": WIDTH})
        for label in (1, 2):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": seed,
                    "category_id": 3,
                    "segmentation": [polygon(labels == label)],
                }
            )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lvis_v1_train.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def write_ade20k(root: Path, seeds: list[int]) -> Path:
    """The disk is sky (stuff), the box a bed with one part."""
    folder = root / "images" / "training" / "b" / "bedroom"
    for seed in seeds:
        photo, labels = scene(seed)
        stem = f"ADE_train_{seed:08}"
        save_photo(folder / f"{stem}.jpg", photo)
        save_pixels(folder / f"{stem}_seg.png", np.dstack((labels * 10, labels + 7, labels)))
        part = ((labels == 2) & (np.arange(WIDTH) % 2 == 0)).astype(np.uint8)
        save_pixels(folder / f"{stem}_parts_1.png", np.dstack((part, part, part)))
        (folder / f"{stem}_atr.txt").write_text(
            '001 # 0 # 0 # sky # sky # ""\n002 # 0 # 1 # bed # bed # "made"\n'
            '001 # 1 # 0 # leg # leg # ""\n'
        )
    return root


def write_openimages(root: Path, seeds: list[int], *, folder: str = "train-masks") -> Path:
    """Masks of twice the photo's size, as some of the release are."""
    with_rows = []
    for seed in seeds:
        photo, labels = scene(seed)
        identity = f"{seed:016x}"
        save_photo(root / "train" / f"{identity}.jpg", photo)
        for label in (1, 2):
            name = f"{identity}_m0{label}.png"
            mask = np.kron((labels == label).astype(np.uint8) * 255, np.ones((2, 2), np.uint8))
            save_pixels(root / folder.format(identity[0]) / name, mask)
            with_rows.append({"MaskPath": name, "ImageID": identity, "LabelName": "/m/01"})
    path = root / "train-annotations-object-segmentation.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["MaskPath", "ImageID", "LabelName"])
        writer.writeheader()
        writer.writerows(with_rows)
    return root
