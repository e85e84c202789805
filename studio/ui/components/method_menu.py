"""Menus of guidance methods: what a model cannot do and what is defective is there too, greyed, with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.services.checks import why_not
from studio.ui.components.fields import Entry
from studio.ui.methods import declarations

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio


def entries(studio: Studio | None = None, model: str = "") -> list[Entry]:
    """Every guidance method, and at the end the defective ones. studio: without it, every model is taken to do all."""
    methods = declarations()
    menu: list[Entry] = []
    for name, method in methods.guidance.items():
        # Plain guidance stays: turned down to none, it is how a model draws that has guidance built in.
        asks = [word for word in method.asks if (name, word) != ("cfg", "uncond")]
        reason = why_not(studio.sources, model, asks) if studio is not None else None
        if reason is None:
            menu.append((method.label, name))
        else:
            menu.append((f"{method.label} ({reason})", name, f"Not with {model}: it {reason}."))
    for name, method in methods.defective.items():
        menu.append((method.label, name, f"Not offered: {method.defect}."))
    return menu


def choices(studio: Studio, model: str) -> list[tuple[str, str]]:
    """(label, name) for a menu of Gradio's, which can grey nothing: the reason stands in the label, and a job is
    refused with it. Defective ones are left out.
    """
    return [(entry[0], entry[1]) for entry in entries(studio, model) if entry[1] in declarations().guidance]


def preset_entries(presets: GuidancePresets) -> list[tuple[str, str]]:
    """(label, name) of guidance presets, for a menu that begins with none."""
    return [("", ""), *((entry.label, entry.name) for entry in presets.listing())]
