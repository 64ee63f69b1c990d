"""Reads the tables of our documents."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def rows(document: str) -> list[tuple[str, ...]]:
    """The rows of every table in a document of docs/, without the heads; code marks are taken off.

    Args:
        document: its name, "errors.md".
    """
    lines = (ROOT / "docs" / document).read_text().splitlines()
    cells = [
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in lines
        if line.startswith("| `")
    ]
    assert cells, f"{document} has no table"
    return cells
