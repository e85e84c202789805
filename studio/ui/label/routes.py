"""The addresses of the pad. No event of Gradio's is in the way of an answer: a vote is one request, and its reply is
sent when it is on disk. Who may ask is what studio.ui.security lets through for the whole page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound
from studio.ui.addresses import FRESH, get_route, post_route, refused
from studio.ui.errors import sentence
from studio.ui.label import wire
from studio.ui.label.collector import Collector
from studio.ui.label.links import Links
from studio.ui.label.page import page_html
from studio.ui.security import is_loopback

if TYPE_CHECKING:
    from studio.services.studio import Studio

BASE = "/label"
LINK = "/pad"  # and the secret
# A token stands for one picture, and a page asks for it again when somebody takes an answer back.
KEPT = {"Cache-Control": "private, max-age=3600, immutable"}


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
        post_route(f"{BASE}/annotator", lambda request: collector.add_annotator),
        post_route(f"{BASE}/link", lambda request: switch_link),
        Route(f"{LINK}/{{secret}}", page, methods=["GET"]),
        *_pad(f"{LINK}/{{secret}}", by_link),
    ]


def _pad(base: str, of: Callable[[Request], Collector]) -> list[Route]:
    """The addresses of a pad. of: what answers a request. Raises NotFound where nothing does."""

    async def picture(request: Request) -> Response:
        try:
            png = await run_in_threadpool(lambda: of(request).picture(str(request.path_params["picture"])))
        except Exception as error:
            return refused(error)
        return Response(png, media_type="image/png", headers=KEPT)

    return [
        get_route(f"{base}/progress", lambda request: of(request).overview),
        get_route(f"{base}/next", lambda request: of(request).next),
        get_route(f"{base}/made", lambda request: of(request).made),
        Route(f"{base}/picture/{{picture}}", picture, methods=["GET"]),
        post_route(f"{base}/vote", lambda request: of(request).vote),
        post_route(f"{base}/undo", lambda request: of(request).undo),
        post_route(f"{base}/keys", lambda request: of(request).set_keys),
    ]
