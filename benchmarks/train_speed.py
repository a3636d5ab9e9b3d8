"""The report of `ritm-edge bench train`; what it holds is measured in the training stage."""

from collections.abc import Sequence
from typing import Any

from ritm_edge.tables import markdown_table

from .machine import describe_versions

KIND = "training speed"


def make_report(
    recipe: str, settings: dict[str, Any], speed: dict[str, Any], machine: dict[str, Any]
) -> dict[str, Any]:
    """Plain values that say what was measured, and where; `machine` is `describe_machine()` from
    before the measurement."""
    return {
        "kind": KIND,
        "recipe": recipe,
        "settings": settings,
        **speed,
        "machine": machine,
        "versions": describe_versions(),
    }


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured and its value, as text."""
    together = report["together"]
    step, data = (report["step_images_per_second"], report["data_images_per_second_per_process"])
    shares = report["share_of_step"]
    phases = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    found = [
        ("training step alone", f"{step:.2f} images/s"),
        ("loading alone, 1 process", f"{data:.1f} images/s"),
        ("ratio of loading to step", f"{report['data_to_step_ratio']:.1f}×"),
        (f"both, {together['workers']} loading", f"{together['images_per_second']:.2f} images/s"),
        ("waiting for data, both", f"{together['data_wait']:.1%}"),
        ("time of a step", phases),
    ]
    # Reports of earlier versions have neither.
    if "network_images_per_second" in report:
        share = f"{report['together_to_network_ratio']:.0%} of it"
        network = f"{report['network_images_per_second']:.2f} images/s; both: {share}"
        found.append(("the network alone", network))
    if report.get("plain_depthwise_step_ratio"):
        ratio = f"{report['plain_depthwise_step_ratio']:.2f}× the time of a step"
        found.append(("with plain depthwise gradients", ratio))
    return found


def table(reports: Sequence[dict[str, Any]]) -> str:
    """One row per report, in Markdown, and a note about the machine for every machine."""
    header = ["recipe", "crop", "batch", "network alone", "step", "with loading", "of the network"]
    header += reports[0]["share_of_step"]
    found = []
    for report in sorted(reports, key=lambda each: (each["recipe"], each["settings"]["crop"])):
        together = report["together"]["images_per_second"]
        rates = report["network_images_per_second"], report["step_images_per_second"], together
        cells = [report["recipe"], "×".join(map(str, report["settings"]["crop"]))]
        cells += [str(report["batch_size"]), *(f"{rate:.0f}" for rate in rates)]
        cells += [f"{report['together_to_network_ratio']:.2f}"]
        found.append(cells + [f"{share:.0%}" for share in report["share_of_step"].values()])
    machines = {
        f"{each['settings']['gpu']} and {each['machine']['usable_cores']} cores of "
        f"{each['machine']['cpu']}, {each['settings']['precision']}, "
        f"{each['together']['workers']} loading processes"
        for each in reports
    }
    return markdown_table(header, found) + f"\nImages per second. {'; '.join(sorted(machines))}.\n"


def note(report: dict[str, Any]) -> str:
    """One line about settings and machine."""
    settings, machine = report["settings"], report["machine"]
    threads = f"{settings['threads']} thread{'s' if settings['threads'] > 1 else ''}"
    gpu = f"{settings['gpu']}, " if settings.get("gpu") else ""
    crop = "×".join(map(str, settings["crop"]))
    return (
        f"{report['recipe']}: {settings['model']}, batches of {report['batch_size']}, {crop}, "
        f"{settings['precision']}, {threads}, {len(report['rounds'])} rounds; "
        f"{gpu}{machine['cpu']} ({machine['usable_cores']} cores), load "
        f"{machine['load_average_1min']} before the measurement."
    )
