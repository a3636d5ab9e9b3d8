"""`ritm-edge bench train`: images per second of training, and where the time goes."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ...optional import require
from ..console import counting, print_notice, print_table
from ..options import DEFAULT_RECIPE, AsJson, Changes, ReportFile, deliver

# Settings of a whole run, which do nothing in the few steps that are timed.
NOT_TIMED = (
    "schedule.kind schedule.warmup_steps schedule.milestones schedule.gamma "
    "schedule.final_fraction run.val_every run.val_every_steps run.val_samples run.image_every"
)


def command(
    recipe: Annotated[
        str, Argument(help="Name of a recipe; see ritm-edge train --list.")
    ] = DEFAULT_RECIPE,
    data: Annotated[
        Path, Option("--data-root", "--data", help="Folder with the recipe's data sets.")
    ] = Path("data"),
    changes: Changes = None,
    rounds: Annotated[int, Option(min=1, help="Rounds of loading and steps.")] = 6,
    steps: Annotated[int, Option(min=1, help="Optimiser steps in each round.")] = 2,
    threads: Annotated[int | None, Option(min=1, help="CPU threads of the network.")] = None,
    workers: Annotated[int, Option(min=0, help="Data-loading processes.")] = 1,
    plain_depthwise: Annotated[
        bool,
        Option(
            "--plain-depthwise",
            help="Also time the steps with PyTorch's own depthwise gradients (CPU only).",
        ),
    ] = False,
    output: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Time training steps and data loading, in turns and together.

    Example: ritm-edge bench train hrnet18s-larger-crops --data photos --threads 2
    """
    torch = require("torch", extra="train")
    require("pydantic", extra="train")
    from ritm_edge.benchmarks.machine import describe_machine
    from ritm_edge.benchmarks.train_speed import make_report, note, rows
    from ritm_edge.train.idle_settings import changed
    from ritm_edge.train.recipes import load_recipe
    from ritm_edge.train.speed import measure_speed

    config = changed(load_recipe(recipe), changes or [], {"a whole run": NOT_TIMED})
    machine = describe_machine()  # before the measurement, which is itself a load
    if threads is not None:
        torch.set_num_threads(threads)
    with counting("bench train") as progress:
        speed = measure_speed(
            config,
            data=data,
            rounds=rounds,
            steps=steps,
            workers=workers,
            plain_depthwise=plain_depthwise,
            progress=progress,
        )
    settings = {
        "model": config.model.name,
        "crop": list(config.augmentation.crop),
        "max_iterations": config.iterative.max_iterations,
        "precision": config.run.precision,
        "compile": config.run.compile,
        "batches": config.run.batches,
        "cache": config.data.cache,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
    }
    report = make_report(recipe, settings, speed.as_dict(), machine)
    if deliver(report, output, as_json):
        return
    print_table(["what", "measured"], rows(report))
    print_notice(note(report))
