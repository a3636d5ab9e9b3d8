"""Cells and tables of text, for the terminal, for Markdown and for pages."""

from collections.abc import Iterable, Sequence

UNMEASURED = "—"


def optional(value: float | None, form: str) -> str:
    """The value in a format such as ".2f"; a dash if there is none."""
    return UNMEASURED if value is None else format(value, form)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the cells must not contain its special characters."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
