"""The addresses of the pad. No event of Gradio's is in the way of an answer: a vote is one request, and its reply is
sent when it is on disk. Who may ask is what studio.ui.security lets through for the whole page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.storage.labels.log import AlreadyAnswered
from studio.ui.errors import sentence, status
from studio.ui.label import wire
from studio.ui.label.collector import Collector
from studio.ui.label.links import Links
from studio.ui.label.page import page_html
from studio.ui.security import is_loopback

if TYPE_CHECKING:
    from studio.services.studio import Studio

BASE = "/label"
LINK = "/pad"  # and the secret
FRESH = {"Cache-Control": "no-store"}
# A token stands for one picture, and a page asks for it again when somebody takes an answer back.
KEPT = {"Cache-Control": "private, max-age=3600, immutable"}
MAX_BODY_BYTES = 64_000
Handler = Callable[[Any], dict[str, Any]]


def routes(studio: Studio) -> list[Route]:
    """Every address of the pad, over a studio: those of its tab, and those of links."""
    collector, links = Collector(studio, BASE), Links(studio.settings.workspace)

    def by_link(request: Request) -> Collector:
        secret = str(request.path_params["secret"])
        return Collector(studio, f"{LINK}/{secret}", links.annotator_of(secret))

    async def page(request: Request) -> Response:
        try:
            pad_of_link = await run_in_threadpool(by_link, request)
        except NotFound as error:
            return PlainTextResponse(sentence(error), status_code=404, headers=FRESH)
        return HTMLResponse(page_html(pad_of_link.base, pad_of_link.owner or ""), headers=FRESH)

    def switch_link(values: Any) -> dict[str, Any]:
        name, is_on = wire.read_switch(values)
        if name not in {person.alias for person in studio.labels.annotators()}:
            raise NotFound(f"There is no annotator {name!r}.")
        secret = links.switch(name, is_on)
        return {"link": f"{LINK}/{secret}" if secret else None, "is_local": is_loopback(studio.settings.host)}

    return [
        *_pad(BASE, lambda request: collector),
        _told(f"{BASE}/annotator", lambda request: collector.add_annotator),
        _told(f"{BASE}/link", lambda request: switch_link),
        Route(f"{LINK}/{{secret}}", page, methods=["GET"]),
        *_pad(f"{LINK}/{{secret}}", by_link),
    ]


def _pad(base: str, of: Callable[[Request], Collector]) -> list[Route]:
    """The addresses of a pad. of: what answers a request. Raises NotFound where nothing does."""

    async def picture(request: Request) -> Response:
        try:
            png = await run_in_threadpool(lambda: of(request).picture(str(request.path_params["picture"])))
        except Exception as error:
            return _refused(error)
        return Response(png, media_type="image/png", headers=KEPT)

    return [
        _asked(f"{base}/progress", lambda request: of(request).overview),
        _asked(f"{base}/next", lambda request: of(request).next),
        Route(f"{base}/picture/{{picture}}", picture, methods=["GET"]),
        _told(f"{base}/vote", lambda request: of(request).vote),
        _told(f"{base}/undo", lambda request: of(request).undo),
        _told(f"{base}/keys", lambda request: of(request).set_keys),
    ]


def _asked(address: str, of: Callable[[Request], Handler]) -> Route:
    """An address that is asked for something. of: the handler of a request."""

    async def answer(request: Request) -> Response:
        return await _answered(lambda: of(request)(dict(request.query_params)))

    return Route(address, answer, methods=["GET"])


def _told(address: str, of: Callable[[Request], Handler]) -> Route:
    """An address that is told something, as JSON. of: the handler of a request."""

    async def answer(request: Request) -> Response:
        try:
            values = await _json(request)
        except BadInput as error:
            return _refused(error)
        return await _answered(lambda: of(request)(values))

    return Route(address, answer, methods=["POST"])


async def _answered(answer: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(answer), headers=FRESH)
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
