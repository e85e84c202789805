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
from studio.ui.components.query import PAGE, Query
from studio.ui.markup import alert
from studio.ui.models import listed
from studio.ui.prompt import view
from studio.ui.prompt.restoring import gives, restored
from studio.ui.stack_panel import NAME as STACK
from studio.ui.tabs.base import Page
from studio.ui.values import SWITCH, TEXT, WHOLE, wholes
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

SHEET = ("canvas", "caption", "picture_id")  # what `picture` gives
PICKED = ("pinned", *SHEET)
HISTORY = ("canvas", "caption", "past")  # what changes with a picture that goes into the bin, or comes out of it
IDS = wholes(history.MOST_AT_ONCE)
# What is picked far down comes into sight.
REVEAL = """() => {
  const canvas = document.getElementById('canvas'), {top} = canvas.getBoundingClientRect();
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (top < 0 || top > 0.6 * window.innerHeight) canvas.scrollIntoView({behavior: calm ? 'auto' : 'smooth'});
}"""
DELETED = canvas.empty_html("Deleted", "The picture is in the bin until the bin is emptied.")


# -- handlers -------------------------------------------------------------------------------------------------------


def picture(studio: Studio, id: int) -> tuple[str, str, int]:
    """One picture of the history: the sheet, its label, its number."""
    generation = studio.history.get(id)
    return view.picture_html(studio, generation), caption.caption_html(generation), generation.id


def several(studio: Studio, ids: Sequence[int]) -> tuple[str, str, int]:
    """Several pictures of the history beside each other, or one: as `picture`, with the number of the first."""
    if len(ids) == 1:
        return picture(studio, ids[0])
    pictures = [studio.history.get(id) for id in dict.fromkeys(ids)]
    label = caption.many_html([generation.recipe for generation in pictures])
    return canvas.pictures_html(pictures), label, pictures[0].id


def seed_of(studio: Studio, id: int) -> str:
    """The seed of a picture, as the form holds it. Raises NotFound for 0, which is none."""
    if not id:
        raise NotFound("There is no picture yet whose seed could be taken.")
    return str(studio.history.get(id).recipe.seed)


def star(studio: Studio, id: int, on: bool, query: Query) -> tuple[str, str]:
    """Mark a picture or take the mark away; its label, and the gallery."""
    studio.history.favourite(id, on)
    return caption.caption_html(studio.history.get(id)), history.past(studio, query)


def delete(studio: Studio, ids: Sequence[int], query: Query) -> Answer:
    """Put pictures into the bin; the label then has the way back."""
    studio.history.delete(ids)
    past = history.past(studio, query)
    return {"picture_id": 0, "canvas": DELETED, "caption": caption.deleted_html(ids), "past": past}


def undelete(studio: Studio, ids: Sequence[int], query: Query) -> Answer:
    """Take pictures out of the bin, and show them."""
    studio.history.undelete(ids)
    return {**dict(zip(SHEET, several(studio, ids), strict=True)), "past": history.past(studio, query)}


def purge(studio: Studio, sure: bool, query: Query) -> tuple[str, str]:
    """Empty the bin, or ask first; the gallery, and a message."""
    if not sure:
        tiles, _, _ = history.tiles_of(studio, query)
        total = studio.history.count(only=Query(in_bin=True).conditions())
        return gallery.gallery_html(tiles, total, query, sure=True), ""
    gone = studio.history.purge()
    message = f"{gone.pictures} picture{'s' * (gone.pictures != 1)} gone for good, {gone.files} files removed."
    return history.past(studio, query), alert(message, kind="note")


# -- layout ---------------------------------------------------------------------------------------------------------


