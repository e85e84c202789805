"""A measured number as one line of a terminal."""

from __future__ import annotations

from typing import Any


def row_text(row: dict[str, Any]) -> str:
    """One row: a share in percent, a mean or a difference as a number, each with its n and interval."""
    if row.get("why"):
        return f"  {row['name']:<14} {row['why']}"
    signed = "+" if row.get("unit") == "difference" else ""
    figures = [
        f"{100 * row[k]:.1f} %" if row["hits"] is not None else f"{row[k]:{signed}.3f}"
        for k in ("value", "low", "high")
    ]
    of = "pictures" if row["hits"] is not None else "prompts"
    return f"  {row['name']:<14} {figures[0]:>8}  [{figures[1]}, {figures[2]}]  n = {row['n']} {of}"
