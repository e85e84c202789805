"""The history under the picture: finding, looking, starring, deleting and taking back, sending on, restoring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import NotFound
from studio.ui import handover
from studio.ui.components import canvas, caption, days, gallery, history
from studio.ui.components.form import samplers
from studio.ui.components.history import Query
from studio.ui.errors import told
from studio.ui.markup import alert
from studio.ui.models import listed
from studio.ui.prompt.bench import QUICK, Bench
from studio.ui.stack_panel import EVERY, TURN
from studio.ui.values import SWITCH, TEXT, WHOLE, read_event

if TYPE_CHECKING:
    from studio.services.studio import Studio

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
        parts["model"] = gr.Dropdown(models, value="", label="Of model", info="Which drew it.", min_width=130)
        names = [("Any", ""), *((one.label, name) for name, one in samplers().items())]
        parts["sampler"] = gr.Dropdown(names, value="", label="With sampler", info="Which was used.", min_width=130)
        parts["days"] = days.control()
    return parts


# -- wiring ---------------------------------------------------------------------------------------------------------


def wire(bench: Bench, filters: dict[str, Any], again: gr.Button) -> None:
    """Looking, finding, and the buttons of the label. again: the button that takes the picture's seed."""
    _wire_finding(bench, filters)
    _wire_label(bench)
    studio, html = bench.page.studio, bench.html

    @told
    def on_pick(event: gr.EventData) -> list[Any]:
        return [True, *picture(studio, read_event(event, "id", WHOLE))]

    @told
    def on_again(id: int) -> str:
        return seed_of(studio, id)

    for picker in (html["canvas"], html["past"]):
        picker.pick(on_pick, None, [bench.pinned, html["canvas"], html["caption"], bench.shown], **QUICK)
    again.click(on_again, bench.shown, bench.form.controls["seed"], **QUICK)


def _wire_finding(bench: Bench, filters: dict[str, Any]) -> None:
    studio, past = bench.page.studio, bench.html["past"]

    @told
    def on_search(*given: Any) -> list[Any]:
        asked = history.query(*given)
        return [asked, history.past(studio, asked)]

    @told
    def on_more(asked: Query, event: gr.EventData) -> list[Any]:
        asked = history.more(asked, read_event(event, "last", WHOLE))
        return [asked, history.past(studio, asked)]

    @told
    def on_newest(asked: Query) -> list[Any]:
        asked = replace(asked, before=None, limit=gallery.PAGE)
        return [asked, history.past(studio, asked)]

    @told
    def on_purge(asked: Query, event: gr.EventData) -> list[Any]:
        return list(purge(studio, read_event(event, "sure", SWITCH), asked))

    controls, shown = list(filters.values()), [bench.asked, past]
    gr.on([one.change for one in controls], on_search, controls, shown, **QUICK)
    past.more(on_more, bench.asked, shown, **QUICK)
    past.newest(on_newest, bench.asked, shown, **QUICK)
    past.purge(on_purge, bench.asked, [past, bench.html["message"]], **QUICK)


def _wire_label(bench: Bench) -> None:
    studio, html, desk = bench.page.studio, bench.html, bench.page.handover
    panel = bench.page.sidebar.edits

    @told
    def on_restore(request: gr.Request, event: gr.EventData, turn: Any, kept: Any) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            return bench.restoring(studio.history.get(read_event(event, "id", WHOLE)).recipe, session)

    @told
    def on_star(asked: Query, event: gr.EventData) -> list[Any]:
        return list(star(studio, read_event(event, "id", WHOLE), read_event(event, "on", SWITCH), asked))

    @told
    def on_delete(asked: Query, event: gr.EventData) -> list[Any]:
        return [0, *delete(studio, read_event(event, "id", WHOLE), asked)]

    @told
    def on_undelete(asked: Query, event: gr.EventData) -> list[Any]:
        return [read_event(event, "id", WHOLE), *undelete(studio, read_event(event, "id", WHOLE), asked)]

    @told
    def on_send(before: handover.Handover | None, event: gr.EventData) -> list[Any]:
        sent = handover.send(studio, read_event(event, "to", TEXT), read_event(event, "id", WHOLE), before)
        return [*desk.put(sent), gr.Tabs(selected=sent.to)]

    label, sheet = html["caption"], [bench.shown, html["canvas"], html["caption"], html["past"]]
    label.restore(on_restore, panel.given, bench.restored, js=TURN, **EVERY)
    label.star(on_star, bench.asked, [label, html["past"]], **QUICK)
    label.delete(on_delete, bench.asked, sheet, **QUICK)
    label.undelete(on_undelete, bench.asked, sheet, **QUICK)
    label.send(on_send, desk.state, [*desk.outputs, bench.page.tabs], **QUICK)