def build(studio: Studio) -> dict[str, Any]:
    """The head of the history with its filters. Gives the controls in the order in which `history.query` takes them."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="past-head"):
        gr.HTML("<h2>Past pictures</h2>", apply_default_css=False)
        parts["search"] = gr.Textbox(
            label="Find",
            info="Shows pictures whose prompts hold all these words.",
            max_lines=1,
            placeholder="words of a prompt",
            max_length=history.MAX_SEARCH_CHARS,
            elem_id="search",
        )
    with gr.Accordion("Filters", open=False, elem_id="filters"), gr.Row(elem_classes="filters"):
        parts["favourites"] = gr.Checkbox(
            False, label="Favourites", info="Only those with a star.", min_width=120, elem_id="only-favourites"
        )
        parts["in_bin"] = gr.Checkbox(False, label="Deleted", info="Show the bin.", min_width=120, elem_id="in-bin")
        models = [("Any", ""), *((choice.label, choice.name) for choice in listed(studio))]
        parts["of_model"] = gr.Dropdown(models, value="", label="By model", info="Only what it drew.", min_width=130)
        names = [("Any", ""), *((choice.label, name) for name, choice in samplers().items())]
        parts["of_sampler"] = gr.Dropdown(
            names, value="", label="By sampler", info="Only what was drawn with it.", min_width=130
        )
        parts["days"] = days.control()
        parts["of_origin"] = gr.Dropdown(
            list(history.ORIGIN_CHOICES),
            value="",
            label="Drawn for",
            info="Those drawn to measure or to label are shown only when chosen.",
            min_width=130,
            elem_id="of-origin",
        )
    return parts


# -- wiring ---------------------------------------------------------------------------------------------------------


def wire(page: Page, form: Form, wiring: Wiring, filters: Sequence[str]) -> None:
    """Looking, finding, and the buttons of the label. filters: names of the controls that `build` gave."""
    studio, parts = page.studio, wiring.parts
    _wire_finding(studio, wiring, filters)
    _wire_label(page, form, wiring)

    def on_pick(event: Event) -> Answer:
        return picked(studio, [event.read("id", WHOLE)])

    def on_all(event: Event) -> Answer:
        return picked(studio, event.read("ids", IDS))

    def on_bin(event: Event) -> Answer:
        return delete(studio, event.read("ids", IDS), event["query"])

    def on_unbin(event: Event) -> Answer:
        return undelete(studio, event.read("ids", IDS), event["query"])

    def on_send(event: Event) -> Answer:
        return handover.put(handover.send(studio, event.read("to", TEXT), event.read("ids", IDS), event["sent"]))

    def on_again(event: Event) -> Answer:
        return {"seed": seed_of(studio, event["picture_id"])}

    for picker in (parts["canvas"], parts["past"]):
        for pick in (wiring.on(picker.pick, on_pick, (), PICKED), wiring.on(picker.all, on_all, (), PICKED)):
            wiring.then(pick, REVEAL)
    wiring.on(parts["past"].bin, on_bin, ("query",), ("picture_id", *HISTORY))
    wiring.on(parts["past"].unbin, on_unbin, ("query",), ("picture_id", *HISTORY))
    wiring.on(parts["past"].send, on_send, ("sent",), ("sent", "bell", "tabs"))
    wiring.on(parts["again"].click, on_again, ("picture_id",), ("seed",))


def picked(studio: Studio, ids: Sequence[int]) -> Answer:
    """Pictures that are chosen to be looked at, and stay while others are drawn."""
    return {"pinned": True, **dict(zip(SHEET, several(studio, ids), strict=True))}


def _wire_finding(studio: Studio, wiring: Wiring, filters: Sequence[str]) -> None:
    parts, found_pictures = wiring.parts, ("query", "past")

    def results_of(query: Query) -> Answer:
        return {"query": query, "past": history.past(studio, query)}

    def on_search(event: Event) -> Answer:
        return results_of(history.query(*(event[name] for name in filters)))

    def on_more(event: Event) -> Answer:
        return results_of(history.more(event["query"], event.read("last", WHOLE)))

    def on_newest(event: Event) -> Answer:
        return results_of(replace(event["query"], before_id=None, limit=PAGE))

    def on_purge(event: Event) -> Answer:
        return dict(zip(("past", "message"), purge(studio, event.read("sure", SWITCH), event["query"]), strict=True))

    wiring.on([parts[name].change for name in filters], on_search, filters, found_pictures)
    wiring.on(parts["past"].more, on_more, ("query",), found_pictures)
    wiring.on(parts["past"].newest, on_newest, ("query",), found_pictures)
    wiring.on(parts["past"].purge, on_purge, ("query",), ("past", "message"))


def _wire_label(page: Page, form: Form, wiring: Wiring) -> None:
    studio, panel, label = page.studio, page.sidebar.edits, wiring.parts["caption"]

    def on_restore(event: Event) -> Answer:
        with panel.of(event) as session:
            return restored(form, panel, studio.history.get(event.read("id", WHOLE)).recipe, session)

    def on_star(event: Event) -> Answer:
        starred = star(studio, event.read("id", WHOLE), event.read("on", SWITCH), event["query"])
        return dict(zip(("caption", "past"), starred, strict=True))

    def on_delete(event: Event) -> Answer:
        return delete(studio, [event.read("id", WHOLE)], event["query"])

    def on_undelete(event: Event) -> Answer:
        return undelete(studio, event.read("ids", IDS), event["query"])

    def on_send(event: Event) -> Answer:
        return handover.put(handover.send(studio, event.read("to", TEXT), [event.read("id", WHOLE)], event["sent"]))

    wiring.on(label.restore, on_restore, (), gives(form), turns=(STACK,), mode="multiple")
    wiring.on(label.star, on_star, ("query",), ("caption", "past"))
    wiring.on(label.delete, on_delete, ("query",), ("picture_id", *HISTORY))
    wiring.on(label.undelete, on_undelete, ("query",), ("picture_id", *HISTORY))
    wiring.on(label.send, on_send, ("sent",), ("sent", "bell", "tabs"))
