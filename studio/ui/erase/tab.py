"""The Erase tab: its parts wired to what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.training.erase.lines import read_text
from studio.ui import handover
from studio.ui.erase import layout, plan
from studio.ui.erase.board import BoardSession
from studio.ui.erase.handlers import Call, Handlers
from studio.ui.sessions import Sessions, count
from studio.ui.stack_panel import GIVES as STACK
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING, TEXT, is_number
from studio.ui.wiring import Answer, Event, Mode, Wiring

TITLE = "Erase"
# Where the page is narrow, what comes of it is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.erase > .stage');
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) stage.scrollIntoView();
}"""
# What every event brings along; see studio.ui.guidance.tab.
TURNS = ("erase", "stack")
SHARED = ("model", *plan.FIELDS)
LOOKING = ("erase_revision", "stack_revision", *TURNS, *SHARED)
FORM = ("erase", "erase_revision", "aim", "rows", "wishes", "near", "methods", "sliders", "note", "batch", "go")
TRIAL = ("erase", "erase_revision", "outcome", "pairs", "figures", "card", "message", "past", "stop")
SEEN = (*FORM, *(name for name in TRIAL if name not in FORM))


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    parts = {**page.parts, **layout.build(), **page.remembered("erase", "erase", "draft")}
    wiring = Wiring(parts)
    do = Handlers(page.studio, Sessions(BoardSession))
    events = _Events(page, wiring)
    _wire_looking(page, events, do)
    _wire_changes(events, do)
    _wire_lines(events, do)
    _wire_acts(events, do)
    handover.wire_sending(page, wiring, "pairs")
    wiring.keep(plan.FIELDS, "draft")
    wiring.on(page.demo.load, lambda event: stored_fields(event["draft"]), ("draft",), plan.FIELDS)


class _Events:
    """Events of the tab, of which each handler is told as a `Call`."""

    def __init__(self, page: Page, wiring: Wiring) -> None:
        self.panel = page.sidebar.edits
        self.wiring = wiring
        self.parts = wiring.parts

    def look(
        self, happens: Any, handler: Callable[..., Answer], gives: Sequence[str], *tells: str, mode: Mode | None = None
    ) -> Any:
        """An event that changes nothing. tells: what it tells of that the handler is given."""
        return self.wiring.on(happens, self._handled(handler, tells), LOOKING, gives, mode=mode)

    def change(
        self,
        happens: Any,
        handler: Callable[..., Answer],
        gives: Sequence[str],
        *tells: str,
        mode: Mode = "multiple",
        announces: bool = False,
    ) -> Any:
        """An event that takes its turn. tells: as `look`."""
        handled = self._handled(handler, tells)
        return self.wiring.on(happens, handled, SHARED, gives, turns=TURNS, mode=mode, announces=announces)

    def _handled(self, handler: Callable[..., Answer], tells: Sequence[str]) -> Callable[[Event], Answer]:
        def handle(event: Event) -> Answer:
            return handler(self._call(event), *(event.read(name, ANYTHING) for name in tells))

        handle.__name__ = handler.__name__
        return handle

    def _call(self, event: Event) -> Call:
        """As `call_of`, with the stack as it is at the event. Its turn of the stack is over then."""
        with self.panel.of(event) as session:
            return replace(call_of(event), stack=session.value)


