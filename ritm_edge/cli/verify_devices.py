"""`ritm-edge verify --emulate` and `--delegates`: what accelerators make of an artifact."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..verification.accelerators import KIND, emulation_table, engine_table
from .console import print_json, print_notice, print_table, progress_bar

if TYPE_CHECKING:
    from ..runtimes.base import Runtime
    from ..runtimes.pytorch import PytorchRuntime


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
    results = {
        "kind": KIND,
        "artifact": artifact.name,
        "modes": [each.as_dict() for each in reports],
    }
    if as_json:
        print_json(results)
    else:
        print_table(*emulation_table([results]))
    for each in reports:
        if each.first_loss and not as_json:
            print_notice(f"{each.mode}: the first to lose {max_loss:.0%} is {each.first_loss}.")
    for each in reports:
        each.require_passed(artifact.name)


def verify_delegates(artifact: Path, *, allow_changed: bool, as_json: bool) -> None:
    """Print which engines take which operations."""
    from ..verification.delegates import delegates

    found = [asdict(each) for each in delegates(artifact, allow_changed=allow_changed)]
    results = {"kind": KIND, "artifact": artifact.name, "delegates": found}
    if as_json:
        print_json(results)
        return
    print_table(*engine_table([results]))
    print_notice("Only names and a few rules are checked; a device may still refuse an operation.")
