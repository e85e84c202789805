"""A picture file dropped on the page: its settings go into the form, and what could not be taken over is told."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.recipe import Recipe
from studio.services.dropped import Dropped, read_dropped
from studio.ui.components.form import Form
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag, text
from studio.ui.prompt.restoring import gives, restored
from studio.ui.stack_panel import NAME as STACK
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

# What was told of a file goes as soon as another is given: page.js says so.
FORGET = "window.addEventListener('palimpsest-file', ({detail}) => { if (detail === 'dropped') props.value = ''; });"


# -- handlers -------------------------------------------------------------------------------------------------------


def restore(studio: Studio, path: str, model: str) -> tuple[Recipe | None, str]:
    """The recipe of a file, and what to say; no recipe, and the reason, for a file that is refused.

    path: of the upload, which is deleted: nothing of it is kept. model: taken where the file names none we have.
    """
    file = Path(path)
    try:
        usable = [source.name for source in studio.sources.listing() if not source.problem]
        dropped = read_dropped(file, usable, Recipe(model=model if model in usable else "stencil"))
        dropped = dropped.sized(studio.sources.card(dropped.recipe.model).default_size_px)
    except StudioError as error:
        return None, alert(sentence(error))
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
    return dropped.recipe, told_html(dropped)


def told_html(dropped: Dropped) -> str:
    """What was taken over, and what was not."""
    if not dropped.left_out:
        ours = "This is the recipe the picture was made with."
        return alert(ours if dropped.ours else "All of its settings were taken over.", kind="note")
    items = "".join(tag("li", text(sentence)) for sentence in dropped.left_out)
    inner = tag("p", "Restored, except for what is not here:") + tag("ul", items)
    return tag("div", inner, class_="message note", role="status")


# -- layout and wiring ----------------------------------------------------------------------------------------------


def build() -> dict[str, Any]:
    """The place to drop a file, and what is told of it."""
    return {
        "dropped": gr.File(
            label="Restore settings from a picture file (ours, A1111's, ComfyUI's or another program's)",
            file_types=[".png", ".jpg", ".jpeg", ".webp"],
            type="filepath",
            height=76,
            elem_id="dropped",
            elem_classes="drop",
        ),
        "dropped_said": gr.HTML("", apply_default_css=False, js_on_load=FORGET, elem_id="dropped-said"),
    }


def wire(page: Page, form: Form, wiring: Wiring) -> None:
    """A file fills the form, and is forgotten."""
    panel = page.sidebar.edits

    def on_upload(event: Event) -> Answer:
        with panel.of(event) as session:
            recipe, message = restore(page.studio, event["dropped"] or "", event["model"])
            return {"dropped": None, "dropped_said": message, **restored(form, panel, recipe, session)}

    upload: Any = wiring.parts["dropped"].upload
    filled = ("dropped", "dropped_said", *gives(form))
    wiring.on(upload, on_upload, ("dropped", "model"), filled, turns=(STACK,), mode="multiple")
