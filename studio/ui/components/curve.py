"""The curve of a schedule as a picture, to draw upon where its points are given.

curve_points.js: what becomes of the points. curve.js: the drawing, the pointer and the keys.
"""

from __future__ import annotations

from pathlib import Path

from studio.ui.markup import tag

NAME = "points"  # the parameter that what is drawn goes to, as text; its field and those of the others stand beside it

# `redraw` is for the host: after the page was written anew. It needs the host's `tell`; see fields.py.
_FILES = ("curve_points.js", "curve.js")
SCRIPT = (
    "const redraw = (() => {\n"
    + "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _FILES)
    + "return redraw;\n})();\n"
)


def curve_html(op: str, row: int, at: str) -> str:
    """A place for it, to stand among the controls of a schedule. op, row, at: as theirs."""
    data = {"data_op": op, "data_row": str(row), "data_at": at, "data_name": NAME}
    return tag("div", tag("svg") + tag("p", class_="hint"), class_="curve", **data)
