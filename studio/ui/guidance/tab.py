"""The Guidance tab: its parts wired to what they do."""

from __future__ import annotations

from studio.services.presets import GuidancePresets
from studio.ui import handover
from studio.ui.board_events import BoardEvents
from studio.ui.components import menu
from studio.ui.guidance import layout, run
from studio.ui.guidance.board import BoardSession
from studio.ui.guidance.handlers import Handlers
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

TITLE = "Guidance"
# Where the page is narrow, what is drawn is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.guidance > .stage');
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) {
    stage.scrollIntoView({behavior: calm ? 'auto' : 'smooth'});
  }
}"""
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
    events = BoardEvents(page.sidebar.edits, wiring, "board", run.FIELDS, SEEN)
    _wire_looking(page, events, do)
    _wire_rows(events, do)
    _wire_drawing(events, do)
    handover.wire_sending(page, wiring, "results")
    wiring.keep(run.FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: run.stored_fields(event["draft"]), ("draft",), run.FIELDS)


def _wire_looking(page: Page, events: BoardEvents, do: Handlers) -> None:
    parts = events.parts

    def on_handover(event: Event, sent: Handover) -> Answer:
        return do.receive(events.call(event), sent)

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tab.select, do.visited, (*SEEN, "preset"), mode="multiple")
    for shared in ("model", "sampler"):
        events.change(parts[shared].change, do.shared_changed)
    events.look(parts["board_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    for place in (parts["results"], parts["film"]):
        events.look(
            place.look, do.update_pictures, ("board", "results", "why", "strip", "film", "stop", "board_revision")
        )
        looked_into = ("board", "results", "why", "strip", "board_revision")
        click = events.change(place.why, do.look_into, gives=looked_into, tells=("id",))
        events.look(click.then, do.strip, ("strip",), mode="multiple")
    handover.receive(page, events.wiring, "guidance", on_handover, events.looking, (*SEEN, *run.FIELDS))


def _wire_rows(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts
    events.op(parts["rows"].op, do.row_op)
    events.change(parts["take"].click, do.take_pictures, "pictures", gives=(*SEEN, "pictures"), mode="once")
    events.change(menu.chosen(parts["preset"]), do.take_preset, "preset", gives=(*SEEN, "preset"), announces=True)
    saved = ("preset", "preset_name", "message")
    events.change(parts["save"].click, do.save, "preset_name", gives=saved, mode="once")


def _wire_drawing(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts
    # Once: who presses twice wants one job.
    go = events.change(parts["go"].click, do.compare, gives=(*SEEN, "strip"), mode="once", announces=True)
    events.wiring.then(go, REVEAL)
    sweep_fields = ("sweep_name", "sweep_low", "sweep_high", "sweep_count")
    events.change(parts["sweep_go"].click, do.sweep, *sweep_fields, mode="once", announces=True)
    events.change(parts["stop"].click, do.stop, announces=True)
    limits = ("sweep_low", "sweep_high")
    events.change(menu.chosen(parts["sweep_name"]), do.limits, "sweep_name", gives=limits)
