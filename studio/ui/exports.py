"""Files made when they are asked for: edits for other programs, grids as one sheet."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, NotFound, StudioError
from studio.services import grid
from studio.ui.pictures import MAX_ID

if TYPE_CHECKING:
    from studio.services.generate import Studio


FRESH = {"Cache-Control": "no-store"}


def export(studio: Studio, edit: str, style: str, folder: Path) -> Path:
    """Write an edit in a style into a folder, as one file: a peft folder is packed. Raises what `edits.export` does."""
    entry = studio.edits.show(edit)
    if style != "peft":
        (file,) = studio.edits.export(entry.id, style, folder / f"{entry.id}-{style}.safetensors"[:200])
        return file
    files = studio.edits.export(entry.id, style, folder / entry.id)
    packed = folder / f"{entry.id}-peft.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # numbers do not get smaller
        for file in files:
            archive.write(file, f"{entry.id}/{file.name}")
    return packed


def routes(studio: Studio) -> list[Route]:
    """The addresses of exported edits and of grids as one sheet."""
    return [_edits(studio), _sheets(studio)]


def _sheets(studio: Studio) -> Route:
    async def sheet(request: Request) -> Response:
        number: int = request.path_params["number"]
        try:
            if number > MAX_ID:
                raise NotFound(f"There is no grid number {number}.")
            file = await run_in_threadpool(grid.write_sheet, studio, number)
        except StudioError as error:
            return PlainTextResponse(str(error), status_code=404 if isinstance(error, BadInput) else 500)
        return FileResponse(file, media_type="image/png", filename=f"palimpsest-grid-{number}.png", headers=FRESH)

    return Route("/grids/{number:int}.png", sheet)


def _edits(studio: Studio) -> Route:
    async def exported(request: Request) -> Response:
        folder = Path(tempfile.mkdtemp(prefix="export-"))
        try:
            given = request.path_params
            file = await run_in_threadpool(export, studio, given["edit"], given["style"], folder)
        except StudioError as error:
            shutil.rmtree(folder, ignore_errors=True)
            return PlainTextResponse(str(error), status_code=404 if isinstance(error, BadInput) else 500)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(file, filename=file.name, background=gone, headers=FRESH)

    return Route("/edits/{edit}/{style}", exported)
