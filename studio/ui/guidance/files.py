"""Files of the Guidance tab, made when they are asked for: curves and their numbers, of a picture and of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound
from studio.services import account
from studio.ui.components.curves import paper
from studio.ui.exports import answered
from studio.ui.guidance import sweep, why
from studio.ui.pictures import MAX_ID

if TYPE_CHECKING:
    from studio.services.studio import Studio


def routes(studio: Studio) -> list[Route]:
    """The addresses of accounts and sweeps, as table and as picture."""
    return [_accounts(studio), _sweeps(studio)]


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
        return await answered(lambda: made(number, kind, beside), kind)

    return Route("/accounts/{number:int}.{kind}", answer)


def _sweeps(studio: Studio) -> Route:
    def made(job: str, name: str, kind: str) -> bytes:
        points = sweep.measured(studio, job, name)
        if len(points) < 2:
            raise NotFound("There is no such sweep.")
        return sweep.to_csv(points, name).encode() if kind == "csv" else paper.png(sweep.panels(points, name))

    async def answer(request: Request) -> Response:
        params = request.path_params
        return await answered(lambda: made(params["job"], params["name"], params["kind"]), params["kind"])

    return Route("/sweeps/{job}/{name}.{kind}", answer)
