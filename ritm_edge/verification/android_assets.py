"""What the app in android_demo/ looks for in its assets."""

import shutil
from pathlib import Path

from ..errors import ArtifactError, OutputFileError
from ..files import atomic_output
from ..runtimes.base import open_runtime
from .golden import write_traces

MODEL, TRACES = "model.tflite", "golden"


def write_assets(artifact: Path, folder: Path) -> None:
    """Write the artifact, and golden traces of its fit in which its own network has answered.

    Args:
        artifact: a .tflite with session graphs.
        folder: the app's assets; model and traces of an earlier call are replaced, others stay.

    Raises:
        ArtifactError: the file has no session graphs, or cannot be opened.
        OutputFileError: the folder cannot be written.
        UsageError: too few click slots for the traces.
    """
    runtime = open_runtime(artifact)
    session = runtime.info.session if runtime.info else None
    if session is None:
        raise ArtifactError(f"{artifact} has no session graphs: export it with --session.")
    traces, fresh = folder / TRACES, folder / f"{TRACES}.new"
    shutil.rmtree(fresh, ignore_errors=True)  # of a call that was ended
    with atomic_output(fresh) as temporary:
        write_traces(runtime, temporary, fits=[session["fit"]])
    with atomic_output(folder / MODEL) as temporary:
        shutil.copyfile(artifact, temporary)
    try:
        # Traces of another model have other files, and would otherwise stay among the new ones.
        if traces.exists():
            shutil.rmtree(traces)
        fresh.rename(traces)
    except OSError as error:
        raise OutputFileError(
            f"cannot write {traces}: {error.strerror or error}; choose another place."
        ) from error
