"""Small pieces of HTML. Whatever a user or a file wrote goes through `text` on its way into a page.

The fragments are values of gr.HTML, whose template must stay the default one: there a value is inserted as it is,
while in a template of our own, `{{value}}` would have it compiled as JavaScript.
"""

from __future__ import annotations

from collections.abc import Iterable

from studio.core.markup import attributes, image, png_uri, tag, text

__all__ = ["alert", "attributes", "facts", "image", "png_size", "png_uri", "tag", "text", "typeset"]


def facts(rows: Iterable[tuple[str, object]], class_: str = "facts") -> str:
    """A list of names and values."""
    return tag("dl", "".join(tag("div", tag("dt", text(n)) + tag("dd", text(v))) for n, v in rows), class_=class_)


def alert(message: str, kind: str = "error") -> str:
    """A message that screen readers say at once. kind: error, note."""
    if not message:
        return ""
    return tag("p", text(message), class_=f"message {kind}", role="alert" if kind == "error" else "status")


def counted(count: int, noun: str) -> str:
    """A count with its noun, whose plural has an s: "1 picture", "1,200 pictures"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def typeset(formula: str) -> str:
    """A formula of plain text as one prints it: "g = u + 5*(c - u)" becomes "g = u + 5·(c − u)"."""
    return formula.replace("*", "·").replace(" - ", " − ").replace("<-", "←")


def png_size(png: bytes) -> tuple[int, int]:
    """(width, height) of a PNG in pixels, as its head has them; (0, 0) for what is none."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n") or len(png) < 24:
        return 0, 0
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
