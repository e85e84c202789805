"""The Guidance tab: its parts wired to what they do. Events are turned into plain values here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.services.presets import GuidancePresets
from studio.ui import handover, order
from studio.ui.components import menu
from studio.ui.errors import told
from studio.ui.guidance import glance, layout, run
from studio.ui.guidance.board import BoardSession
from studio.ui.guidance.handlers import Call, Handlers
from studio.ui.guidance.layout import Parts
from studio.ui.guidance.view import Answer
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions, count
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT, read_event

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Gradio drops an event that comes while another of its kind is under way, unless it is told otherwise.
EVERY: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}
# Other windows of this browser look again, and so does the sidebar of this one, which shows the queue.
ANNOUNCE = "() => ['changed', 'refresh'].forEach((what) => window.dispatchEvent(new Event('palimpsest-' + what)))"
# Where the page is narrow, what is drawn is below all that was set.
REVEAL = """() => {
  const stage = document.querySelector('.guidance > .stage');
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (stage.getBoundingClientRect().top > 0.8 * window.innerHeight) {
    stage.scrollIntoView({behavior: calm ? 'auto' : 'smooth'});
  }
}"""
TITLE = "Guidance"

# What every event brings along. In place of the revisions, those that take a turn have it: of the board, and of the
# edit stack, for what is drawn is drawn with the edits as they were at the event.
SHARED = ("revision", "stack_revision", "board", "stack", "model", *run.FIELDS)
TURNS = order.turn("board", "stack")
SEEN = ("board", "rows", "results", "why", "film", "message", "sweep_name", "sweep_low", "sweep_high", "timer", "stop",
        "revision")  # fmt: skip


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    presets = GuidancePresets(page.studio.settings.workspace)
    parts = layout.build(presets)
    edits = page.sidebar.edits
    parts |= {"board": page.memories["guidance"], "model": page.sidebar.model}
    parts |= {"stack_revision": edits.revision, "stack": edits.state}
    Wiring(page, parts, Handlers(page.studio, presets, Sessions(BoardSession))).wire()


class Wiring:
    """From components to handlers and back. parts: by the names that answers use."""

    def __init__(self, page: Page, parts: Parts, handlers: Handlers) -> None:
        self._page = page
        self._parts = parts
        self._do = handlers

    def wire(self) -> None:
        """Everything that happens on the tab."""
        self._wire_looking()
        self._wire_rows()
        self._wire_drawing()

    def _wire_looking(self) -> None:
        do, parts = self._do, self._parts
        self._page.demo.load(self._plain(do.opened, SEEN), self._given(), self._components(SEEN), **QUICK)
        self._wire_draft()
        shown = (*SEEN, "preset")
        self._page.tabs.select(self._on_tab(shown), self._given(), self._components(shown), **QUICK)
        self._on(parts["model"].change, do.model_changed, SEEN)
        told_of = self._components(SEEN)
        parts["revision"].behind(self._eventful(do.behind, SEEN, "newest"), self._given(), told_of, **EVERY)
        ticking = ("results", "film", "timer", "stop", "revision")
        moving = self._components(glance.PARTS)
        parts["timer"].tick(None, parts["board"], moving, js=glance.SCRIPT, api_visibility="private")
        parts["message"].look(self._plain(do.tick, ticking), self._given(), self._components(ticking), **QUICK)
        for place in (parts["results"], parts["film"]):
            outputs = ("board", "results", "why", "strip", "revision")
            click = place.why(
                self._eventful(do.look_into, outputs, "id"), self._given(), self._components(outputs),
                js=TURNS, **EVERY,
            )  # fmt: skip
            click.then(self._plain(do.strip, ("strip",)), self._given(), self._components(("strip",)), **EVERY)
        handover.receive(
            self._page, "guidance", self._on_handover, self._components((*SEEN, *run.FIELDS)), self._given()
        )

    def _wire_draft(self) -> None:
        """What all rows share is kept by the browser, and comes back with the page."""
        fields, draft = self._components(run.FIELDS), self._page.drafts["guidance"]

        @told
        def on_open(kept: Any) -> list[Any]:
            held = run.kept_fields(kept)
            return [gr.update(value=held[name]) if name in held else gr.skip() for name in run.FIELDS]

        self._page.demo.load(on_open, draft, fields, **QUICK)
        keep = f"(...given) => Object.fromEntries({list(run.FIELDS)!r}.map((name, place) => [name, given[place]]))"
        gr.on([field.change for field in fields], None, fields, draft, js=keep, api_visibility="private")

    def _wire_rows(self) -> None:
        do, parts = self._do, self._parts
        parts["rows"].op(
            self._eventful(lambda call, op: do.row_op(call, op), SEEN, None), self._given(), self._components(SEEN),
            js=TURNS, **EVERY,
        )  # fmt: skip
        self._on(menu.chosen(parts["preset"]), do.take_preset, (*SEEN, "preset"), ("preset",))
        self._on(parts["save"].click, do.save, ("preset", "preset_name", "message"), ("preset_name",), once=True)

    def _wire_drawing(self) -> None:
        do, parts = self._do, self._parts
        # Once: who presses twice wants one job.
        go = self._on(parts["go"].click, do.compare, (*SEEN, "strip"), once=True)
        asked = ("sweep_name", "sweep_low", "sweep_high", "sweep_count")
        swept = self._on(parts["sweep_go"].click, do.sweep, SEEN, asked, once=True)
        for begun in (go, swept):
            begun.then(None, None, None, js=ANNOUNCE, api_visibility="private")
        go.then(None, None, None, js=REVEAL, api_visibility="private")
        self._on(parts["stop"].click, do.stop, ())
        self._on(menu.chosen(parts["sweep_name"]), do.limits, ("sweep_low", "sweep_high"), ("sweep_name",))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _on(
        self, event: Callable[..., Any], handler: Callable[..., Answer], outputs: Sequence[str],
        more: Sequence[str] = (), once: bool = False,
    ) -> Any:  # fmt: skip
        """Call handler(call, *more) with each event, which takes a turn. once: not while one is under way."""
        return event(
            self._plain(handler, outputs), self._given(more), self._components(outputs), js=TURNS,
            **(QUICK if once else EVERY),
        )  # fmt: skip

    def _given(self, more: Sequence[str] = ()) -> list[Any]:
        """The inputs of every event: of the same number and kind, so that Gradio takes as long to gather them, and
        turns are taken in the order of events.
        """
        return self._components((*SHARED, *more))

    def _components(self, names: Sequence[str]) -> list[Any]:
        return [self._parts[name] for name in names]

    def _call(self, request: gr.Request, values: Sequence[Any]) -> tuple[Call, Sequence[Any]]:
        """As `call_of`, with the edits of an event that takes turns. Its turn of the stack is over then."""
        call, more = call_of(request.session_hash, values)
        _, turn, _, kept, *_ = values
        if call.turn is not None:
            with self._page.sidebar.edits.sessions.of(call.session, kept, turn) as session:
                call = replace(call, edits=session.value.refs)
        return call, more

    def _plain(self, handler: Callable[..., Answer], outputs: Sequence[str]) -> Callable[..., Any]:
        @told
        def on_event(request: gr.Request, *values: Any) -> Any:
            call, more = self._call(request, values)
            return listed(handler(call, *more), outputs)

        return on_event

    def _eventful(self, handler: Callable[..., Answer], outputs: Sequence[str], name: str | None) -> Callable[..., Any]:
        """For events of our own. name: of what the handler is told of the event; None for all of it."""

        @told
        def on_event(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            data = event._data if isinstance(event._data, dict) else {}
            call, _ = self._call(request, values)
            return listed(handler(call, data if name is None else data.get(name)), outputs)

        return on_event

    def _on_tab(self, outputs: Sequence[str]) -> Callable[..., Any]:
        @told
        def on_tab(request: gr.Request, event: gr.EventData, *values: Any) -> Any:
            call, _ = call_of(request.session_hash, values)
            return listed(self._do.visited(call) if read_event(event, "value", TEXT) == TITLE else {}, outputs)

        return on_tab

    def _on_handover(self, sent: Handover, session: str | None, *values: Any) -> Any:
        call, _ = call_of(session, values)
        return listed(self._do.receive(call, sent), (*SEEN, *run.FIELDS))


def call_of(session: Any, values: Sequence[Any]) -> tuple[Call, Sequence[Any]]:
    """What an event brings along, in the order of its inputs; and what else it has."""
    turn, _, kept, _, model, *rest = values
    fields: dict[str, Any] = dict(zip(run.FIELDS, rest[: len(run.FIELDS)], strict=True))
    return Call(session, count(turn), kept, model, fields=fields), rest[len(run.FIELDS) :]


def listed(answer: Answer, outputs: Sequence[str]) -> Any:
    """An answer in the order of components; those it does not name stay as they are."""
    assert set(answer) <= set(outputs), set(answer) - set(outputs)
    found = [answer.get(name, gr.skip()) for name in outputs]
    return found[0] if len(found) == 1 else found or None
