"""Small pieces of HTML. Whatever a user or a file wrote goes through `text` on its way into a page."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Mapping


def text(value: object) -> str:
    """Give any value as text that means itself in HTML, inside and outside of attributes."""
    return html.escape(str(value), quote=True)


def attributes(values: Mapping[str, object]) -> str:
    """` name="value"` for each; False and None are left out, True is the bare name. Trailing _ is dropped (class_)."""
    parts: list[str] = []
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


def png_uri(png: bytes) -> str:
    """The address that is the PNG itself."""
    return "data:image/png;base64," + b64encode(png).decode("ascii")
