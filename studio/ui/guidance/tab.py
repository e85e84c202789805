"""The Guidance tab: its parts wired to what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from studio.services.presets import GuidancePresets
from studio.ui import handover
from studio.ui.components import menu
from studio.ui.guidance import layout, run
from studio.ui.guidance.board import BoardSession
from studio.ui.guidance.handlers import Call, Handlers
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions, count
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING
from studio.ui.wiring import Answer, Event, Mode, Wiring

TITLE = "Guidance"
# Where the page is narrow, what is drawn is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.guidance > .stage');
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) {
    stage.scrollIntoView({behavior: calm ? 'auto' : 'smooth'});
  }
}"""
# What every event brings along, of the same number and kind, so that Gradio takes as long to gather them, and turns
# are taken in the order of events. In place of the revisions, those that take a turn have it: of the board, and of the
# edit stack, for what is drawn is drawn with the edits as they were at the event.
TURNS = ("board", "stack")
SHARED = ("model", *run.FIELDS)
LOOKING = ("board_revision", "stack_revision", *TURNS, *SHARED)
SEEN = (
    "board",
    "rows",
    "results",
    "why",
    "film",
    "message",
    "sweep_name",
    "sweep_low",
    "sweep_high",
    "stop",
    "board_revision",
)


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    presets = GuidancePresets(page.studio.settings.workspace)
    parts = {**page.parts, **layout.build(page.studio, presets), **page.remembered("guidance", "board", "draft")}
    wiring = Wiring(parts)
    do = Handlers(page.studio, presets, Sessions(BoardSession))
    events = _Events(page, wiring)
    _wire_looking(page, events, do)
    _wire_rows(events, do)
    _wire_drawing(events, do)
    handover.wire_sending(page, wiring, "results")
    wiring.keep(run.FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: run.stored_fields(event["draft"]), ("draft",), run.FIELDS)


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
        gives: Sequence[str],
        *takes: str,
        tells: Sequence[str] = (),
        mode: Mode = "multiple",
        announces: bool = False,
    ) -> Any:
        """An event that takes its turn. takes: further parts whose values the handler is given; tells: as `look`."""
        handled = self._handled(handler, takes, tells)
        return self.wiring.on(happens, handled, (*SHARED, *takes), gives, turns=TURNS, mode=mode, announces=announces)

    def _handled(
        self, handler: Callable[..., Answer], takes: Sequence[str], tells: Sequence[str]
    ) -> Callable[[Event], Answer]:
        def handle(event: Event) -> Answer:
            further = [event[name] for name in takes] + [event.read(name, ANYTHING) for name in tells]
            return handler(self._call(event), *further)

        handle.__name__ = handler.__name__
        return handle

    def _call(self, event: Event) -> Call:
        """As `call_of`, with the edits of an event that takes turns. Its turn of the stack is over then."""
        call = call_of(event)
        if call.turn is not None:
            with self.edits.of(event) as session:
                call = replace(call, edits=session.value.refs)
        return call


def _wire_looking(page: Page, events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_tab(call: Call, title: Any) -> Answer:
        return do.visited(call) if title == TITLE else {}

    def on_handover(event: Event, sent: Handover) -> Answer:
        return do.receive(call_of(event), sent)

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tabs.select, on_tab, (*SEEN, "preset"), "value")
    for shared in ("model", "sampler"):
        events.change(parts[shared].change, do.shared_changed, SEEN)
    events.look(parts["board_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    for place in (parts["results"], parts["film"]):
        events.look(
            place.look, do.update_pictures, ("board", "results", "why", "strip", "film", "stop", "board_revision")
        )
        looked_into = ("board", "results", "why", "strip", "board_revision")
        click = events.change(place.why, do.look_into, looked_into, tells=("id",))
        events.look(click.then, do.strip, ("strip",), mode="multiple")
    handover.receive(page, events.wiring, "guidance", on_handover, LOOKING, (*SEEN, *run.FIELDS))


def _wire_rows(events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_row(event: Event) -> Answer:
        return do.row_op(events._call(event), event.data)

    events.wiring.on(parts["rows"].op, on_row, SHARED, SEEN, turns=TURNS, mode="multiple", announces=True)
    events.change(parts["take"].click, do.take_pictures, (*SEEN, "pictures"), "pictures", mode="once")
    events.change(menu.chosen(parts["preset"]), do.take_preset, (*SEEN, "preset"), "preset", announces=True)
    events.change(parts["save"].click, do.save, ("preset", "preset_name", "message"), "preset_name", mode="once")


def _wire_drawing(events: _Events, do: Handlers) -> None:
    parts = events.parts
    # Once: who presses twice wants one job.
    go = events.change(parts["go"].click, do.compare, (*SEEN, "strip"), mode="once", announces=True)
    events.wiring.then(go, REVEAL)
    sweep_fields = ("sweep_name", "sweep_low", "sweep_high", "sweep_count")
    events.change(parts["sweep_go"].click, do.sweep, SEEN, *sweep_fields, mode="once", announces=True)
    events.change(parts["stop"].click, do.stop, SEEN, announces=True)
    events.change(menu.chosen(parts["sweep_name"]), do.limits, ("sweep_low", "sweep_high"), "sweep_name")


def call_of(event: Event) -> Call:
    """What an event of the tab brings along."""
    fields = {name: event[name] for name in run.FIELDS}
    return Call(event.session, count(event["board_revision"]), event["board"], event["model"], fields=fields)
