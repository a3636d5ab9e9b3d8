"""`ritm-edge verify --emulate` and `--delegates`: what accelerators make of an artifact."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..tables import UNMEASURED
from .console import print_json, print_notice, print_table, progress_bar

if TYPE_CHECKING:
    from ..runtimes.base import Runtime
    from ..runtimes.pytorch import PytorchRuntime


KIND = "ritm-edge accelerators"


def _results(artifact: Path, **found: list[dict[str, Any]]) -> dict[str, Any]:
    """What `--json` prints and `report` reads."""
    return {"kind": KIND, "artifact": artifact.name, **found}


def verify_half_precision(
    artifact: Path,
    runtime: "Runtime",
    reference: "PytorchRuntime",
    *,
    kind: str,
    max_loss: float,
    objects: Path | None,
    as_json: bool,
) -> None:
    """Emulate every mode, print what each loses, and raise ParityError where one loses too much."""
    if kind != "fp16":
        raise UsageError(f"--emulate {kind} is not known: pass --emulate fp16.")
    from ritm_edge.export.half_precision import float_graph

    from ..artifacts.mlprogram.package import open_package
    from ..evaluation.labelled_photos import folder_objects, sample_objects
    from ..verification.half_graph import HalfMode
    from ..verification.half_precision import EmulatedDevice, EmulatedProgram, judge

    assert runtime.info is not None
    samples = folder_objects(objects, count=20) if objects else sample_objects()[:1]
    reports = []
    with progress_bar() as progress:
        bar = progress.add_task("emulation", total=None, status="graph")
        model = float_graph(reference, runtime.info)
        devices = [EmulatedDevice(model, runtime.spec, mode) for mode in HalfMode]
        if artifact.suffix == ".mlpackage":
            package = open_package(artifact, checked=False)
            devices.append(EmulatedProgram(package, runtime.spec))
        for device in devices:
            progress.update(bar, status=device.label)
            reports.append(judge(device, reference, samples, max_loss=max_loss))
    if as_json:
        print_json(_results(artifact, modes=[each.as_dict() for each in reports]))
    else:
        print_table(
            (
                "half precision",
                *(f"IoU with fp32 @{n}" for n in reports[0].mask_iou),
                "limit",
                "finite",
                f"first to lose {max_loss:.0%}",
                "result",
            ),
            [
                (
                    each.mode,
                    *(f"{value:.4f}" for value in each.mask_iou.values()),
                    str(each.min_mask_iou),
                    "yes" if each.finite else "NO",
                    UNMEASURED if each.first_loss is None else str(each.first_loss),
                    "ok" if each.passed else "FAILED",
                )
                for each in reports
            ],
        )
    for each in reports:
        each.require_passed(artifact.name)


def verify_delegates(artifact: Path, *, allow_changed: bool, as_json: bool) -> None:
    """Print which engines take which operations."""
    from ..verification.delegates import delegates

    found = delegates(artifact, allow_changed=allow_changed)
    if as_json:
        print_json(_results(artifact, delegates=[asdict(each) for each in found]))
        return
    print_table(
        ("engine", "operations", "partitions", "left out"),
        [
            (
                each.engine,
                f"{UNMEASURED if each.taken is None else each.taken}/{each.operations}",
                UNMEASURED if each.partitions is None else str(each.partitions),
                ", ".join(each.refused) or "none known",
            )
            for each in found
        ],
    )
    print_notice("Only names and a few rules are checked; a device may still refuse an operation.")
