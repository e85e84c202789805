"""Files made when they are asked for: edits for other programs, grids as one sheet, curves and their numbers."""

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
from studio.services import account
from studio.ui.components.curves import job as job_curves
from studio.ui.components.curves import paper
from studio.ui.errors import sentence, status
from studio.ui.guidance import sweep, why
from studio.ui.pictures import MAX_ID

if TYPE_CHECKING:
    from studio.services.studio import Studio


MEDIA = {"csv": "text/csv; charset=utf-8", "png": "image/png", "html": "text/html; charset=utf-8"}
TAKEN_AWAY = ("csv", "png")
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
    """The addresses of exported edits, of grids as one sheet, of accounts, sweeps and curves of jobs."""
    return [_edits(studio), _sheets(studio), _accounts(studio), _sweeps(studio), _measures(studio)]


def _sheets(studio: Studio) -> Route:
    async def sheet(request: Request) -> Response:
        number: int = request.path_params["number"]
        try:
            if number > MAX_ID:
                raise NotFound(f"There is no grid number {number}.")
            file = await run_in_threadpool(studio.grids.write_sheet, number)
        except StudioError as error:
            return _refused(error)
        return FileResponse(file, media_type="image/png", filename=f"palimpsest-grid-{number}.png", headers=FRESH)

    return Route("/grids/{number:int}.png", sheet)


def _edits(studio: Studio) -> Route:
    async def exported(request: Request) -> Response:
        try:
            folder = studio.archive.workspace.scratch()
        except StudioError as error:
            return _refused(error)
        try:
            given = request.path_params
            file = await run_in_threadpool(export, studio, given["edit"], given["style"], folder)
        except StudioError as error:
            shutil.rmtree(folder, ignore_errors=True)
            return _refused(error)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(file, filename=file.name, background=gone, headers=FRESH)

    return Route("/edits/{edit}/{style}", exported)


def _accounts(studio: Studio) -> Route:
    def made(id: int, kind: str, beside: str) -> bytes:
        if kind == "csv":
            return account.to_csv(account.of(studio, id)).encode()
        title = account.of(studio, id).describe
        return paper.png(*why.curves(studio, id, why.beside(beside)), title=title)

    async def answer(request: Request) -> Response:
        number, kind = int(request.path_params["number"]), str(request.path_params["kind"])
        if number > MAX_ID:
            return PlainTextResponse(f"There is no picture number {number}.", status_code=404)
        beside = request.query_params.get("beside", "")
        return await _made(lambda: made(number, kind, beside), kind)

    return Route("/accounts/{number:int}.{kind}", answer)


def _sweeps(studio: Studio) -> Route:
    def made(job: str, name: str, kind: str) -> bytes:
        found = sweep.measured(studio, job, name)
        if len(found) < 2:
            raise NotFound("There is no such sweep.")
        return sweep.to_csv(found, name).encode() if kind == "csv" else paper.png(sweep.panels(found, name))

    async def answer(request: Request) -> Response:
        given = request.path_params
        return await _made(lambda: made(given["job"], given["name"], given["kind"]), given["kind"])

    return Route("/sweeps/{job}/{name}.{kind}", answer)


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
        return await _made(lambda: made(job, kind), kind, (*TAKEN_AWAY, "html"))

    return Route("/curves/{job}.{kind}", answer)


async def _made(made: Callable[[], bytes], kind: str, kinds: Sequence[str] = TAKEN_AWAY) -> Response:
    if kind not in kinds:
        return PlainTextResponse("It is there as csv and as png.", status_code=404)
    try:
        return Response(await run_in_threadpool(made), media_type=MEDIA[kind], headers=FRESH)
    except StudioError as error:
        return _refused(error)


def _refused(error: StudioError) -> Response:
    """An address that names what there is not, or not in that form, is no address."""
    return PlainTextResponse(sentence(error), status_code=404 if isinstance(error, BadInput) else status(error))
