"""The history under the picture: finding, looking, starring, deleting and taking back, sending on, restoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import NotFound
from studio.ui import handover
from studio.ui.components import canvas, caption, days, gallery, history
from studio.ui.components.form import Form, samplers
from studio.ui.components.query import Query
from studio.ui.markup import alert
from studio.ui.models import listed
from studio.ui.prompt.restoring import gives, restored
from studio.ui.stack_panel import NAME as STACK
from studio.ui.tabs.base import Page
from studio.ui.values import SWITCH, TEXT, WHOLE
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

SHEET = ("canvas", "caption", "shown")  # what `picture` gives
PICKED = ("pinned", *SHEET)
HISTORY = ("canvas", "caption", "past")  # what changes with a picture that goes into the bin, or comes out of it
DELETED = canvas.empty_html("Deleted", "The picture is in the bin until the bin is emptied.")


# -- handlers -------------------------------------------------------------------------------------------------------


def picture(studio: Studio, id: int) -> tuple[str, str, int]:
    """One picture of the history: the sheet, its label, its number."""
    found = studio.history.get(id)
    return canvas.picture_html(found), caption.caption_html(found), found.id


def seed_of(studio: Studio, id: int) -> str:
    """The seed of a picture, as the form holds it. Raises NotFound for 0, which is none."""
    if not id:
        raise NotFound("There is no picture yet whose seed could be taken.")
    return str(studio.history.get(id).recipe.seed)


def star(studio: Studio, id: int, on: bool, asked: Query) -> tuple[str, str]:
    """Mark a picture or take the mark away; its label, and the gallery."""
    studio.history.favourite(id, on)
    return caption.caption_html(studio.history.get(id)), history.past(studio, asked)


def delete(studio: Studio, id: int, asked: Query) -> tuple[str, str, str]:
    """Put a picture into the bin; the sheet, the label with the way back, and the gallery."""
    studio.history.delete([id])
    return DELETED, caption.deleted_html([id]), history.past(studio, asked)


def undelete(studio: Studio, id: int, asked: Query) -> tuple[str, str, str]:
    """Take a picture out of the bin; the picture, its label, and the gallery."""
    studio.history.undelete([id])
    found = studio.history.get(id)
    return canvas.picture_html(found), caption.caption_html(found), history.past(studio, asked)


def purge(studio: Studio, sure: bool, asked: Query) -> tuple[str, str]:
    """Empty the bin, or ask first; the gallery, and a message."""
    if not sure:
        only = asked.conditions()
        found = studio.history.newest(asked.limit, search=asked.search, only=only)
        total = studio.history.count(only=Query(in_bin=True).conditions())
        return gallery.gallery_html(found, total, asked, sure=True), ""
    gone = studio.history.purge()
    said = f"{gone.pictures} picture{'s' * (gone.pictures != 1)} gone for good, {gone.files} files removed."
    return history.past(studio, asked), alert(said, kind="note")


# -- layout ---------------------------------------------------------------------------------------------------------


def build(studio: Studio) -> dict[str, Any]:
    """The head of the history with its filters. Gives the controls in the order in which `history.query` takes them."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="past-head"):
        gr.HTML("<h2>Past pictures</h2>", apply_default_css=False)
        parts["search"] = gr.Textbox(
            label="Find", info="Shows pictures whose prompts hold all these words.", max_lines=1,
            placeholder="words of a prompt", max_length=history.MAX_SEARCH_CHARS, elem_id="search",
        )  # fmt: skip
    with gr.Accordion("Filters", open=False, elem_id="filters"), gr.Row(elem_classes="filters"):
        parts["favourites"] = gr.Checkbox(False, label="Favourites", info="Only those with a star.", min_width=120,
                                          elem_id="only-favourites")  # fmt: skip
        parts["in_bin"] = gr.Checkbox(False, label="Deleted", info="The bin instead.", min_width=120, elem_id="in-bin")
        models = [("Any", ""), *((one.label, one.name) for one in listed(studio))]
        parts["of_model"] = gr.Dropdown(models, value="", label="Of model", info="Which drew it.", min_width=130)
        names = [("Any", ""), *((one.label, name) for name, one in samplers().items())]
        parts["of_sampler"] = gr.Dropdown(names, value="", label="With sampler", info="Which was used.", min_width=130)
        parts["days"] = days.control()
    return parts


