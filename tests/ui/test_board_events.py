"""A call: what an event of a tab with a board brings along, and the edits as they are in its turn."""

from __future__ import annotations

from studio.core.recipe import EditRef
from studio.ui import order
from studio.ui.board_events import BoardEvents, Call
from studio.ui.edit_stack import EditRow, Stack, StackSession
from studio.ui.sessions import Sessions
from studio.ui.stack_panel import StackPanel
from studio.ui.wiring import Event, Wiring
from tests.ui.fake_studio import FakeStudio


def test_a_call_is_what_an_event_brings_along_with_the_edits_of_its_turn(fake: FakeStudio) -> None:
    panel = StackPanel(fake, Sessions(StackSession), {})
    events = BoardEvents(panel, Wiring({}), "board", ("prompt", "steps"), ("board",))
    values = {
        "board_revision": 1,
        "stack_revision": 1,
        "board": {"rows": []},
        "stack": Stack((EditRow("abc", 0.5),)).plain(),
        "model": "stencil",
        "prompt": "a star",
        "steps": 12,
    }
    assert set(events.looking) == set(values)
    fields = {"prompt": "a star", "steps": 12}
    call = events.call(Event("page", values))
    stack = Stack((EditRow("abc", 0.5),))
    assert call == Call("page", 1, {"rows": []}, "stencil", stack, fields)
    assert call.edits == (EditRef(edit="abc", strength=0.5),)
    look = events.call(Event("page", {**values, "board_revision": order.revision("board", 7)}))  # no turn was taken
    assert look == Call("page", None, {"rows": []}, "stencil", stack, fields)
