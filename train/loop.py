"""The training loop: iterative training with mask guidance (section 3.2)."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

import torch

from ritm_edge.data import Benchmark
from ritm_edge.errors import TrainingError, UsageError, data_warnings

from .broken import BROKEN_LOG, BrokenFiles, Problem
from .config import TrainConfig
from .dataset import Sample
from .datasets import find_entries
from .device_batches import make_dataset
from .distributed import joined_team
from .fingerprint import fingerprint
from .idle_settings import refuse_fp16
from .loader import batches
from .photo_cache import PhotoCache
from .run import Run, Shown, ValidationProgress
from .schedule import run_length
from .start import new_model
from .state import LAST_CHECKPOINT, check_data, check_place, restore_model, restore_trainer
from .step import Trainer

# Told after how many steps, of how many, what they showed; whenever values are read (`Run.reads`).
Progress = Callable[[int, int, Shown], None]


def train(
    config: TrainConfig,
    *,
    data: Path,
    output: Path,
    init: Path | None = None,
    resume: bool = False,
    allow_other_data: bool = False,
    allow_changed: bool = False,
    workers: int = 1,
    save_every: int = 200,
    benchmarks: Sequence[Benchmark] = (),
    tensorboard: bool = True,
    progress: Progress | None = None,
    validation_progress: ValidationProgress | None = None,
    device: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    notice: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train as long as `config.schedule` says, alone or in the team that `torchrun` started, and
    return the path of the last checkpoint.

    Every step draws its randomness from (seed, step, place in the joint batch): a resumed run
    repeats an uninterrupted one, and a run on several processes repeats one on a single process
    but for rounding. `output` receives

    * `last.pth`, replaced atomically every `save_every` steps, after a validation and at the end;
    * `best.pth`, the weights with the lowest mean NoC@90 over `benchmarks`;
    * `log.jsonl` and the folder `tensorboard`;
    * `broken.jsonl`, photos and annotations that could not be read and were left out, and, with
      "used": true, warnings;
    * at the end, or when it is stopped, `weights.safetensors`, in half precision.

    With `run.ema_decay` the best and the final weights are the averaged ones.

    Args:
        config: what to train.
        data: folder with the data sets.
        output: folder, made if it is missing.
        init: checkpoint whose weights are the start, or ImageNet weights of the backbone; None
            starts from scratch. Not read where a run is resumed.
        resume: continue `output/last.pth` if it is there.
        allow_other_data: resume even if the photos are not those the run was trained on.
        allow_changed: of `init` or the checkpoint to resume; see `load_checkpoint`.
        workers: data-loading processes of each process; 0 loads in this one.
        save_every: steps.
        benchmarks: validated on every `run.val_every` epochs and at the end.
        tensorboard: whether to write event files.
        progress: called when values are read, in the leading process alone.
        validation_progress: likewise, while validating.
        device: torch device; None takes CUDA where there is one.
        stop: asked after every step (by several processes that make batches on their devices only
            when values are read); True saves a checkpoint and returns early.
        notice: told, in the leading process, where the weights of a new run are from, which files
            of `data` are left out, and whether the data of a resumed run are others.

    Raises:
        UsageError: negative `workers` or `save_every` below 1, a batch that cannot be divided
            among the processes, or `data.cache` where it cannot be.
        InputFileError: `data` or `init` does not exist, or a data set is not in `data`.
        TrainingError: more than one photo in a hundred cannot be read, a run of other settings or
            on other photos in `output`, a loss or gradient that is not finite (the last checkpoint
            stays), or no memory left, or too little for `data.cache`.
        CheckpointError: `init` or the checkpoint to resume cannot be used.
        OutputFileError: `output` cannot be written.
        MissingExtraError: TensorBoard is wanted and not installed.
    """
    if workers < 0 or save_every < 1:
        raise UsageError(
            f"workers is {workers} and save_every {save_every}: pass at least 0 and at least 1."
        )
    with data_warnings() as left_out:
        entries = find_entries(config.data.datasets, data)
    length = run_length(config, len(entries))
    last = output / LAST_CHECKPOINT
    if last.exists() and not resume:
        raise TrainingError(f"{last} exists: pass --resume to continue it or another --output.")
    if not last.exists():
        check_place(output, resume=resume)
    photos = fingerprint(entries)

    with joined_team(device) as team:
        share = team.share(config.data.batch_size)
        refuse_fp16(config, team.device.type)
        torch.manual_seed(config.run.seed)
        step, best, told = 0, None, None
        if last.exists():
            model, training = restore_model(last, config, allow_changed=allow_changed)
            told = check_data(last, training, photos, allow_other=allow_other_data)
            trainer = Trainer(model, config, team)
            best, step = restore_trainer(trainer, training, last), training["step"]
        else:
            model, told = new_model(config, init, allow_changed=allow_changed)
            trainer = Trainer(model, config, team)
        if team.leads and told:
            notice(told)
        # Opened now: an output that cannot be written is found before hours of work, not after.
        run = Run(
            config,
            length,
            trainer,
            output,
            data=photos,
            done=step,
            best=best,
            benchmarks=benchmarks,
            tensorboard=tensorboard,
            remake=lambda done: next(stream_from(done, 0)),
        )
        broken = BrokenFiles(output / BROKEN_LOG, photos=len(entries))
        if team.leads:
            broken.add([Problem(str(data), text, used=True) for text in left_out])
            for text in left_out:
                notice(text)
        maker = team.device if trainer.makes_batches else None
        cache = PhotoCache(entries, config, maker, workers)
        trainer.maker.photos = cache.photos

        def stream_from(start: int, workers: int) -> Generator[Sample, None, None]:
            return batches(
                make_dataset(entries, config, team.device, cache, start=start),
                batch_size=share,
                workers=workers,
                broken=broken,
                rank=team.rank,
                processes=team.size,
            )

        stream = stream_from(step, workers)
        with closing(stream), closing(run):
            before = time.monotonic()
            while step < length.steps:
                asked = time.monotonic()
                batch = next(stream)
                waiting = time.monotonic() - asked
                result = run.step(batch, step)
                step += 1
                now = time.monotonic()
                times = (max(now - before, 1e-9), waiting)
                reads, due = run.reads(step), run.validation_is_due(step)
                # Asking other processes waits for them, which is reading as well.
                ends = (reads or team.size == 1) and team.any(stop())
                ends |= step == length.steps
                saves = ends or due or step % save_every == 0
                shown = run.record(result, step=step, times=times, read=reads or saves, last=ends)
                if shown is not None and progress is not None and team.leads:
                    progress(step, length.steps, shown)
                before = now
                if due:
                    run.validate(step, validation_progress)
                    before = time.monotonic()
                if saves:
                    run.save(step)
                if ends:
                    break
        run.save_weights()
    return last
