"""`ritm-edge data combine-coco-lvis`: the training set of the paper's main models."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option

from ..optional import require
from ..tables import UNMEASURED
from .console import counting, print_json, print_notice, print_table
from .options import AsJson

COLUMNS = {
    "photos": "photos",
    "objects": "objects",
    "from_coco": "from COCO",
    "from_lvis": "from LVIS",
    "stuff": "stuff",
    "dropped_coco": "COCO dropped",
    "dropped_lvis": "LVIS dropped",
    "broken": "broken",
}
PAPER = {"photos": "104k", "objects": "1.6M"}  # section 4.2


class RuleName(StrEnum):
    """Names of the rules; as in `train.coco_lvis.rule`."""

    PAPER = "paper"
    IMPLEMENTATION = "implementation"


def command(
    data: Annotated[Path, Option("--data-root", help="Folder with COCO 2017 and LVIS v1.")],
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Result folder; default: coco_lvis in --data-root."),
    ] = None,
    rule: Annotated[
        RuleName,
        Option(help="Overlap limit of the paper (IoU 0.80) or of the official code (0.70)."),
    ] = RuleName.PAPER,
    splits: Annotated[
        list[str] | None, Option("--split", help="train or val; default: both.")
    ] = None,
    workers: Annotated[int, Option(min=0, help="Worker processes; 0 works without any.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Join the masks of COCO and LVIS, dropping COCO masks of objects that LVIS has as well.

    Repeat the command to resume it. It needs COCO's panoptic annotations of train2017 and val2017
    (with instance annotations alone, the result has no stuff) and LVIS v1's train and val.

    Example: ritm-edge data combine-coco-lvis --data-root datasets --workers 8
    """
    require("pycocotools.mask", extra="train")
    from ritm_edge.train.coco_lvis.build import combine, known_splits
    from ritm_edge.train.coco_lvis.rule import RULES

    place = output or data / "coco_lvis"
    counts: dict[str, dict[str, int]] = {}
    for split in known_splits(splits):
        with counting(f"combine {split}", "reading annotations …") as progress:
            counts[split] = combine(
                split,
                coco=data,
                lvis=data,
                output=place,
                rule=RULES[rule.value],
                workers=workers,
                progress=progress,
            )
    counts["all"] = {name: sum(held[name] for held in counts.values()) for name in COLUMNS}
    if as_json:
        print_json({"rule": rule.value, "output": str(place), "counts": counts})
        return
    rows = [[split, *(str(held[name]) for name in COLUMNS)] for split, held in counts.items()]
    rows.append(["paper", *(PAPER.get(name, UNMEASURED) for name in COLUMNS)])
    print_table(["split", *COLUMNS.values()], rows)
    print_notice(f"next: ritm-edge train hrnet18s-cocolvis-iterm --data-root {data} --dry-run")
