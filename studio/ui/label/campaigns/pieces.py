"""Pieces of a campaign's detail: a button that tells what is to be done, a label with its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.ui.markup import image, tag, text

if TYPE_CHECKING:
    from studio.preference.label import Label
    from studio.storage.labels.campaigns import Campaign


def button(op: str, campaign: Campaign, label: str, style: str, **attrs: str) -> str:
    """A button of a campaign. op: as `handlers.Handlers.act` has it. style: its classes."""
    return tag("button", text(label), type="button", class_=style, data_op=op, data_campaign=str(campaign.id), **attrs)


def pictured_label(label: Label, token: str, lines: Sequence[str]) -> str:
    """A label with its pictures as they stood. token: of its question; "" where it was not asked here."""
    places = range(len(label.pictures)) if token else ()
    sources = [f"/label/picture/{token}-{place}" for place in places]
    pictures = "".join(image(src, f"Picture {k}", loading="lazy") for k, src in enumerate(sources, start=1))
    return tag("li", tag("div", pictures, class_="files-thumbs") + tag("div", "".join(lines)))
