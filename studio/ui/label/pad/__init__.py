"""The pad: where pairs, lists and single pictures are answered. A script of the browser, without a framework:

outbox.js     answers that are not on disk yet
keys.js       what can be done, by which keys
stage.js      the pictures: decoded ahead, at one size, painted together
layout.js     what the page is made of
sheet.js      what is written on it
entrance.js   who labels, and what
asking.js     one item after the other, and undo
reveal.js     what the pictures were, in campaigns that tell it
pad.js        keys, buttons, fingers
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_FILES = ("outbox", "keys", "stage", "layout", "sheet", "entrance", "asking", "reveal", "pad")
_VIEWER = _HERE.parents[1] / "components" / "viewer.js"  # whose lens the stage has
CLASS = "pad"


def script(base: str, has_owner: bool = False) -> str:
    """A script that lays the pad out in the element of the class CLASS inside of `element`.

    base: where its addresses begin (studio.ui.label.routes).
    has_owner: whether all of them belong to one annotator, who is not chosen there.
    """
    parts = [_VIEWER, *(_HERE / f"{name}.js" for name in _FILES)]
    text = "".join(path.read_text(encoding="utf-8") for path in parts)
    return f"(() => {{\n{text}new Pad(element.querySelector('.{CLASS}'), {base!r}, {str(has_owner).lower()});\n}})();\n"


STYLE = (_HERE / "pad.css").read_text(encoding="utf-8")
