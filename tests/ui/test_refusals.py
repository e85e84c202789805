"""The border in front of Gradio's application, on a page of a few lines and without a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.routes import App
from starlette.middleware import Middleware

from studio.core.errors import BadInput, Cancelled, NotFound, OutOfMemory, WorkspaceError
from studio.ui.api.endpoint import expose
from studio.ui.blocks import Blocks
from studio.ui.errors import hide_folders, on_page
from studio.ui.refusals import Refusals

FAILURES: dict[str, tuple[Exception, int, str]] = {
    "bad": (BadInput("The steps are 1 to 9.", "Take 5."), 422, "The steps are 1 to 9. Take 5."),
    "gone": (NotFound("There is no <b>."), 404, "There is no <b>."),
    "full": (WorkspaceError("The file /srv/studio/ws/images/a.png cannot be written."), 409, "The file a.png cannot"),
    "stopped": (Cancelled("The job was stopped."), 409, "The job was stopped."),
    "memory": (OutOfMemory("No room."), 409, "No room."),
    "bug": (KeyError("a detail for the log"), 500, "Something went wrong inside the studio; the log has it under"),
}


def fail(how: str) -> str:
    """Fail."""
    raise FAILURES[how][0]


def on_click(how: str) -> str:
    return fail(how)


def broken(call: Any) -> str:
    """Of a part of the page."""
    raise RuntimeError("a detail for the log")


async def lay_out() -> App:
    with Blocks() as demo:
        box, part = gr.Textbox(label="How"), gr.HTML(server_functions=[broken], elem_id="part")
        gr.Button().click(on_page(on_click), box, part, queue=False, api_visibility="private")
        expose(fail, "fail")
    return App.create_app(demo, app_kwargs={"middleware": [Middleware(Refusals)]})


def answered(ask: Callable[[httpx.AsyncClient], Any]) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(await lay_out())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await ask(client)

    return asyncio.run(run())


def test_a_failure_has_its_status_and_its_sentence(caplog: pytest.LogCaptureFixture) -> None:
    hide_folders(Path("/srv/studio/ws"))

    async def ask(client: httpx.AsyncClient) -> None:
        for path, function in (("fail", {}), ("predict", {"fn_index": 0})):  # a program's, and the page's
            for how, (_, status, said) in FAILURES.items():
                caplog.clear()
                body = {"data": [how], "session_hash": "x", **function}
                answer = await client.post(f"/gradio_api/run/{path}", json=body)
                assert answer.status_code == status, (path, how)
                expected = said.replace("<", "&lt;").replace(">", "&gt;") if path == "predict" else said
                assert answer.json()["error"].startswith(expected), (path, how)
                assert "a detail" not in answer.text
                assert ("a detail for the log" in caplog.text) == (how == "bug"), (path, how)

    answered(ask)


def test_what_no_handler_catches_is_told_by_its_id(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(client: httpx.AsyncClient) -> httpx.Response:
        parts = (await client.get("/config")).json()["components"]
        (id,) = (part["id"] for part in parts if part["props"].get("elem_id") == "part")
        call = {"data": 1, "component_id": id, "fn_name": "broken", "session_hash": "x"}
        return await client.post("/gradio_api/component_server", json=call)

    with caplog.at_level(logging.ERROR):
        answer = answered(ask)
    assert answer.status_code == 500 and "a detail" not in answer.text and "a detail for the log" in caplog.text
    assert caplog.records[-1].getMessage().split()[-1] in answer.json()["error"]


def test_what_the_page_sends_is_read_before_its_handler_is_called() -> None:
    wrong = {"data": [["bad"]], "fn_index": 0, "session_hash": "x"}
    answer = answered(lambda client: client.post("/gradio_api/run/predict", json=wrong))
    assert (answer.status_code, answer.json()["error"]) == (422, "“How” must be text, not [&#x27;bad&#x27;].")
