"""Serves pictures of the history as they lie in the workspace: the same bytes, with the recipe in them.

A route of our own, since Gradio's file components copy every file into a cache and the image ones recompress it, and
since what may be read is then decided by the history and not by a folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound, StudioError
from studio.ui.errors import sentence, status

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_ID = 2**63 - 1  # of SQLite; a larger number in the address would not reach the database, but fail on the way


def address(id: int, sha256: str) -> str:
    """Where the page finds a picture. The checksum makes the address stand for one content, so it may be cached."""
    return f"/pictures/{id}.png?v={sha256[:12]}"


def file_name(id: int, seed: int) -> str:
    """What a download is called."""
    return f"palimpsest-{id:05d}-seed-{seed}.png"


def route(studio: Studio) -> Route:
    """The address of a picture's file."""

    async def picture(request: Request) -> Response:
        id: int = request.path_params["id"]
        try:
            if id > MAX_ID:
                raise NotFound(f"There is no picture number {id} in the history.")
            generation = await run_in_threadpool(studio.history.get, id)
        except StudioError as error:
            return PlainTextResponse(sentence(error), status_code=status(error))
        if not generation.image_path.is_file():
            return PlainTextResponse(f"The file of picture {id} is gone from the workspace.", status_code=404)
        return FileResponse(
            generation.image_path,
            media_type="image/png",
            filename=file_name(id, generation.recipe.seed),
            content_disposition_type="inline",
            headers={"Cache-Control": "private, max-age=31536000, immutable"},
        )

    return Route("/pictures/{id:int}.png", picture)
