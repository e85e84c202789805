"""The Compare tab: its parts wired to what they do."""

from __future__ import annotations

from typing import Any

from studio.services.presets import GuidancePresets
from studio.ui import handover
from studio.ui.board_events import BoardEvents, Call
from studio.ui.compare import columns, layout, view
from studio.ui.compare.board import BoardSession
from studio.ui.compare.doing import FIELDS
from studio.ui.compare.handlers import Handlers
from studio.ui.components import menu
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

TITLE = "Compare"
DRAWN = ("table", "statistics", "files", "go", "stop", "compare_revision")
VARIED = tuple(name for name in view.AXES if name.startswith("vary"))
MENUS = ("preset", "edit", "training", "saved")
SEEN = ("compare", *DRAWN, "editor", "message", "bar", "basis", "columns_told", "rival", "tests", *FIELDS, *VARIED)


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    presets = GuidancePresets(page.studio.settings.workspace)
    parts = {**page.parts, **layout.build(page.studio), **page.remembered("compare", "compare", "draft")}
    wiring = Wiring(parts)
    do = Handlers(page.studio, presets, Sessions(BoardSession))
    events = BoardEvents(page.sidebar.edits, wiring, "compare", FIELDS, SEEN)
    _wire_looking(page, events, do)
    _wire_rows(events, do)
    _wire_adding(events, do)
    _wire_keeping(events, do)
    wiring.keep(FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: stored_fields(event["draft"]), ("draft",), FIELDS)


def _wire_looking(page: Page, events: BoardEvents, do: Handlers) -> None:
    parts = events.parts

    def on_handover(event: Event, sent: Handover) -> Answer:
        return do.receive(events.call(event), sent)

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tab.select, do.visited, (*SEEN, *MENUS), mode="multiple")
    events.look(parts["compare_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    events.look(parts["table"].look, do.update_pictures, DRAWN)
    handover.receive(page, events.wiring, "compare", on_handover, events.looking, SEEN)


def _wire_rows(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts

    def on_refer(call: Call, row: Any) -> Answer:
        return do.row_op(call, {"op": "refer", "row": row})

    for host in ("table", "editor"):
        events.op(parts[host].op, do.row_op)
    events.change(parts["table"].refer, on_refer, tells=("row",))
    for name in ("prompts", "seeds"):
        events.change([parts[name].blur, parts[name].submit], do.columns_changed)
    for name in ("paired", "equal"):
        events.change(parts[name].input, do.columns_changed)
    # Once: who presses twice wants one job.
    events.change(parts["go"].click, do.draw, mode="once", announces=True)
    events.change(parts["stop"].click, do.stop, gives=DRAWN, announces=True)
    events.change(parts["test"].click, do.blind_test, "rival", mode="once", announces=True)
    events.change(parts["tests"].end, do.end_test, tells=("campaign",), announces=True)


def _wire_adding(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts
    events.change(parts["take"].click, do.add_pictures, "pictures", gives=(*SEEN, "pictures"), mode="once")
    events.change(parts["dropped"].upload, do.add_files, "dropped", gives=(*SEEN, "dropped"))
    gives = (*SEEN, "preset", "training")
    events.change(menu.chosen(parts["preset"]), do.add_preset, "preset", gives=gives)
    events.change(menu.chosen(parts["training"]), do.add_training, "training", gives=gives)
    events.change(parts["add_models"].click, do.add_models, "models", mode="once")
    events.change(parts["add_edit"].click, do.add_edit, "edit", "strengths", mode="once")
    events.change(parts["add_values"].click, do.add_values, *view.AXES, mode="once")


def _wire_keeping(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts
    events.change(parts["save"].click, do.save, "saved_name", gives=(*SEEN, *MENUS), mode="once")
    opened = (*SEEN, "saved", "saved_name")
    events.change(menu.chosen(parts["saved"]), do.open_saved, "saved", gives=opened)
    events.change(
        parts["forget"].click, do.forget_saved, "saved_name", gives=(*SEEN, *MENUS, "saved_name"), mode="once"
    )
    events.change(parts["clear"].click, do.clear, mode="once")
    events.change(parts["bring_back"].click, do.bring_back, mode="once")


def stored_fields(stored: Any) -> dict[str, Any]:
    """Of a browser's copy of the FIELDS, whatever that is, what they can hold."""

    def fits(name: str, value: Any) -> bool:
        if name in ("paired", "equal"):
            return isinstance(value, bool)
        return isinstance(value, str) and len(value) <= columns.MAX_CHARS

    if not isinstance(stored, dict):
        return {}
    return {name: stored[name] for name in FIELDS if name in stored and fits(name, stored[name])}
