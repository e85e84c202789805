"""The addresses of the pad. No event of Gradio's is in the way of an answer: a vote is one request, and its reply is
sent when it is on disk. Who may ask is what studio.ui.security lets through for the whole page.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, WorkspaceError
from studio.storage.labels.log import AlreadyAnswered
from studio.ui.errors import sentence, status
from studio.ui.label.collector import Collector

if TYPE_CHECKING:
    from studio.services.studio import Studio

BASE = "/label"
FRESH = {"Cache-Control": "no-store"}
# A token stands for one picture, and a page asks for it again when somebody takes an answer back.
KEPT = {"Cache-Control": "private, max-age=3600, immutable"}
MAX_BODY_BYTES = 64_000
Handler = Callable[[Request], Awaitable[Response]]


def routes(studio: Studio) -> list[Route]:
    """Every address of the pad, over a studio."""
    collector = Collector(studio, BASE)

    def asked(address: str, handler: Callable[[Any], dict[str, Any]]) -> Route:
        async def answer(request: Request) -> Response:
            return await _answered(handler, dict(request.query_params))

        return Route(f"{BASE}/{address}", answer, methods=["GET"])

    def told(address: str, handler: Callable[[Any], dict[str, Any]]) -> Route:
        async def answer(request: Request) -> Response:
            try:
                values = await _json(request)
            except BadInput as error:
                return _refused(error)
            return await _answered(handler, values)

        return Route(f"{BASE}/{address}", answer, methods=["POST"])

    async def picture(request: Request) -> Response:
        try:
            png = await run_in_threadpool(collector.picture, str(request.path_params["picture"]))
        except Exception as error:
            return _refused(error)
        return Response(png, media_type="image/png", headers=KEPT)

    return [
        asked("progress", collector.overview),
        asked("next", collector.next),
        Route(f"{BASE}/picture/{{picture}}", picture, methods=["GET"]),
        told("vote", collector.vote),
        told("undo", collector.undo),
        told("annotator", collector.add_annotator),
        told("keys", collector.set_keys),
    ]


async def _answered(handler: Callable[[Any], dict[str, Any]], values: Any) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(handler, values), headers=FRESH)
    except (
        Exception
    ) as error:  # the page's last line: whatever it is, the pad is told in a sentence, and keeps the vote
        return _refused(error)


def _refused(error: Exception) -> Response:
    """A 4xx says that sending the same once more is of no use; a 5xx that it may be."""
    match error:
        case WorkspaceError():  # a full disk, which may have room again
            code = 503
        case AlreadyAnswered():
            code = 409
        case _:
            code = status(error)
    return JSONResponse({"error": sentence(error)}, status_code=code, headers=FRESH)


async def _json(request: Request) -> Any:
    """The body of a request. Raises BadInput for what is no JSON.

    Another page's form cannot send this type without asking first, which it is refused.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadInput("What is sent to the pad is application/json.")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise BadInput(f"A vote has at most {MAX_BODY_BYTES} bytes.")
    except ClientDisconnect:
        raise BadInput("The request ended in the middle.") from None
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise BadInput("What is sent to the pad is JSON.") from None
