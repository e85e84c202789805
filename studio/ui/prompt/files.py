"""Files of the Prompt tab, made when they are asked for: grids as one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound, StudioError
from studio.ui.exports import FRESH, refused
from studio.ui.pictures import MAX_ID

if TYPE_CHECKING:
    from studio.services.studio import Studio


def routes(studio: Studio) -> list[Route]:
    """The addresses of grids as one sheet."""

    async def sheet(request: Request) -> Response:
        number: int = request.path_params["number"]
        try:
            if number > MAX_ID:
                raise NotFound(f"There is no grid number {number}.")
            file = await run_in_threadpool(studio.grids.write_sheet, number)
        except StudioError as error:
            return refused(error)
        return FileResponse(file, media_type="image/png", filename=f"palimpsest-grid-{number}.png", headers=FRESH)

    return [Route("/grids/{number:int}.png", sheet)]
