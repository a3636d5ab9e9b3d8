"""`ritm-edge weights`: embedded checkpoints, and those from elsewhere."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from ..optional import require
from ..tables import UNMEASURED
from .console import download_bar, print_json, print_notice, print_table
from .options import AllowChanged, AsJson

app = typer.Typer(no_args_is_help=True, help="List, download and convert checkpoints.")

CHECKPOINT_SUFFIXES = {".pth", ".pt", ".safetensors"}


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Show the embedded weights and the published ones that `weights pull` knows by name.

    GrabCut, Berkeley: mean clicks to an IoU of 0.90 with the published protocol; the authors
    measured the published weights. GMACs: of one run at 400x400 (flip averaging makes two).
    """
    rows = _embedded_and_published()
    if as_json:
        print_json(rows)
        return
    columns = {"name": "name", "from": "source", "model": "model", "GrabCut": "grabcut_noc90"}
    columns |= {"Berkeley": "berkeley_noc90", "GMACs": "gmacs", "MB": "mb", "licence": "licence"}
    columns |= {"trained on": "training"}
    print_table([*columns], [[_cell(row[key]) for key in columns.values()] for row in rows])


def _embedded_and_published() -> list[dict[str, Any]]:
    from ritm_edge.benchmarks.published import published

    from ..weights import EMBEDDED_MODELS, default_checkpoint, measured_figures
    from ..weights.published import PUBLISHED

    table = next(each for each in published()["tables"] if each["table"] == 7)
    columns = [column["name"] for column in table["columns"]]
    clicks = {
        label: dict(zip(columns, row["values"], strict=True))
        for row in table["rows"]
        for label in row["labels"]
    }
    figures = measured_figures()

    def row(name: str, source: str, model: str, *values: Any) -> dict[str, Any]:
        grabcut, berkeley, mb, licence, training, url = values
        return {
            "name": name,
            "source": source,
            "model": model,
            "grabcut_noc90": grabcut,
            "berkeley_noc90": berkeley,
            "gmacs": figures["macs"][model] / 1e9,
            "mb": mb,
            "licence": licence,
            "training": training,
            "url": url,
        }

    rows = []
    for model in EMBEDDED_MODELS:
        measured = (figures["noc"][model][name] for name in ("GrabCut", "Berkeley"))
        about = ("see its model card", "photos of several research sets", None)
        size = default_checkpoint(model).stat().st_size / 1e6
        rows.append(row(model, "embedded", model, *measured, size, *about))
    for each in PUBLISHED:
        told = (clicks[each.name][f"{name} NoC20@90"] for name in ("GrabCut", "Berkeley"))
        rows.append(
            row(each.name, "published", each.model, *told, None, None, each.training, each.url)
        )
    return rows


def _cell(value: str | float | None) -> str:
    if value is None:
        return UNMEASURED
    return value if isinstance(value, str) else f"{value:.2f}"


@app.command("pull")
def pull_command(
    source: Annotated[
        str, Argument(metavar="URL|NAME", help="Address, or a name from weights list.")
    ],
    output: Annotated[
        Path | None,
        Option(
            "--output", "-o", help="File or folder to save to; default: this folder, same name."
        ),
    ] = None,
    sha256: Annotated[str | None, Option(help="Checksum that the file must have.")] = None,
    allow_http: Annotated[
        bool,
        Option("--allow-http", help="Accept addresses whose files can be changed on their way."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download a checkpoint.

    Run the command again to resume an interrupted download. The file gets its name only if
    ritm-edge can load it (checked if PyTorch is installed). Its checksum is saved in NAME.sha256
    and is checked whenever the file is used.

    Example: ritm-edge weights pull coco_lvis_h18s_itermask
    """
    from ..errors import InputFileError
    from ..files import checksum_file, recorded_sha256, sha256_of, write_output
    from ..weights.download import download, file_name, normalised_sha256
    from ..weights.published import published_checkpoint

    url = source if "://" in source else published_checkpoint(source).url
    name = file_name(url, allow_http=allow_http)
    target = Path(name) if output is None else output
    if output is not None and output.is_dir():
        target = output / name
    expected = recorded_sha256(target) if sha256 is None else normalised_sha256(sha256)

    already_there = target.is_file()
    if already_there:
        digest = sha256_of(target)
        if expected not in (None, digest):
            raise InputFileError(
                f"{target} exists and has the SHA-256 {digest} instead of {expected}: remove it "
                "or choose another place with --output."
            )
        print_notice(f"{target} is already there: nothing was downloaded.")
    else:
        with download_bar() as bar:
            task = bar.add_task(name, total=None)
            digest = download(
                url,
                target,
                sha256=expected,
                allow_http=allow_http,
                check=check_checkpoint,
                progress=lambda here, total: bar.update(task, completed=here, total=total),
            )
        write_output(checksum_file(target), f"{digest}  {target.name}\n")
    if as_json:
        print_json(
            {
                "file": str(target),
                "bytes": target.stat().st_size,
                "sha256": digest,
                "url": url,
                "downloaded": not already_there,
            }
        )
        return
    typer.echo(f"{target}  sha256:{digest}")
    print_notice(f"next: ritm-edge predict photo.jpg --click ROW,COLUMN --checkpoint {target}")


@app.command("convert")
def convert_command(
    source: Annotated[
        Path, Argument(metavar="IN", help="Weights: a file, lite0 or hrnet18s.", show_default=False)
    ],
    output: Annotated[
        Path,
        Argument(
            metavar="OUT", help=".pth, or .safetensors (half of its size)", show_default=False
        ),
    ],
    allow_changed: AllowChanged = False,
) -> None:
    """Write weights in the published form (.pth), or in that of the embedded ones (.safetensors).

    Example: ritm-edge weights convert runs/first/weights.safetensors model.pth
    """
    from ..errors import OutputFileError, UsageError

    if output.exists():
        raise OutputFileError(f"{output} exists: remove it or choose another name.")
    if output.suffix not in (".pth", ".safetensors"):
        raise UsageError(f"{output} names no form: let it end in .pth or .safetensors.")
    require("torch", extra="torch")
    from ..model.checkpoint import load_checkpoint, save_checkpoint, save_safetensors
    from ..weights import checkpoint_path

    model = load_checkpoint(checkpoint_path(source), allow_changed=allow_changed)
    (save_checkpoint if output.suffix == ".pth" else save_safetensors)(model, output)
    print_notice(f"saved {output} ({model.config.name})")


def check_checkpoint(path: Path) -> None:
    """Refuse a download that has the suffix of a checkpoint but cannot be loaded as one. Raises
    DownloadError: it cannot."""
    if path.suffix not in CHECKPOINT_SUFFIXES or find_spec("torch") is None:
        return
    from ..errors import CheckpointError, DownloadError
    from ..model.checkpoint import load_checkpoint

    try:
        load_checkpoint(path)
    except CheckpointError as error:
        raise DownloadError(f"the download was discarded: {error}") from error
