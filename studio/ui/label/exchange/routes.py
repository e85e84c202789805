"""Addresses of imports and exports: a file that comes in, how far they are, a stop, and what can be fetched."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, NotFound, StudioError
from studio.storage.workspace import workspace_error
from studio.ui.addresses import FRESH, get_route, post_route, refused
from studio.ui.errors import sentence, status
from studio.ui.label.exchange.runs_html import moving
from studio.ui.label.exchange.uploads import Uploads
from studio.ui.security import LABEL_UPLOAD

if TYPE_CHECKING:
    from studio.services.studio import Studio

BASE = "/label/exchange"
_UPLOADS: WeakKeyDictionary[Studio, Uploads] = WeakKeyDictionary()


def uploads_of(studio: Studio) -> Uploads:
    """The files that wait in a studio, which its page and its addresses share."""
    return _UPLOADS.setdefault(studio, Uploads(studio))


def routes(studio: Studio) -> list[Route]:
    """Every address of the part, over a studio."""
    uploads = uploads_of(studio)

    async def upload(request: Request) -> Response:
        query = request.query_params
        try:
            if request.headers.get("content-type", "") != "application/octet-stream":
                raise BadInput("A file is sent as application/octet-stream.")
            target = await run_in_threadpool(uploads.place, query.get("set", ""), query.get("name", ""))
            await _receive(request, target)
        except Exception as error:  # the page's last line: it is told in a sentence, and sends no more
            return refused(error)
        return JSONResponse({}, headers=FRESH)

    async def file(request: Request) -> Response:
        try:
            run = await run_in_threadpool(studio.exchange_runs.get, str(request.path_params["id"]))
            if run.file is None or not run.file.is_file():
                raise NotFound("There is no file of it.", "Export once more.")
        except StudioError as error:
            return PlainTextResponse(sentence(error), status_code=status(error), headers=FRESH)
        return FileResponse(run.file, filename=run.file.name, headers=FRESH)

    def stop(values: Any) -> dict[str, Any]:
        studio.exchange_runs.stop(str(values.get("id", "")) if isinstance(values, Mapping) else "")
        return {}

    return [
        Route(LABEL_UPLOAD, upload, methods=["POST"]),
        get_route(f"{BASE}/runs", lambda request: lambda query: moving(studio)),
        post_route(f"{BASE}/stop", lambda request: stop),
        Route(f"{BASE}/file/{{id}}", file, methods=["GET"]),
    ]


async def _receive(request: Request, target: Path) -> None:
    """Write the body of a request into a new file, which is removed if it does not come whole. Raises BadInput."""
    try:
        with target.open("xb") as opened:
            async for part in request.stream():
                await run_in_threadpool(opened.write, part)
    except BaseException as error:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        if isinstance(error, ClientDisconnect):
            raise BadInput("The file did not come whole.", "Choose it again.") from None
        if isinstance(error, OSError):
            raise workspace_error(error, "The file") from None
        raise
