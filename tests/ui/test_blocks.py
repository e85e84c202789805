"""Every listener of the page, called as a stranger may: with values of any kind in the place of any input."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

import gradio as gr
import pytest
from gradio.blocks import BlockFunction
from gradio.routes import ORJSONResponse
from gradio.state_holder import SessionState

from studio.core.errors import StudioError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.services.presets import GuidancePresets
from studio.ui import app
from studio.ui.blocks import Blocks
from tests.ui.fake_studio import FakeStudio

NESTED: Any = []
for _ in range(100):
    NESTED = [NESTED]
WRONG: tuple[Any, ...] = (
    None,
    "",
    "x",
    -1,
    0,
    3.5,
    10**19,
    10**400,
    1e300,
    float("nan"),
    float("inf"),
    True,
    [],
    {},
    [[1]],
    ["", ""],
    {"rows": [1], "undo": [1], "revision": []},
    [{"prompt": "x", "weight": "y"}],
    NESTED,
    "x" * 200_000,
    "\ud800",
    "a\0b",
    '{"cfg": {"guidance_scale": "x"}}',
    '[{"wrapper": 1}]',
    "[" * 5000,
    "<img src=x onerror=alert(1)>",
    "../../x",
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": 5, "meta": {"_type": "gradio.FileData"}},
)
# What the events of our own tell, all in one: a listener looks at its own.
EVENT: dict[str, Any] = {"id": 1, "on": True, "to": "guidance", "last": 1, "sure": False, "act": "up", "job": "x"}
EVENT |= {"grid": 1, "prompt": "x", "op": "param", "edit": "x", "value": "Guidance", "index": 3, "newest": 1}
EVENT |= {"row": 1, "at": "", "name": "guidance_scale", "ids": [1], "shape": "square", "campaign": 1}
SAMPLE = 150


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocks]:
    """The page over a studio that has a picture, and a preset of the user's."""

    async def lay_out() -> gr.Blocks:
        return app.build(studio)

    with FakeStudio(tmp_path_factory.mktemp("workspace"), step_s=0) as studio:
        studio.ended(studio.pictures.submit([Recipe(prompt="a neon ring", steps=1)]))
        GuidancePresets(studio.settings.workspace).save("mine", GuidanceSpec())
        made = asyncio.run(lay_out())
        assert isinstance(made, Blocks)
        yield made


def listeners(page: Blocks) -> list[BlockFunction]:
    return [listener for listener in page.fns.values() if listener.fn is not None]


def proper(component: Any) -> Any:
    """What the page sends for a component that nobody has touched."""
    if isinstance(component, gr.State | gr.BrowserState | gr.File):
        return None
    return 1 if component.elem_id in ("steps", "guidance-steps") else component.value


async def call(page: Blocks, state: SessionState, listener: BlockFunction, inputs: Sequence[Any], event: Any) -> bool:
    """Whether it answers; else it refuses in a sentence of ours. Whatever else it does is raised."""
    request, data = gr.Request(session_hash="stranger"), gr.EventData(None, event)
    try:
        answer = await page.process_api(listener, list(inputs), state, request, event_data=data)
    except gr.Error as error:
        assert isinstance(error.__cause__, StudioError), f"{error.message}: {error.__cause__!r}"
        assert len(error.message) < 1000
        assert listener.api_visibility == "public" or "<" not in error.message
        return False
    ORJSONResponse({"data": answer["data"]})  # which is how it goes out
    return True


def cases(page: Blocks) -> list[tuple[BlockFunction, int | str, Any]]:
    """(listener, the place of an input or the name of what an event tells, what is there instead)."""
    found: list[tuple[BlockFunction, int | str, Any]] = []
    for listener in listeners(page):
        places = [place for place, component in enumerate(listener.inputs) if not component.stateful]
        has_event = gr.EventData in get_type_hints(inspect.unwrap(listener.fn or type)).values()
        found += itertools.product([listener], [*places, *(EVENT if has_event else ())], WRONG)
    return found


async def try_cases(page: Blocks, chosen: Sequence[tuple[BlockFunction, int | str, Any]]) -> int:
    """How many were answered."""
    state, answered = SessionState(page), 0
    for listener, place, value in chosen:
        inputs, event = [proper(component) for component in listener.inputs], dict(EVENT)
        if isinstance(place, int):
            inputs[place] = value
        else:
            event[place] = value
        try:
            answered += await call(page, state, listener, inputs, event)
        except BaseException as error:
            error.add_note(f"{listener.name} of {listener.targets}, with {place} = {str(value)[:100]}")
            raise
    return answered


def test_every_listener_answers_what_the_page_sends(page: Blocks) -> None:
    """Without this, all that follows could be refused for another reason."""

    async def refused() -> set[str]:
        state = SessionState(page)
        return {
            str(listener.name)
            for listener in listeners(page)
            if not await call(page, state, listener, [proper(component) for component in listener.inputs], EVENT)
        }

    # There is no such job, run or training, no name to save under, no file, no preset to drop, no endpoint for nothing.
    assert asyncio.run(refused()) == {"on_act", "on_op", "on_save", "on_accept", "on_arrived", "on_drop", "call"}


def test_a_tab_that_is_chosen_is_looked_at_alone_and_each_time(page: Blocks) -> None:
    """What listens to all tabs is called one after the other for any of them, and is busy with one that is passed over
    when the next is chosen.
    """
    tabs = {
        component._id: type(component) for component in page.blocks.values() if isinstance(component, gr.Tabs | gr.Tab)
    }
    choosing = [
        (fn, tabs[id]) for fn in listeners(page) for id, event in fn.targets if id in tabs and event == "select"
    ]
    assert len(choosing) >= 5 and {kind for _, kind in choosing} == {gr.Tab}
    assert {listener.trigger_mode for listener, _ in choosing} == {"multiple"}


def test_a_wrong_value_is_answered_or_refused_in_a_sentence(page: Blocks) -> None:
    chosen = random.Random(7).sample(cases(page), SAMPLE)
    assert 0 < asyncio.run(try_cases(page, chosen)) < SAMPLE


@pytest.mark.slow
def test_every_place_answers_or_refuses_wrong_values_in_a_sentence(page: Blocks) -> None:
    """Of 29 values each place has one, the next place another: all of them everywhere are 170,000 cases, and hours."""
    chosen = cases(page)[::31]
    assert 0 < asyncio.run(try_cases(page, chosen)) < len(chosen)
