"""Events in, named answers out: how what happens on the page reaches a handler, and what it says the page.

    wiring = Wiring(parts)                     # name -> component
    wiring.on(parts["save"].click, save, takes=("name",), gives=("name", "message"))

    def save(event: Event) -> Answer:
        ...
        return {"name": "", "message": alert("Saved.", kind="note")}  # what is not named stays as it is

A handler is a function of plain values; a StudioError that it raises is shown on the page. An event that changes what
the server holds for the page (`sessions`) takes turns: `turns=("stack",)` has it wait for those before it. Of such a
thing there are two parts, the browser's copy (`stack`) and its revision (`stack_revision`), and the handler is told
both; in place of the revision, the turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import gradio as gr

from studio.ui import order
from studio.ui.errors import on_page
from studio.ui.values import ValueKind, read_field

Answer = dict[str, Any]
Handler = Callable[["Event"], "Answer | None"]
# Every listener is private: the page is no API. None is queued, so none waits for another.
BROWSER: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Other windows of this browser look again (page.js passes it on), and so does this one (watch.js).
ANNOUNCE = "() => window.dispatchEvent(new Event('palimpsest-changed'))"
# What becomes of an event that comes while another of its kind is under way: it is dropped, as who presses twice wants
# one job; it is sent all the same; or the last such is sent when that one is over.
Mode = Literal["once", "multiple", "always_last"]


@dataclass(frozen=True)
class Event:
    """What a handler is told.

    session: what Gradio calls the page by; None where it does not say.
    values: what was taken from the page, by name.
    data: what an event of our own tells besides.
    """

    session: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def read(self, name: str, kind: ValueKind) -> Any:
        """What the event tells under a name. Raises BadInput where that is of another kind."""
        return read_field(self.data, name, kind)


class Wiring:
    """The listeners of some parts of the page. parts: component of each name, which answers use too."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self.parts = parts
        self._aside: gr.State | None = None

    def on(
        self,
        happens: Any,
        handler: Handler,
        takes: Sequence[str] = (),
        gives: Sequence[str] = (),
        *,
        turns: Sequence[str] = (),
        mode: Mode | None = None,
        announces: bool = False,
        preprocess: bool = True,
    ) -> Any:
        """Call a handler with each event; give what further events follow by `.then`.

        happens: the listener of a component (`button.click`), or several of them.
        handler: a function of an `Event`.
        takes: names of what the handler is told.
        gives: names of what it may answer.
        turns: names of what the server holds for the page, with which the event takes turns; taken before `takes`.
        mode: what becomes of one that comes while another is under way; None: the last of a control that is changed
            is sent, and of all else none. Of a tab that is chosen all are, for it may be left and come back to.
        announces: other windows look again afterwards, and so does the watcher of this one.
        preprocess: whether Gradio checks what was taken.
        """
        takes = (*(f"{name}_revision" for name in turns), *turns, *takes)
        listen = _listener(happens)
        answered = listen(
            self._called(handler, takes, gives),
            self.components(takes),
            self.components(gives),
            js=order.turn(*turns) if turns else None,
            trigger_mode=mode,
            preprocess=preprocess,
            show_progress_on=self._progress_place(),
            **BROWSER,
        )
        if announces:
            self.then(answered, ANNOUNCE)
        return answered

    def browser(self, happens: Any, script: str, takes: Sequence[str] = (), gives: Sequence[str] = ()) -> Any:
        """Have a script of the browser answer an event, in the order of `gives`; no Python hears of it."""
        return _listener(happens)(None, self.components(takes), self.components(gives), js=script, **BROWSER)

    def then(self, answered: Any, script: str) -> None:
        """Run a script when an event was answered."""
        answered.then(None, None, None, js=script, api_visibility="private")

    def keep(self, names: Sequence[str], draft: str) -> None:
        """Keep what is typed in the browser: {name: value}, in a part that is a gr.BrowserState."""
        script = f"(...given) => Object.fromEntries({json.dumps(list(names))}.map((name, k) => [name, given[k]]))"
        self.browser([self.parts[name].change for name in names], script, names, (draft,))

    def components(self, names: Sequence[str]) -> list[Any]:
        """The components of some names."""
        return [self.parts[name] for name in names]

    def _progress_place(self) -> gr.State:
        """Where Gradio notes that a listener is under way: a part that is not seen.

        It would note it in everything a listener may answer, again and again, and have each count the time at every
        frame; of some it never says that it is over.
        """
        if self._aside is None:
            self._aside = gr.State()
        return self._aside

    def _called(self, handler: Handler, takes: Sequence[str], gives: Sequence[str]) -> Callable[..., Any]:
        @on_page
        def listener(request: gr.Request, happened: gr.EventData, *values: Any) -> Any:
            data = happened._data if isinstance(happened._data, dict) else {}
            event = Event(request.session_hash, dict(zip(takes, values, strict=True)), data)
            return listed(handler(event) or {}, gives)

        # By which it is told from others where it goes wrong. Not the handler's own name, for Gradio names addresses by
        # it, and a call of the public ones would lose its own.
        name = handler.__name__
        listener.__name__ = name if name.startswith("on_") else f"on_{name}"
        return listener


def listed(answer: Answer, gives: Sequence[str]) -> Any:
    """An answer in the order of components; those it does not name stay as they are."""
    assert set(answer) <= set(gives), f"answered, but not declared: {set(answer) - set(gives)}"
    values = [answer.get(name, gr.skip()) for name in gives]
    return values[0] if len(values) == 1 else values or None


def _listener(happens: Any) -> Callable[..., Any]:
    if not isinstance(happens, list):
        return happens

    def listen(fn: Any, inputs: Any, outputs: Any, **settings: Any) -> Any:
        return gr.on(happens, fn, inputs, outputs, **settings)

    return listen
