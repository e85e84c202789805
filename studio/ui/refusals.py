"""Refusals over HTTP: a call that cannot be answered gets a 4xx and one sentence, {"error": "..."}.

Gradio answers 500 to whatever goes wrong: with the sentence where a handler raised one, else with nothing or with the
words "Internal Server Error"; and to a guessed or used event id with a stream that never ends. `Refusals` looks at a
call before Gradio does, refuses those that name nothing of ours, and gives the answers of the others their status.
"""

from __future__ import annotations

import inspect
import json
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.storage.workspace import workspace_error
from studio.ui.errors import sentence, status
from studio.ui.values import check_tree

if TYPE_CHECKING:
    from gradio.blocks import BlockFunction, Blocks

PREFIX = "/gradio_api"
MAX_HASH = 200  # of a session; the page's has 11 characters, a program's 36
_CALL = re.compile(rf"{PREFIX}/(run|api|call/v2|call)/([^/]+)/?")
_STREAM = re.compile(rf"{PREFIX}/call/(?:v2/)?[^/]+/([^/]+)/?")
_outcome: ContextVar[dict[str, int] | None] = ContextVar("outcome", default=None)


def note(error: BaseException) -> None:
    """Tell the call that is being answered what it failed of."""
    if (outcome := _outcome.get()) is not None:
        outcome["status"] = status(error)


class Refusals:
    """ASGI middleware in front of Gradio's application, from which it learns what there is to call."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/"):
            await self.app(scope, receive, send)
            return
        outcome: dict[str, int] = {}
        _outcome.set(outcome)
        begun = False

        async def with_status(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start" and message["status"] == 500 and "status" in outcome:
                message["status"] = outcome["status"]
            await send(message)

        try:
            receive = await _checked(scope, receive)
            await self.app(scope, receive, with_status)
        except (
            Exception
        ) as error:  # a refusal of `_checked`, or a bug: nothing of it may reach the client but a sentence
            if begun:
                raise
            error = _of_upload(error) if scope["path"].rstrip("/") == f"{PREFIX}/upload" else error
            answer = JSONResponse({"error": sentence(error)}, status_code=status(error))
            await answer(scope, receive, send)


def _of_upload(error: Exception) -> Exception:
    """What Gradio's own upload fails of: fields instead of files, and disks."""
    if isinstance(error, TypeError):
        return BadInput("An upload must hold files, each with a name.")
    return workspace_error(error, "The upload") if isinstance(error, OSError) else error


async def _checked(scope: Scope, receive: Receive) -> Receive:
    """Look at a call; gives what hands it on. Raises BadInput or NotFound."""
    path, blocks = scope["path"], scope["app"].get_blocks()
    if scope["method"] == "GET":
        _check_stream(path, Request(scope), blocks)
        return receive
    call = _CALL.fullmatch(path)
    server = path.rstrip("/") == f"{PREFIX}/component_server"
    if scope["method"] != "POST" or not (call or server or path == f"{PREFIX}/queue/join"):
        return receive
    request = Request(scope, receive)
    if server and request.headers.get("content-type", "").startswith("multipart/"):
        raise BadInput("The parts of the page take no files.")
    body = await request.body()
    values = _json(request, body)
    if server:
        _check_server_function(values, blocks)
    elif call and call[1] == "call/v2":
        _check_names(_endpoint(call[2], blocks), values)
    else:
        _check_call(values, call[2] if call else None, blocks)
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _json(request: Request, body: bytes) -> dict[str, Any]:
    if "json" not in request.headers.get("content-type", ""):
        raise BadInput("The body of a call must be sent as application/json.")
    try:
        values = json.loads(body or b"null")
    except (ValueError, RecursionError):
        raise BadInput("The body of a call must be JSON.") from None
    if not isinstance(values, dict):
        raise BadInput("The body of a call must be a JSON object.")
    return values


def _check_call(values: dict[str, Any], name: str | None, blocks: Blocks) -> None:
    """A call by values in order. name: of an endpoint; None, and beside the number of a listener, of no account."""
    if not isinstance(values.get("data"), list):
        raise BadInput(f"A call must have a list of values as data, not {shown(values.get('data'))}.", field="data")
    hash, number = values.get("session_hash"), values.get("fn_index")
    if hash is not None and (not isinstance(hash, str) or len(hash) > MAX_HASH):
        raise BadInput(f"The session_hash must be text of at most {MAX_HASH} characters.", field="session_hash")
    for key in ("fn_index", "trigger_id"):
        if values.get(key) is not None and type(values[key]) is not int:
            raise BadInput(f"The {key} must be a whole number, not {shown(values[key])}.", field=key)
    if number is None and name is None:
        raise BadInput("A call to the queue must say which listener it is for, by its fn_index.", field="fn_index")
    if number is None:
        _endpoint(str(name), blocks)
    elif number not in blocks.fns:
        raise NotFound(f"There is no listener number {number}.", "Load the page again.")


def _endpoint(name: str, blocks: Blocks) -> BlockFunction:
    for listener in blocks.fns.values():
        if listener.api_name == name and listener.api_visibility != "private":
            return listener
    raise NotFound(f"There is no endpoint named {shown(name)}.", f"{PREFIX}/info lists those there are.")


def _check_names(listener: BlockFunction, values: dict[str, Any]) -> None:
    """A call by names."""
    fields = parameters(listener)
    for name in values:
        if name not in fields:
            raise BadInput(f"The call of {listener.api_name} has no field {shown(name)}; it has {', '.join(fields)}.")
    for name, needed in fields.items():
        if needed and name not in values:
            raise BadInput(f"The call of {listener.api_name} lacks the field {name!r}.", field=name)


def parameters(listener: BlockFunction) -> dict[str, bool]:
    """The parameters of an endpoint, and whether each is needed."""
    signature = inspect.signature(listener.fn or (lambda: None)).parameters
    return {name: parameter.default is parameter.empty for name, parameter in signature.items()}


def _check_server_function(values: dict[str, Any], blocks: Blocks) -> None:
    """A call from within a part of the page, to one of the functions it was given."""
    number, name, hash = (values.get(key) for key in ("component_id", "fn_name", "session_hash"))
    if "data" not in values or not isinstance(hash, str) or len(hash) > MAX_HASH or not isinstance(name, str):
        raise BadInput("A call of a part of the page must have data, component_id, fn_name and session_hash.")
    part = blocks.blocks.get(number) if type(number) is int else None
    if not getattr(getattr(part, name, None), "_is_server_fn", False):
        raise NotFound(f"No part of the page answers to {shown(name)}.", "Load the page again.")
    check_tree(values["data"])


def _check_stream(path: str, request: Request, blocks: Blocks) -> None:
    """Of answers that are waited for: whether there is one yet to come."""
    queue = blocks._queue
    if path.rstrip("/") == f"{PREFIX}/queue/data":
        if request.query_params.get("session_hash") not in queue.pending_messages_per_session:
            raise NotFound("Nothing is under way for this session.")
    elif called := _STREAM.fullmatch(path):
        id = called[1]
        if id not in queue.event_ids_to_events and not any(
            id in ids for ids in queue.pending_event_ids_session.values()
        ):
            raise NotFound("There is no such call, or its answer was taken already.", "Call again.")
