"""The results of `bench fit` as rows of text, for the terminal and for Markdown."""

from typing import Any

from ritm_edge.tables import markdown_table, optional

COLUMNS = ("alternative", "whole photo", "zoomed", "all", "95 % interval", "same mask")


def fit_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `COLUMNS`, one row per alternative."""
    rows = []
    for entry in report["alternatives"]:
        found = [entry["difference"][group] for group in ("whole", "zoomed", "all")]
        low, high = found[-1]["interval"]
        rows.append(
            (
                entry["name"],
                *(optional(each and each["mean"], "+.4f") for each in found),
                f"{low:+.4f}…{high:+.4f}",
                f"{entry['agreement']:.3f}",
            )
        )
    return rows


def fit_table(report: dict[str, Any]) -> str:
    """In Markdown, and a line about the reference."""
    steps = report["alternatives"][0]["difference"]["all"]["steps"]
    note = (
        f"\nMean IoU minus that of the published zoom-in ({report['reference']['all']:.3f}) on the "
        f"same inputs: {steps} clicks of {report['objects']} objects of {report['benchmark']}, "
        f"{report['file']}. Same mask: mean IoU of the two masks.\n"
    )
    return markdown_table(COLUMNS, fit_rows(report)) + note
