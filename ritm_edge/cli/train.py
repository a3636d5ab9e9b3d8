"""`ritm-edge train`: photos with masks become a checkpoint and half-precision weights."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ..errors import UsageError
from ..optional import require
from .console import print_json, print_notice, print_table
from .options import DEFAULT_RECIPE, AllowChanged, Changes, open_data, refuse_idle
from .train_progress import TrainProgress

if TYPE_CHECKING:
    from ritm_edge.train.config import TrainConfig

INTERRUPTED = 130


def command(
    context: typer.Context,
    recipe: Annotated[
        str, Argument(help="Name of a recipe (see --list) or a .json file of settings.")
    ] = DEFAULT_RECIPE,
    data: Annotated[
        Path | None,
        Option(
            "--data-root", "--data", help="Folder with the recipe's data sets, in their layouts."
        ),
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", help="Folder for the checkpoint and the log.")
    ] = None,
    changes: Changes = None,
    as_implemented: Annotated[
        bool,
        Option("--as-implemented", help="Use schedule and sampling of the official code."),
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show settings, data and steps without training.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="--list or --dry-run in JSON.")] = False,
    steps: Annotated[int | None, Option(help="Optimiser steps of the whole run.")] = None,
    crop: Annotated[str | None, Option(help="Size of training crops, HxW pixels.")] = None,
    batch_size: Annotated[int | None, Option(help="Samples in each step.")] = None,
    lr: Annotated[float | None, Option(help="Peak learning rate.")] = None,
    seed: Annotated[int | None, Option(help="Seed of all random choices.")] = None,
    model: Annotated[str | None, Option(help="Network, for example deeplab_r34.")] = None,
    init: Annotated[
        Path | None,
        Option(
            metavar="FILE|NAME",
            help="Start from a checkpoint, from embedded weights (lite0 or hrnet18s), or from "
            "ImageNet weights of the backbone: a file, or 'imagenet' for those in a package.",
        ),
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Continue the run in --output, if there is one.")
    ] = False,
    allow_other_data: Annotated[
        bool, Option("--allow-other-data", help="Resume even if the training data changed.")
    ] = False,
    allow_changed: AllowChanged = False,
    threads: Annotated[int | None, Option(min=1, help="CPU threads of the network.")] = None,
    workers: Annotated[int, Option(min=0, help="Data-loading processes.")] = 1,
    save_every: Annotated[int, Option(min=1, help="Steps between checkpoints.")] = 200,
    val: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=DIR",
            help="Count clicks on this benchmark every run.val_every epochs; repeatable.",
        ),
    ] = None,
    tensorboard: Annotated[bool, Option(help="Write TensorBoard files.")] = True,
    list_recipes: Annotated[bool, Option("--list", help="List the recipes and exit.")] = False,
) -> None:
    """Train a model on photos with object masks.

    Ctrl-C saves a checkpoint and stops; the same command with --resume continues from there. On
    several GPUs or machines: torchrun --nproc-per-node=N $(which ritm-edge) train …

    Example: ritm-edge train --data photos --output runs/first --steps 2000
    """
    torch = require("torch", extra="train")
    require("pydantic", extra="train")
    if list_recipes:
        _print_recipes(as_json=as_json)
        return
    if data is None or (output is None and not dry_run):
        raise UsageError("pass --data-root and --output, or --list to see the recipes.")
    if not dry_run:
        refuse_idle(context, "without --list or --dry-run", "as_json")
    if not resume:
        refuse_idle(context, "without --resume", "allow_other_data")
    if not resume and init is None:
        refuse_idle(context, "without --init or --resume", "allow_changed")
    from ritm_edge.train.idle_settings import changed
    from ritm_edge.train.recipes import load_recipe, load_recipe_file

    shorthands = {
        "schedule.steps": steps,
        "augmentation.crop": crop,
        "data.batch_size": batch_size,
        "optimizer.lr": lr,
        "run.seed": seed,
        "model.name": model,
    }
    given = [f"{name}={value}" for name, value in shorthands.items() if value is not None]
    if recipe.endswith(".json"):
        if as_implemented:
            raise UsageError(f"--as-implemented does nothing for the file {recipe}: leave it out.")
        base = load_recipe_file(Path(recipe))
    else:
        base = load_recipe(recipe, as_implemented=as_implemented)
    missing = {
        "--tensorboard": "" if tensorboard else "run.image_every",
        "--val": "" if val else "run.val_every run.val_every_steps run.val_samples",
    }
    config = changed(base, [*given, *(changes or [])], missing)
    if val and not (config.run.val_every or config.run.val_every_steps):
        raise UsageError("--val does nothing with run.val_every=0: leave one of them out.")
    if dry_run or output is None:
        _print_plan(recipe, config, data, init, as_json=as_json, allow_changed=allow_changed)
        return
    from ritm_edge.train.loop import train
    from ritm_edge.train.state import WEIGHTS

    benchmarks = [open_data(text) for text in val or []]
    if threads is not None:
        torch.set_num_threads(threads)
    with _stop_on_signal() as stopped, TrainProgress() as progress:
        last = train(
            config,
            data=data,
            output=output,
            init=init,
            resume=resume,
            allow_other_data=allow_other_data,
            allow_changed=allow_changed,
            workers=workers,
            save_every=save_every,
            benchmarks=benchmarks,
            tensorboard=tensorboard,
            progress=progress,
            validation_progress=progress.validation,
            stop=stopped,
            notice=print_notice,
        )
    if os.environ.get("RANK", "0") != "0":
        return  # only the first process reports
    if stopped() and progress.step < progress.steps:
        print_notice(
            f"interrupted after step {progress.step} of {progress.steps}: {last} is saved, and the "
            f"weights are in {output / WEIGHTS}; repeat the command with --resume to continue."
        )
        raise typer.Exit(INTERRUPTED)
    print_notice(f"checkpoint {last}, half-precision weights {output / WEIGHTS}")
    print_notice(f"next: ritm-edge export --checkpoint {output / WEIGHTS} --target onnx")


def _print_recipes(*, as_json: bool) -> None:
    from ritm_edge.train.recipes import recipes

    found = {n: {"summary": each.summary} | _essence(each.config) for n, each in recipes().items()}
    if as_json:
        print_json(found)
        return
    (_, *columns), *_ = found.values()
    rows = [
        [n, *(held[column] for column in columns), held["summary"]] for n, held in found.items()
    ]
    print_table(["recipe", *columns, "what it is for"], rows)


def _essence(config: "TrainConfig") -> dict[str, str]:
    schedule = config.schedule
    length = f"{schedule.steps} steps" if schedule.steps else f"{schedule.epochs} epochs"
    return {
        "model": config.model.name,
        "data": "+".join(config.data.datasets),
        "crop": "x".join(map(str, config.augmentation.crop)),
        "batch": str(config.data.batch_size),
        "length": length,
        "lr": f"{config.optimizer.lr:g}",
    }


def _print_plan(
    recipe: str,
    config: "TrainConfig",
    data: Path,
    init: Path | None,
    *,
    as_json: bool,
    allow_changed: bool,
) -> None:
    from ritm_edge.train.datasets import find_entries
    from ritm_edge.train.schedule import run_length
    from ritm_edge.train.settings import as_dict, flatten
    from ritm_edge.train.start import new_model

    from ..errors import data_warnings

    settings = as_dict(config)
    model, origin = new_model(config, init, allow_changed=allow_changed)
    with data_warnings() as left_out:
        entries = find_entries(config.data.datasets, data)
    length = run_length(config, len(entries))
    counts = Counter(entry.set_name for entry in entries)
    run = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "photos": len(entries),
        "steps_per_epoch": length.steps_per_epoch,
        "steps": length.steps,
    }
    if as_json:
        data_found = {"data": counts, "left_out": left_out}
        print_json({"recipe": recipe, "settings": settings, **data_found, "init": origin, **run})
        return
    rows = [[name, str(value)] for name, value in flatten(settings).items()]
    print_table(["setting", "value"], rows, title=recipe)
    print_table(["data", "photos"], [[name, str(count)] for name, count in counts.items()])
    print_table(["run", "count"], [[name, str(count)] for name, count in run.items()])
    for text in (*left_out, origin):
        print_notice(text)


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C (or a scheduler's SIGTERM) has come.

    The second signal acts as usual, so that a hanging run can still be ended.
    """
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)
        restore()

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(received)
    finally:
        restore()
