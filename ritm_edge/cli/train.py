"""`ritm-edge train`: photos with masks become a checkpoint and half-precision weights."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..optional import require
from .console import print_notice, print_table, progress_bar, stderr
from .options import parse_size

if TYPE_CHECKING:
    from ..train.config import TrainConfig

DEFAULT_RECIPE = "hrnet18s_small_crops"
INTERRUPTED = 130
SMOOTHING = 0.95
STEPS_PER_LINE = 20


def command(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with SET/images/NAME.jpg and SET/masks/NAME.png (object ids)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the checkpoint and the log.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Named settings; see --list.")] = DEFAULT_RECIPE,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of the whole run.")] = None,
    crop: Annotated[str | None, typer.Option(help="Size of training crops, HxW pixels.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples per step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate of Adam.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides data, augmentation, clicks.")] = None,
    model: Annotated[str | None, typer.Option(help="hrnet18s, hrnet18 or hrnet32.")] = None,
    init: Annotated[
        Path | None, typer.Option(help="Checkpoint whose weights are the start.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --output, if there is one.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the network.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Data-loading processes.")] = 1,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 200,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="List the recipes and exit.")
    ] = False,
) -> None:
    """Train a model on photos with object masks.

    Ctrl-C saves a checkpoint and stops; the same command with --resume goes on from there.

    Example: ritm-edge train --data photos --output runs/first --steps 2000
    """
    if list_recipes:
        _print_recipes()
        return
    if data is None or output is None:
        raise UsageError("pass --data and --output, or --list to see the recipes.")
    torch = require("torch", extra="torch")
    from ..train.loop import train
    from ..train.recipes import load_recipe
    from ..train.state import WEIGHTS

    config = _override(
        load_recipe(recipe),
        steps=steps,
        crop=None if crop is None else parse_size(crop),
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        model=model,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    with _stop_on_signal() as stopped, _ProgressLine(config.steps) as progress:
        last = train(
            config,
            data=data,
            output=output,
            init=init,
            resume=resume,
            workers=workers,
            save_every=save_every,
            progress=progress,
            stop=stopped,
        )
    if stopped() and progress.step < config.steps:
        print_notice(
            f"interrupted after step {progress.step} of {config.steps}: {last} is saved; "
            "repeat the command with --resume to go on."
        )
        raise typer.Exit(INTERRUPTED)
    print_notice(f"checkpoint {last}, half-precision weights {output / WEIGHTS}")
    print_notice(f"next: ritm-edge export --checkpoint {output / WEIGHTS} --target onnx")


def _override(config: "TrainConfig", **options: object) -> "TrainConfig":
    given = {name: value for name, value in options.items() if value is not None}
    return replace(config, **given)


def _print_recipes() -> None:
    from ..train.recipes import load_recipe, recipe_names, recipe_summary

    rows = []
    for name in recipe_names():
        config = load_recipe(name)
        crop = f"{config.crop[0]}x{config.crop[1]}"
        values = (config.model, crop, config.batch_size, config.steps, config.learning_rate)
        rows.append([name, *map(str, values), recipe_summary(name)])
    print_table(["recipe", "model", "crop", "batch", "steps", "lr", "what it is for"], rows)


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


class _ProgressLine:
    """A progress bar with smoothed loss and IoU; plain lines where stderr is no terminal."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.step = steps  # stays where a finished run is resumed: no step follows
        self._means: list[float] = []
        self._terminal = stderr().is_terminal
        self._bar = progress_bar()
        self._task = self._bar.add_task("train", total=steps, start=False, status="first batch …")

    def __enter__(self) -> "_ProgressLine":
        if self._terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._bar.stop()

    def __call__(self, *, step: int, loss: float, iou: float, samples_per_second: float) -> None:
        values = (loss, iou, samples_per_second)
        if not self._means:
            self._means = list(values)
            # A resumed run must not count its earlier steps into the speed.
            self._bar.reset(self._task, completed=step - 1, total=self.steps)
        self._means = [
            SMOOTHING * mean + (1 - SMOOTHING) * value
            for mean, value in zip(self._means, values, strict=True)
        ]
        self.step = step
        status = "loss {:.3f}  IoU {:.3f}  {:.1f} samples/s".format(*self._means)
        self._bar.update(self._task, completed=step, status=status)
        if not self._terminal and (step % STEPS_PER_LINE == 0 or step == self.steps):
            print_notice(f"step {step}/{self.steps}  {status}")
