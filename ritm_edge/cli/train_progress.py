"""What `ritm-edge train` shows while it runs."""

from typing import TYPE_CHECKING

from rich.progress import TaskID

from .console import print_notice, progress_bar, stderr

if TYPE_CHECKING:
    from ritm_edge.train.run import Shown
    from ritm_edge.train.validation import Validation

SMOOTHING = 0.95
STEPS_PER_LINE = 20


class TrainProgress:
    """A bar with smoothed loss, IoU and speed, and the remaining time; a second one while
    validating. Plain lines if stderr is not a terminal. `step` and `steps` (taken, and of the whole
    run) are both 0 if a finished run is resumed."""

    def __init__(self) -> None:
        self.step = self.steps = 0
        self._means: list[float] = []
        self._terminal = stderr().is_terminal
        self._bar = progress_bar()
        self._task = self._bar.add_task("train", total=None, start=False, status="first batch …")
        self._validation: TaskID | None = None

    def __enter__(self) -> "TrainProgress":
        if self._terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._bar.stop()

    def __call__(self, step: int, steps: int, shown: "Shown") -> None:
        """Show a step; see `ritm_edge.train.loop.Progress`."""
        if not self._means:
            self._means = list(shown)
            # A resumed run must not count its earlier steps into the speed.
            self._bar.reset(self._task, completed=step - 1, total=steps)
        kept = SMOOTHING ** (step - self.step if self.step else 1)
        self._means = [
            kept * mean + (1 - kept) * value for mean, value in zip(self._means, shown, strict=True)
        ]
        self.step, self.steps = step, steps
        line = "loss {:.3f}  IoU {:.3f}  {:.1f} images/s, {:.0%} of the device"
        status = line.format(*self._means)
        self._bar.update(self._task, completed=step, status=status)
        if not self._terminal and (step % STEPS_PER_LINE == 0 or step == steps):
            left = self._bar.tasks[0].time_remaining
            eta = "" if left is None or step == steps else f"  {_duration(left)} left"
            print_notice(f"step {step}/{steps}  {status}{eta}")

    def validation(
        self, *, step: int, done: int, total: int, result: "Validation | None", best: bool
    ) -> None:
        """Show a validation; see `ritm_edge.train.run.ValidationProgress`."""
        if self._validation is None:
            self._validation = self._bar.add_task("validate", total=total, status="")
        if result is None:
            self._bar.update(self._validation, completed=done, total=total)
            return
        self._bar.remove_task(self._validation)
        self._validation = None
        values = "  ".join(
            f"{name} {', '.join(f'{key} {value:.2f}' for key, value in each.items())}"
            for name, each in result.benchmarks.items()
        )
        note = "  (best so far)" if best else ""
        (self._bar.console.print if self._terminal else print_notice)(
            f"step {step}  {values}  {_duration(result.seconds)}{note}"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
