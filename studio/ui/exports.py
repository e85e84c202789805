"""Edits as files for other programs, made when they are asked for; and what every such address answers by."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput, NotFound, StudioError
from studio.services.edits.outgoing import MERGED
from studio.ui.components.curves import job as job_curves
from studio.ui.errors import sentence, status
from studio.ui.pictures import MAX_ID, file_name

if TYPE_CHECKING:
    from studio.services.studio import Studio

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "png": "image/png",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
TAKEN_AWAY = ("csv", "png")
MOST_PACKED = 480  # pictures in one file
FRESH = {"Cache-Control": "no-store"}  # of an answer that is made anew each time


def export(studio: Studio, edit: str, style: str, folder: Path) -> Path:
    """Write an edit in a style into a folder, as one file: a peft folder is packed.

    Raises what `edits.export` does, and BadInput for a merged model, gigabytes that a page is no way for.
    """
    entry = studio.edits.show(edit)
    if style == MERGED:
        command = f"edits export {entry.id} --format merged --out ..."
        raise BadInput("A merged model is written on the command line.", f"Run: python3 launch.py {command}")
    if style != "peft":
        (file,) = studio.edits.export(entry.id, style, folder / f"{entry.id}-{style}.safetensors"[:200]).files
        return file
    files = studio.edits.export(entry.id, style, folder / entry.id).files
    packed = folder / f"{entry.id}-peft.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # numbers do not get smaller
        for file in files:
            archive.write(file, f"{entry.id}/{file.relative_to(folder / entry.id).as_posix()}")
    return packed


def routes(studio: Studio) -> list[Route]:
    """The addresses of several pictures, of exported edits, and of the curves of jobs."""
    return [_pictures(studio), _edits(studio), _measures(studio)]


def pack(studio: Studio, ids: Sequence[int], folder: Path) -> Path:
    """Put the files of pictures, as they are, into one. Raises NotFound for a picture or a file that is not there."""
    packed = folder / "palimpsest-pictures.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # a PNG does not get smaller
        for id in dict.fromkeys(ids):
            picture = studio.history.get(id)
            try:
                archive.write(picture.image_path, file_name(id, picture.recipe.seed))
            except OSError:
                raise NotFound(f"The file of picture {id} is gone from the workspace.") from None
    return packed


def _pictures(studio: Studio) -> Route:
    async def packed(request: Request) -> Response:
        ids = request.query_params.get("ids", "").split(",")
        if len(ids) > MOST_PACKED or not all(id.isascii() and id.isdecimal() and int(id) <= MAX_ID for id in ids):
            return PlainTextResponse(f"Name 1 to {MOST_PACKED} pictures, as in ?ids=3,4,5.", status_code=404)
        return await _temporary(studio, lambda folder: pack(studio, [int(id) for id in ids], folder))

    return Route("/pictures.zip", packed)


def _edits(studio: Studio) -> Route:

    async def exported(request: Request) -> Response:
        edit, style = request.path_params["edit"], request.path_params["style"]
        return await _temporary(studio, lambda folder: export(studio, edit, style, folder))

    return Route("/edits/{edit}/{style}", exported)


def _measures(studio: Studio) -> Route:
    def content(job: str, kind: str) -> bytes:
        measured = job_curves.points(studio, job)
        if kind == "html":
            return job_curves.window_html(studio, job).encode()
        if not measured:
            raise NotFound("This job has measured nothing yet.", "The first measures come with its first steps.")
        if kind == "csv":
            return job_curves.to_csv(measured).encode()
        return job_curves.to_png(measured, title=studio.jobs.get(job).description)

    async def answer(request: Request) -> Response:
        job, kind = str(request.path_params["job"]), str(request.path_params["kind"])
        return await answered(lambda: content(job, kind), kind, (*TAKEN_AWAY, "html"))

    return Route("/curves/{job}.{kind}", answer)


async def _temporary(studio: Studio, write: Callable[[Path], Path]) -> Response:
    """A file that is made in a folder which goes when it was sent."""
    try:
        folder = studio.archive.workspace.scratch()
    except StudioError as error:
        return refused(error)
    try:
        file = await run_in_threadpool(write, folder)
    except StudioError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return refused(error)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(file, filename=file.name, background=gone, headers=FRESH)


async def answered(content: Callable[[], bytes], kind: str, kinds: Sequence[str] = TAKEN_AWAY) -> Response:
    """The content as a file of a kind, which must be one of `kinds`; else why it cannot be had."""
    if kind not in kinds:
        return PlainTextResponse("It is there as csv and as png.", status_code=404)
    try:
        return Response(await run_in_threadpool(content), media_type=MEDIA[kind], headers=FRESH)
    except StudioError as error:
        return refused(error)


def refused(error: StudioError) -> Response:
    """An address that names what there is not, or not in that form, is no address."""
    return PlainTextResponse(sentence(error), status_code=404 if isinstance(error, BadInput) else status(error))
