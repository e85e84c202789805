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
from studio.ui.components.curves import job as job_curves
from studio.ui.errors import sentence, status

if TYPE_CHECKING:
    from studio.services.studio import Studio

MEDIA = {"csv": "text/csv; charset=utf-8", "png": "image/png", "html": "text/html; charset=utf-8"}
TAKEN_AWAY = ("csv", "png")
FRESH = {"Cache-Control": "no-store"}  # of an answer that is made anew each time


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
    """The addresses of exported edits, and of the curves of jobs."""
    return [_edits(studio), _measures(studio)]


def _edits(studio: Studio) -> Route:

    async def exported(request: Request) -> Response:
        try:
            folder = studio.archive.workspace.scratch()
        except StudioError as error:
            return refused(error)
        try:
            given = request.path_params
            file = await run_in_threadpool(export, studio, given["edit"], given["style"], folder)
        except StudioError as error:
            shutil.rmtree(folder, ignore_errors=True)
            return refused(error)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(file, filename=file.name, background=gone, headers=FRESH)

    return Route("/edits/{edit}/{style}", exported)


def _measures(studio: Studio) -> Route:
    def made(job: str, kind: str) -> bytes:
        measured = job_curves.points(studio, job)
        if kind == "html":
            return job_curves.window_html(studio, job).encode()
        if not measured:
            raise NotFound("This job has measured nothing yet.", "The first measures come with its first steps.")
        if kind == "csv":
            return job_curves.to_csv(measured).encode()
        return job_curves.to_png(measured, title=studio.jobs.get(job).what)

    async def answer(request: Request) -> Response:
        job, kind = str(request.path_params["job"]), str(request.path_params["kind"])
        return await answered(lambda: made(job, kind), kind, (*TAKEN_AWAY, "html"))

    return Route("/curves/{job}.{kind}", answer)


async def answered(made: Callable[[], bytes], kind: str, kinds: Sequence[str] = TAKEN_AWAY) -> Response:
    """What `made` gives, as a file of a kind, which must be one of `kinds`; else why it cannot be had."""
    if kind not in kinds:
        return PlainTextResponse("It is there as csv and as png.", status_code=404)
    try:
        return Response(await run_in_threadpool(made), media_type=MEDIA[kind], headers=FRESH)
    except StudioError as error:
        return refused(error)


def refused(error: StudioError) -> Response:
    """An address that names what there is not, or not in that form, is no address."""
    return PlainTextResponse(sentence(error), status_code=404 if isinstance(error, BadInput) else status(error))