# -- wiring ---------------------------------------------------------------------------------------------------------


def wire(page: Page, form: Form, wiring: Wiring, filters: Sequence[str]) -> None:
    """Looking, finding, and the buttons of the label. filters: names of the controls that `build` gave."""
    studio, parts = page.studio, wiring.parts
    _wire_finding(studio, wiring, filters)
    _wire_label(page, form, wiring)

    def on_pick(event: Event) -> Answer:
        return picked(studio, event.read("id", WHOLE))

    def on_again(event: Event) -> Answer:
        return {"seed": seed_of(studio, event["shown"])}

    for picker in (parts["canvas"], parts["past"]):
        wiring.on(picker.pick, on_pick, (), PICKED)
    wiring.on(parts["again"].click, on_again, ("shown",), ("seed",))


def picked(studio: Studio, id: int) -> Answer:
    """A picture that is chosen to be looked at, and stays while others are drawn."""
    return {"pinned": True, **dict(zip(SHEET, picture(studio, id), strict=True))}


def _wire_finding(studio: Studio, wiring: Wiring, filters: Sequence[str]) -> None:
    parts, shown = wiring.parts, ("asked", "past")

    def found(asked: Query) -> Answer:
        return {"asked": asked, "past": history.past(studio, asked)}

    def on_search(event: Event) -> Answer:
        return found(history.query(*(event[name] for name in filters)))

    def on_more(event: Event) -> Answer:
        return found(history.more(event["asked"], event.read("last", WHOLE)))

    def on_newest(event: Event) -> Answer:
        return found(replace(event["asked"], before=None, limit=gallery.PAGE))

    def on_purge(event: Event) -> Answer:
        return dict(zip(("past", "message"), purge(studio, event.read("sure", SWITCH), event["asked"]), strict=True))

    wiring.on([parts[name].change for name in filters], on_search, filters, shown)
    wiring.on(parts["past"].more, on_more, ("asked",), shown)
    wiring.on(parts["past"].newest, on_newest, ("asked",), shown)
    wiring.on(parts["past"].purge, on_purge, ("asked",), ("past", "message"))


def _wire_label(page: Page, form: Form, wiring: Wiring) -> None:
    studio, panel, label = page.studio, page.sidebar.edits, wiring.parts["caption"]

    def on_restore(event: Event) -> Answer:
        with panel.of(event) as session:
            return restored(form, panel, studio.history.get(event.read("id", WHOLE)).recipe, session)

    def on_star(event: Event) -> Answer:
        starred = star(studio, event.read("id", WHOLE), event.read("on", SWITCH), event["asked"])
        return dict(zip(("caption", "past"), starred, strict=True))

    def on_delete(event: Event) -> Answer:
        deleted = delete(studio, event.read("id", WHOLE), event["asked"])
        return {"shown": 0, **dict(zip(HISTORY, deleted, strict=True))}

    def on_undelete(event: Event) -> Answer:
        id = event.read("id", WHOLE)
        return {"shown": id, **dict(zip(HISTORY, undelete(studio, id, event["asked"]), strict=True))}

    def on_send(event: Event) -> Answer:
        return handover.put(handover.send(studio, event.read("to", TEXT), event.read("id", WHOLE), event["sent"]))

    wiring.on(label.restore, on_restore, (), gives(form), turns=(STACK,), mode="multiple")
    wiring.on(label.star, on_star, ("asked",), ("caption", "past"))
    wiring.on(label.delete, on_delete, ("asked",), ("shown", *HISTORY))
    wiring.on(label.undelete, on_undelete, ("asked",), ("shown", *HISTORY))
    wiring.on(label.send, on_send, ("sent",), ("sent", "bell", "tabs"))
