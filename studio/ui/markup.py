"""Small pieces of HTML. Whatever a user or a file wrote goes through `text` on its way into a page.

The fragments are values of gr.HTML, whose template must stay the default one: there a value is inserted as it is,
while in a template of our own, `{{value}}` would have it compiled as JavaScript.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Mapping


def text(value: object) -> str:
    """Give any value as text that means itself in HTML, inside and outside of attributes."""
    return html.escape(str(value), quote=True)


def attributes(values: Mapping[str, object]) -> str:
    """` name="value"` for each; False and None are left out, True is the bare name. Trailing _ is dropped (class_)."""
    parts = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        attribute = name.rstrip("_").replace("_", "-")
        parts.append(f" {attribute}" if value is True else f' {attribute}="{text(value)}"')
    return "".join(parts)


def tag(name: str, inner: str = "", **attrs: object) -> str:
    """One element. inner: HTML, not text. attrs: values are escaped."""
    return f"<{name}{attributes(attrs)}>{inner}</{name}>"


def image(src: str, alt: str, **attrs: object) -> str:
    """A picture. alt: what stands for it where it is not seen. attrs: as of `tag`."""
    return f"<img{attributes({'src': src, 'alt': alt, **attrs})}>"


def facts(rows: Iterable[tuple[str, object]], class_: str = "facts") -> str:
    """A list of names and values."""
    return tag("dl", "".join(tag("div", tag("dt", text(n)) + tag("dd", text(v))) for n, v in rows), class_=class_)


def alert(message: str, kind: str = "error") -> str:
    """A message that screen readers say at once. kind: error, note."""
    if not message:
        return ""
    return tag("p", text(message), class_=f"message {kind}", role="alert" if kind == "error" else "status")


def typeset(formula: str) -> str:
    """A formula of plain text as one prints it: "g = u + 5*(c - u)" becomes "g = u + 5·(c − u)"."""
    return formula.replace("*", "·").replace(" - ", " − ").replace("<-", "←")


def png_size(png: bytes) -> tuple[int, int]:
    """(width, height) of a PNG in pixels, as its head has them; (0, 0) for what is none."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n") or len(png) < 24:
        return 0, 0
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def png_uri(png: bytes) -> str:
    """The address that is the PNG itself."""
    return "data:image/png;base64," + b64encode(png).decode("ascii")
