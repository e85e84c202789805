"""The curve of a schedule as a picture, to draw upon where its points are given; the drawing itself is curve.js."""

from __future__ import annotations

from pathlib import Path

from studio.ui.markup import tag

NAME = "points"  # the parameter that what is drawn goes to, as text; its field and those of the others stand beside it

# `redraw` is for the host: after the page was written anew. It needs the host's `tell`; see fields.py.
SCRIPT = (
    "const redraw = (() => {\n"
    + Path(__file__).with_name("curve.js").read_text(encoding="utf-8")
    + "return redraw;\n})();\n"
)


def curve_html(op: str, row: int, at: str) -> str:
    """A place for it, to stand among the controls of a schedule. op, row, at: as theirs."""
    data = {"data_op": op, "data_row": str(row), "data_at": at, "data_name": NAME}
    return tag("div", tag("svg") + tag("p", class_="hint"), class_="curve", **data)
