"""Addresses that a script of the page asks or tells something, as JSON; what cannot be taken is told in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, WorkspaceError
from studio.storage.labels.rows import AlreadyAnswered
from studio.ui.errors import sentence, status

FRESH = {"Cache-Control": "no-store"}
MAX_BODY_BYTES = 64_000
Handler = Callable[[Any], dict[str, Any]]


def get_route(address: str, of: Callable[[Request], Handler]) -> Route:
    """An address that is asked for something. of: the handler of a request."""

    async def answer(request: Request) -> Response:
        return await answered(lambda: of(request)(dict(request.query_params)))

    return Route(address, answer, methods=["GET"])


def post_route(address: str, of: Callable[[Request], Handler]) -> Route:
    """An address that is told something, as JSON. of: the handler of a request."""

    async def answer(request: Request) -> Response:
        try:
            values = await json_body(request)
        except BadInput as error:
            return refused(error)
        return await answered(lambda: of(request)(values))

    return Route(address, answer, methods=["POST"])


async def answered(answer: Callable[[], dict[str, Any]]) -> Response:
    """What is given, as JSON; what is raised, as its refusal."""
    try:
        return JSONResponse(await run_in_threadpool(answer), headers=FRESH)
    except Exception as error:  # the page's last line: whatever it is, it is told in a sentence, and keeps what it has
        return refused(error)


def refused(error: Exception) -> Response:
    """A 4xx says that sending the same once more is of no use; a 5xx that it may be."""
    match error:
        case WorkspaceError():  # a full disk, which may have room again
            code = 503
        case AlreadyAnswered():
            code = 409
        case _:
            code = status(error)
    return JSONResponse({"error": sentence(error)}, status_code=code, headers=FRESH)


async def json_body(request: Request) -> Any:
    """The body of a request. Raises BadInput for what is no JSON.

    Another page's form cannot send this type without asking first, which it is refused.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadInput("What is sent here is application/json.")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise BadInput(f"What is sent here has at most {MAX_BODY_BYTES} bytes.")
    except ClientDisconnect:
        raise BadInput("The request ended in the middle.") from None
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise BadInput("What is sent here is JSON.") from None