def _wire_looking(page: Page, events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_tab(call: Call, title: Any) -> Answer:
        return do.visited(call) if title == TITLE else {}

    events.look(page.demo.load, do.opened, SEEN)
    events.look(page.tabs.select, on_tab, SEEN, "value")
    events.look(parts["erase_revision"].behind, do.behind, SEEN, "newest", mode="multiple")
    for place in ("pairs", "outcome", "card"):
        events.look(parts[place].look, do.looked, TRIAL)
    for place in ("rows", "near"):
        events.look(parts[place].look, do.looked_for, FORM)
    for name in ("preserve", "edit_name", "seed", "minutes"):
        events.change(parts[name].blur, do.checked, FORM)
    events.change(parts["model"].change, do.checked, FORM)


def _wire_changes(events: _Events, do: Handlers) -> None:
    parts = events.parts

    def on_row(event: Event) -> Answer:
        return do.row_op(events._call(event), event.data)

    def on_method(event: Event) -> Answer:
        return do.method_op(events._call(event), event.data)

    row_gives = (*FORM, "message")
    events.wiring.on(parts["rows"].op, on_row, SHARED, row_gives, turns=TURNS, mode="multiple", announces=True)

    def on_wishes(event: Event) -> Answer:
        return do.wishes_op(events._call(event), event.data)

    events.change(parts["aim"].op, do.aim_op, SEEN, "value")
    events.wiring.on(parts["wishes"].op, on_wishes, SHARED, row_gives, turns=TURNS, mode="multiple", announces=True)

    def on_near(event: Event) -> Answer:
        return do.near_op(events._call(event), event.data)

    near_gives = (*FORM, "message", "preserve")
    events.wiring.on(parts["near"].op, on_near, SHARED, near_gives, turns=TURNS, mode="multiple", announces=True)
    events.wiring.on(parts["methods"].op, on_method, SHARED, (*FORM, "message"), turns=TURNS, mode="multiple")
    # Once: who presses twice wants one job.
    go = events.change(parts["go"].click, do.erase, SEEN, mode="once", announces=True)
    events.wiring.then(go, REVEAL)
    events.change(parts["stop"].click, do.stop, (), announces=True)
    events.change(parts["card"].op, do.measure, TRIAL, "value", mode="once", announces=True)
    events.change(parts["pairs"].beside, do.beside_negative, TRIAL, announces=True)
    events.change(parts["past"].open, do.open, TRIAL, "edit", announces=True)


def _wire_lines(events: _Events, do: Handlers) -> None:
    """Many concepts at once, as lines: what a file says is put where they are typed."""
    parts, wiring = events.parts, events.wiring

    def on_file(event: Event) -> Answer:
        file = event["lines_file"]
        return {"lines": read_text(Path(file)), "lines_file": None} if file else {}

    def on_add(event: Event) -> Answer:
        return do.add_lines(events._call(event), event["lines"])

    def on_each(event: Event) -> Answer:
        return do.erase_each(events._call(event), event["lines"])

    wiring.on(parts["lines_file"].upload, on_file, ("lines_file",), ("lines", "lines_file"))
    gives = (*SEEN, "lines")
    for button, handler in (("add_lines", on_add), ("each_line", on_each)):
        click = parts[button].click
        wiring.on(click, handler, (*SHARED, "lines"), gives, turns=TURNS, mode="once", announces=True)
    events.look(parts["batch"].look, do.looked_at_batch, SEEN)


def _wire_acts(events: _Events, do: Handlers) -> None:
    """What is done with an edit may change the stack: alone with it until that is done."""
    panel = events.panel

    def on_act(event: Event) -> Answer:
        with panel.of(event) as session:
            call = replace(call_of(event), stack=session.value)
            answer, stack = do.act(call, event.read("op", TEXT), event.read("value", ANYTHING))
            if stack == session.value:
                return answer
            session.put(stack)
            return answer | panel.answer(session, event["model"])

    outcome, wiring = events.parts["outcome"], events.wiring
    takes = ("erase_revision", "erase", *SHARED)
    panel.on_change(wiring, events._handled(do.looked, ()), takes, TRIAL)
    wiring.on(outcome.op, on_act, SHARED, (*TRIAL, *STACK), turns=TURNS, mode="multiple", announces=True)
    panel.changed_by(
        wiring.on(outcome.decide, on_act, SHARED, (*TRIAL, *STACK), turns=TURNS, mode="multiple", announces=True)
    )


def call_of(event: Event) -> Call:
    """What an event of the tab brings along."""
    fields = {name: event[name] for name in plan.FIELDS}
    return Call(event.session, count(event["erase_revision"]), event["erase"], event["model"], fields=fields)


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
