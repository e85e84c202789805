"""The Compare tab: its parts wired to what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from studio.services.presets import GuidancePresets
from studio.ui import handover
from studio.ui.compare import columns, layout, view
from studio.ui.compare.board import BoardSession
from studio.ui.compare.doing import FIELDS, Call
from studio.ui.compare.handlers import Handlers
from studio.ui.components import menu
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions, count
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING
from studio.ui.wiring import Answer, Event, Mode, Wiring

TITLE = "Compare"
# What every event brings along, of the same number and kind, and in which order it takes its turn: as on the Guidance
# tab.
TURNS = ("compare", "stack")
SHARED = ("model", *FIELDS)
LOOKING = ("compare_revision", "stack_revision", *TURNS, *SHARED)
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
    events = _Events(page, wiring)
    _wire_looking(page, events, do)
    _wire_rows(events, do)
    _wire_adding(events, do)
    _wire_keeping(events, do)
    wiring.keep(FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: stored_fields(event["draft"]), ("draft",), FIELDS)


class _Events:
    """Events of the tab, of which each handler is told as a `Call`, and what else it takes by name."""

    def __init__(self, page: Page, wiring: Wiring) -> None:
        self.edits = page.sidebar.edits
        self.wiring = wiring
        self.parts = wiring.parts

    def look(
        self, happens: Any, handler: Callable[..., Answer], gives: Sequence[str], *tells: str, mode: Mode | None = None
    ) -> Any:
        """An event that changes nothing. tells: what it tells of that the handler is given."""
        return self.wiring.on(happens, self._handled(handler, (), tells), LOOKING, gives, mode=mode)

    def change(
        self,
        happens: Any,
        handler: Callable[..., Answer],
        *takes: str,
        gives: Sequence[str] = SEEN,
        tells: Sequence[str] = (),
        mode: Mode = "multiple",
        announces: bool = False,
    ) -> Any:
        """An event that takes its turn. takes: further parts whose values the handler is given; tells: as `look`."""
        handled = self._handled(handler, takes, tells)
        return self.wiring.on(happens, handled, (*SHARED, *takes), gives, turns=TURNS, mode=mode, announces=announces)

    def call(self, event: Event) -> Call:
        """As `call_of`, with the edits of an event that takes turns. Its turn of the stack is over then."""
        call = call_of(event)
        if call.turn is not None:
            with self.edits.of(event) as session:
                call = replace(call, edits=session.value.refs)
        return call

    def _handled(
        self, handler: Callable[..., Answer], takes: Sequence[str], tells: Sequence[str]
    ) -> Callable[[Event], Answer]:
        def handle(event: Event) -> Answer:
            further = [event[name] for name in takes] + [event.read(name, ANYTHING) for name in tells]
            return handler(self.call(event), *further)

        handle.__name__ = handler.__name__
        return handle


def _wire_looking(page: Page, events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_tab(call: Call, title: Any) -> Answer:
        return do.visited(call) if title == TITLE else {}

    def on_handover(event: Event, sent: Handover) -> Answer:
        return do.receive(call_of(event), sent)

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tabs.select, on_tab, (*SEEN, *MENUS), "value")
    events.look(parts["compare_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    events.look(parts["table"].look, do.update_pictures, DRAWN)
    handover.receive(page, events.wiring, "compare", on_handover, LOOKING, SEEN)


def _wire_rows(events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_row(event: Event) -> Answer:
        return do.row_op(events.call(event), event.data)

    def on_refer(call: Call, row: Any) -> Answer:
        return do.row_op(call, {"op": "refer", "row": row})

    for host in ("table", "editor"):
        events.wiring.on(parts[host].op, on_row, SHARED, SEEN, turns=TURNS, mode="multiple", announces=True)
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


def _wire_adding(events: _Events, do: Handlers) -> None:
    parts = events.parts
    events.change(parts["take"].click, do.add_pictures, "pictures", gives=(*SEEN, "pictures"), mode="once")
    events.change(parts["dropped"].upload, do.add_files, "dropped", gives=(*SEEN, "dropped"))
    gives = (*SEEN, "preset", "training")
    events.change(menu.chosen(parts["preset"]), do.add_preset, "preset", gives=gives)
    events.change(menu.chosen(parts["training"]), do.add_training, "training", gives=gives)
    events.change(parts["add_models"].click, do.add_models, "models", mode="once")
    events.change(parts["add_edit"].click, do.add_edit, "edit", "strengths", mode="once")
    events.change(parts["add_values"].click, do.add_values, *view.AXES, mode="once")


def _wire_keeping(events: _Events, do: Handlers) -> None:
    parts = events.parts
    events.change(parts["save"].click, do.save, "saved_name", gives=(*SEEN, *MENUS), mode="once")
    opened = (*SEEN, "saved", "saved_name")
    events.change(menu.chosen(parts["saved"]), do.open_saved, "saved", gives=opened)
    events.change(
        parts["forget"].click, do.forget_saved, "saved_name", gives=(*SEEN, *MENUS, "saved_name"), mode="once"
    )
    events.change(parts["clear"].click, do.clear, mode="once")
    events.change(parts["bring_back"].click, do.bring_back, mode="once")


def call_of(event: Event) -> Call:
    """What an event of the tab brings along."""
    fields = {name: event[name] for name in FIELDS}
    return Call(event.session, count(event["compare_revision"]), event["compare"], event["model"], fields=fields)


def stored_fields(stored: Any) -> dict[str, Any]:
    """Of a browser's copy of the FIELDS, whatever that is, what they can hold."""

    def fits(name: str, value: Any) -> bool:
        if name in ("paired", "equal"):
            return isinstance(value, bool)
        return isinstance(value, str) and len(value) <= columns.MAX_CHARS

    if not isinstance(stored, dict):
        return {}
    return {name: stored[name] for name in FIELDS if name in stored and fits(name, stored[name])}
