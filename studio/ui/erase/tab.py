"""The Erase tab: its parts wired to what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.training.erase.lines import read_text
from studio.ui import handover
from studio.ui.board_events import BoardEvents
from studio.ui.erase import layout, plan
from studio.ui.erase.board import BoardSession
from studio.ui.erase.handlers import Handlers
from studio.ui.sessions import Sessions
from studio.ui.stack_panel import GIVES as STACK
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING, TEXT, is_number
from studio.ui.wiring import Answer, Event, Wiring

TITLE = "Erase"
# Where the page is narrow, what comes of it is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.erase > .stage');
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) stage.scrollIntoView();
}"""
FORM = ("erase", "erase_revision", "aim", "rows", "wishes", "near", "methods", "sliders", "note", "batch", "go")
TRIAL = ("erase", "erase_revision", "outcome", "pairs", "figures", "card", "message", "past", "stop")
SEEN = (*FORM, *(name for name in TRIAL if name not in FORM))


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    parts = {**page.parts, **layout.build(), **page.remembered("erase", "erase", "draft")}
    wiring = Wiring(parts)
    do = Handlers(page.studio, Sessions(BoardSession))
    events = BoardEvents(page.sidebar.edits, wiring, "erase", plan.FIELDS, FORM)
    _wire_looking(page, events, do)
    _wire_changes(events, do)
    _wire_lines(events, do)
    _wire_acts(page, events, do)
    handover.wire_sending(page, wiring, "pairs")
    wiring.keep(plan.FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: stored_fields(event["draft"]), ("draft",), plan.FIELDS)


def _wire_looking(page: Page, events: BoardEvents, do: Handlers) -> None:
    parts = events.parts

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tab.select, do.visited, SEEN, mode="multiple")
    events.look(parts["erase_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    for place in ("pairs", "outcome", "card"):
        events.look(parts[place].look, do.looked, TRIAL)
    for place in ("rows", "near"):
        events.look(parts[place].look, do.looked_for, FORM)
    for name in ("preserve", "edit_name", "seed", "minutes"):
        events.change(parts[name].blur, do.checked)
    events.change(parts["model"].change, do.checked)


def _wire_changes(events: BoardEvents, do: Handlers) -> None:
    parts = events.parts
    events.op(parts["rows"].op, do.row_op, (*FORM, "message"))
    events.change(parts["aim"].op, do.aim_op, gives=SEEN, tells=("value",))
    events.op(parts["wishes"].op, do.wishes_op, (*FORM, "message"))
    events.op(parts["near"].op, do.near_op, (*FORM, "message", "preserve"))
    events.op(parts["methods"].op, do.method_op, (*FORM, "message"), announces=False)
    # Once: who presses twice wants one job.
    go = events.change(parts["go"].click, do.erase, gives=SEEN, mode="once", announces=True)
    events.wiring.then(go, REVEAL)
    events.change(parts["stop"].click, do.stop, gives=(), announces=True)
    events.change(parts["card"].op, do.measure, gives=TRIAL, tells=("value",), mode="once", announces=True)
    events.change(parts["pairs"].beside, do.beside_negative, gives=TRIAL, announces=True)
    events.change(parts["past"].open, do.open, gives=TRIAL, tells=("edit",), announces=True)


def _wire_lines(events: BoardEvents, do: Handlers) -> None:
    """Many concepts at once, as lines: what a file says is put where they are typed."""
    parts, wiring = events.parts, events.wiring

    def on_file(event: Event) -> Answer:
        file = event["lines_file"]
        return {"lines": read_text(Path(file)), "lines_file": None} if file else {}

    wiring.on(parts["lines_file"].upload, on_file, ("lines_file",), ("lines", "lines_file"))
    for button, handler in (("add_lines", do.add_lines), ("each_line", do.erase_each)):
        gives = (*SEEN, "lines")
        events.change(parts[button].click, handler, "lines", gives=gives, mode="once", announces=True)
    events.look(parts["batch"].look, do.looked_at_batch, SEEN)


def _wire_acts(page: Page, events: BoardEvents, do: Handlers) -> None:
    """What is done with an edit may change the stack: alone with it until that is done."""
    panel = page.sidebar.edits

    def on_act(event: Event) -> Answer:
        with panel.of(event) as session:
            call = events.call(event, session.value)
            answer, stack = do.act(call, event.read("op", TEXT), event.read("value", ANYTHING))
            if stack == session.value:
                return answer
            session.put(stack)
            return answer | panel.answer(session, event["model"])

    outcome, wiring = events.parts["outcome"], events.wiring
    panel.on_change(wiring, events.handled(do.looked), ("erase_revision", "erase", "model", *plan.FIELDS), TRIAL)
    events.turn(outcome.op, on_act, (*TRIAL, *STACK))
    panel.changed_by(events.turn(outcome.decide, on_act, (*TRIAL, *STACK)))


def stored_fields(stored: Any) -> dict[str, Any]:
    """Of a browser's copy of the fields, whatever that is, what they can hold."""
    limits = {"protect": (0, 10), "completeness": (0.9, 0.9999)}

    def fits(name: str, value: Any) -> bool:
        if name in limits:
            low, high = limits[name]
            return is_number(value) and low <= value <= high
        if name == "minutes":
            return value is None or is_number(value)
        if name in ("untouched", "sliders"):
            return isinstance(value, bool)
        return isinstance(value, str) and len(value) <= plan.MAX_CHARS

    if not isinstance(stored, dict):
        return {}
    return {name: stored[name] for name in plan.FIELDS if name in stored and fits(name, stored[name])}
