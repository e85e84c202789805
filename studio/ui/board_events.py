"""Events of a tab that holds a board for each page: a handler is told of each as a `Call`, with what else it takes.

All bring along the same number and kind of things, so that Gradio takes as long to gather them and turns are taken in
the order of events. In place of the revisions, those that take a turn have it: of the board, and of the edit stack, for
what is drawn is drawn with the edits as they were at the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.core.recipe import EditRef
from studio.ui.edit_stack import Stack
from studio.ui.sessions import count
from studio.ui.stack_panel import NAME as STACK
from studio.ui.stack_panel import StackPanel
from studio.ui.values import ANYTHING
from studio.ui.wiring import Answer, Event, Mode, Wiring


@dataclass(frozen=True)
class Call:
    """What an event brings along, none of it checked.

    session: the page's.
    turn: of its events, None for one that takes none.
    stored: the browser's copy of the board.
    model: of the sidebar.
    stack: of the sidebar.
    fields: what is set on the tab, by the names it has there.
    """

    session: Any = None
    turn: Any = None
    stored: Any = None
    model: str = ""
    stack: Stack = field(default_factory=Stack)
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def edits(self) -> Sequence[EditRef]:
        """What of the stack goes into a recipe."""
        return self.stack.refs


class BoardEvents:
    """The events of one tab.

    looking: what a look takes of the page, by name.
    """

    def __init__(
        self, panel: StackPanel, wiring: Wiring, board: str, fields: Sequence[str], gives: Sequence[str]
    ) -> None:
        """panel: of the edit stack.
        board: name of the part that holds the browser's copy.
        fields: see `Call`.
        gives: what a change may answer that says nothing else.
        """
        self.wiring = wiring
        self.parts = wiring.parts
        self._panel, self._board, self._fields, self._gives = panel, board, fields, gives
        self._turns, self._shared = (board, STACK), ("model", *fields)
        self.looking = (f"{board}_revision", f"{STACK}_revision", *self._turns, *self._shared)

    def look(
        self, happens: Any, handler: Callable[..., Answer], gives: Sequence[str], *tells: str, mode: Mode | None = None
    ) -> Any:
        """An event that changes nothing. tells: what it tells of that the handler is given."""
        return self.wiring.on(happens, self.handled(handler, (), tells), self.looking, gives, mode=mode)

    def change(
        self,
        happens: Any,
        handler: Callable[..., Answer],
        *takes: str,
        gives: Sequence[str] | None = None,
        tells: Sequence[str] = (),
        mode: Mode = "multiple",
        announces: bool = False,
    ) -> Any:
        """An event that takes its turn. takes: further parts whose values the handler is given; tells: as `look`."""
        handled = self.handled(handler, takes, tells)
        takes, gives = (*self._shared, *takes), self._gives if gives is None else gives
        return self.wiring.on(happens, handled, takes, gives, turns=self._turns, mode=mode, announces=announces)

    def op(
        self,
        happens: Any,
        handler: Callable[[Call, Mapping[str, Any]], Answer],
        gives: Sequence[str] | None = None,
        announces: bool = True,
    ) -> Any:
        """An event of a list that is edited in place: it takes its turn, and the handler is given all that it tells."""

        def on_op(event: Event) -> Answer:
            return handler(self.call(event), event.data)

        return self.turn(happens, on_op, self._gives if gives is None else gives, announces=announces)

    def turn(
        self, happens: Any, handler: Callable[[Event], Answer], gives: Sequence[str], announces: bool = True
    ) -> Any:
        """An event that takes its turn, whose handler reads it itself, by `call`."""
        return self.wiring.on(
            happens, handler, self._shared, gives, turns=self._turns, mode="multiple", announces=announces
        )

    def call(self, event: Event, stack: Stack | None = None) -> Call:
        """What an event brings along. stack: of whoever is alone with it; None: as it is now, its turn over by then."""
        if stack is None:
            with self._panel.of(event) as session:
                stack = session.value
        fields = {name: event[name] for name in self._fields}
        turn = count(event[f"{self._board}_revision"])
        return Call(event.session, turn, event[self._board], event["model"], stack, fields)

    def handled(
        self, handler: Callable[..., Answer], takes: Sequence[str] = (), tells: Sequence[str] = ()
    ) -> Callable[[Event], Answer]:
        """What hears an event, and tells the handler of it as a `Call`. takes, tells: as of `change`."""

        def handle(event: Event) -> Answer:
            further = [event[name] for name in takes] + [event.read(name, ANYTHING) for name in tells]
            return handler(self.call(event), *further)

        handle.__name__ = handler.__name__
        return handle
