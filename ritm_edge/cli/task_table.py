"""Shows how well an exported file of lower precision segments."""

from typing import TYPE_CHECKING

from ..tables import UNMEASURED
from .console import print_table

if TYPE_CHECKING:
    from ..verification.acceptance import TaskReport


def print_task_report(report: "TaskReport") -> None:
    """Mask IoU with float32 after some clicks, number of clicks on a benchmark, and the limit."""
    limits = report.tolerance
    decides = f"mean ≥ {limits.min_mask_iou}"
    name, clicks = "NoC20@90", UNMEASURED
    if report.noc is not None:
        noc = report.noc
        name = f"NoC{noc.max_clicks}@90 {noc.benchmark}"
        clicks = f"{noc.artifact:.2f} − {noc.reference:.2f} = {noc.increase:+.2f}"
        decides = f"NoC ≤ +{limits.max_noc_increase}"
    print_table(
        (
            "task",
            *(f"IoU with fp32 @{n}" for n in report.mask_iou),
            "lowest",
            name,
            "limit",
            "result",
        ),
        [
            (
                report.artifact,
                *(f"{value:.4f}" for value in report.mask_iou.values()),
                f"{report.lowest_iou:.4f}",
                clicks,
                decides,
                "ok" if report.passed else "FAILED",
            )
        ],
    )
