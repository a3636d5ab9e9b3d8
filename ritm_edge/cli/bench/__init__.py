"""`ritm-edge bench …`: measurements; one file per command."""

import typer

from . import (
    compare,
    curve,
    fit,
    flops,
    frontier,
    latency,
    merge,
    noc,
    paper,
    rewrites,
    sensitivity,
    train,
)

app = typer.Typer(help="Measure time, clicks and arithmetic.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Measure time, clicks and arithmetic."""


for _name, _module in (
    ("latency", latency),
    ("noc", noc),
    ("merge", merge),
    ("compare", compare),
    ("frontier", frontier),
    ("train", train),
    ("fit", fit),
    ("flops", flops),
    ("paper", paper),
    ("rewrites", rewrites),
    ("sensitivity", sensitivity),
    ("curve", curve),
):
    app.command(_name)(_module.command)
