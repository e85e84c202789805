"""Campaigns: what is asked about is made, drawn and looked after here. See studio/ui/label/campaigns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.core.recipe import EditRef
from studio.services.presets import GuidancePresets
from studio.ui import handover
from studio.ui.label.campaigns import form, layout, list_html
from studio.ui.label.campaigns.handlers import Handlers
from studio.ui.label.parts import Part
from studio.ui.stack_panel import SESSION
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING, TEXT, WHOLE
from studio.ui.wiring import Answer, Event, Wiring

TITLE = "Campaigns"
# What is not of the chosen source is out of sight: in the browser, for no answer is needed for that.
# On the page's body, for the form may not be there yet.
SHOW = """(source, prompts) => {
  document.body.dataset.campaignSource = source;
  document.body.dataset.campaignPrompts = prompts;
}"""
# Where the page is narrow, what came of it is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.campaigns-bench > .stage');
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) stage.scrollIntoView();
}"""
FIELDS = (*SESSION, *form.FIELDS, "pictures")
RefsOf = Callable[[Event], tuple[EditRef, ...]]
NOTED = ("source", *form.DRAWING, "same_seed", "steps", "seed", "mode", "checks")  # what the note beneath depends on


def build(page: Page) -> None:
    """Lay out and wire the part."""
    presets = GuidancePresets(page.studio.settings.workspace)
    parts: dict[str, Any] = {**page.parts, **layout.build(page.studio, presets)}
    parts |= {"draft": page.drafts["label"]}
    wiring, do = Wiring(parts), Handlers(page.studio, presets)
    refs_of = _refs_of(page)
    _wire_form(page, wiring, do, refs_of)
    _wire_list(page, wiring, do, refs_of)
    handover.receive(
        page,
        wiring,
        "label",
        lambda event, sent: do.received([picture.id for picture in sent.pictures], event["looked"]),
        ("looked",),
        ("source", "pictures", "message", "list"),
    )


def _refs_of(page: Page) -> RefsOf:
    """Gives the edits that are on in the sidebar, of an event that brings the stack along."""

    def refs_of(event: Event) -> tuple[EditRef, ...]:
        with page.sidebar.edits.of(event) as session:
            return session.value.refs

    return refs_of


def _wire_form(page: Page, wiring: Wiring, do: Handlers, refs_of: RefsOf) -> None:
    parts = wiring.parts

    def on_make(event: Event) -> Answer:
        return do.make(str(event.session), event.values, refs_of(event), event["looked"])

    def on_field(event: Event) -> Answer:
        return do.note(str(event.session), event.values, refs_of(event))

    def on_files(event: Event) -> Answer:
        uploads = [str(file) for name in ("files", "folder") for file in event[name] or ()]
        return do.files(str(event.session), uploads, event.values)

    answers = ("message", "list", "name", "files_html", "pictures")
    go = wiring.on(parts["go"].click, on_make, (*FIELDS, "looked"), answers, announces=True)
    wiring.then(go, REVEAL)
    changes = [parts[name].change for name in NOTED]
    wiring.on(changes, on_field, FIELDS, ("note", "files_html"), mode="always_last")
    uploads = [parts["files"].upload, parts["folder"].upload]
    wiring.on(uploads, on_files, ("files", "folder", *form.FIELDS), ("files", "folder", "message", "files_html"))
    wiring.keep(form.KEPT, "draft")
    wiring.on(page.demo.load, lambda event: form.stored(event["draft"]), ("draft",), form.KEPT)
    choices = ("source", "prompts_from")
    wiring.browser([page.demo.load, *(parts[name].change for name in choices)], SHOW, choices)


def _wire_list(page: Page, wiring: Wiring, do: Handlers, refs_of: RefsOf) -> None:
    table = wiring.parts["list"]

    def on_look(event: Event) -> Answer:
        return do.look(event["looked"])

    def on_op(event: Event) -> Answer:
        value = event.read("value", ANYTHING)
        return do.act(event.read("op", TEXT), event.read("campaign", WHOLE), value, event["looked"])

    def on_tab(event: Event) -> Answer:
        return do.look(event["looked"]) | do.note(str(event.session), event.values, refs_of(event))

    wiring.on(page.demo.load, on_look, ("looked",), ("list",))
    wiring.on(page.tab.select, on_tab, (*FIELDS, "looked"), ("list", "note", "files_html"), mode="multiple")
    wiring.on(table.look, on_look, ("looked",), ("list",))
    wiring.on(table.op, on_op, ("looked",), ("message", "looked", "list"), mode="multiple", announces=True)


PART = Part(
    TITLE,
    order=20,
    build=build,
    style=(Path(list_html.__file__).parent / "style.css").read_text(encoding="utf-8"),
)
