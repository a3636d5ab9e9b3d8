"""The report of `ritm-edge bench train`; what it holds is measured in the training stage."""

from typing import Any

from .machine import describe_versions

KIND = "training speed"


def make_report(
    recipe: str, settings: dict[str, Any], speed: dict[str, Any], machine: dict[str, Any]
) -> dict[str, Any]:
    """Plain values that say what was measured, and where.

    Args:
        recipe: its name.
        settings: what decides the speed.
        speed: `TrainSpeed.as_dict()`.
        machine: `describe_machine()` from before the measurement.
    """
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
    step, data = (
        report["step_images_per_second"],
        report["data_images_per_second_per_process"],
    )
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
