"""What the Guidance tab looks at while its pictures are drawn: as on the Prompt tab (studio/ui/prompt/glance.py).

The browser sends its copy of the board, which is what it shows, and is answered with the pictures of that board. What
is no board has no pictures; nothing is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import BadInput
from studio.ui.guidance import board as boards
from studio.ui.guidance import results
from studio.ui.guidance import sweep as sweeps
from studio.ui.values import check_tree

if TYPE_CHECKING:
    from studio.services.studio import Studio

PARTS = ("results", "film")  # the outputs of SCRIPT

# What is left undefined stays as it is: of a part that is as it was, and of a board that has changed meanwhile.
SCRIPT = """async (board) => {
  if (window.palimpsestBoardGlance) return [];
  window.palimpsestBoardGlance = true;
  const again = () => window.dispatchEvent(new Event('palimpsest-board-look'));
  const revision = () => document.getElementById('guidance-revision').textContent;
  const before = revision();
  try {
    if (!board || !board.cells) throw new Error('the browser keeps no copy');
    const answer = await fetch('/guidance/glance', {
      method: 'POST', body: JSON.stringify(board), headers: {'content-type': 'application/json'},
    });
    const seen = await answer.json();
    if (!seen.busy) again();
    return revision() === before ? PARTS.map((part) => seen[part]) : [];
  } catch {
    again(); // which says what is the matter
    return [];
  } finally {
    window.palimpsestBoardGlance = false;
  }
}""".replace("PARTS", repr(list(PARTS)))
# In the component that tells of "look": a whole look is due.
AGAIN = "window.addEventListener('palimpsest-board-look', () => trigger('look'));"


def glance(studio: Studio, kept: Any) -> dict[str, Any]:
    """The pictures of a board as a browser kept it. busy: whether any of them is still being drawn."""
    board = boards.read(kept)
    now = results.show(studio, board)
    film, filming = sweeps.sweep_html(studio, board["sweep"])
    return {"results": now.html, "film": film, "busy": now.busy or filming}


def route(studio: Studio) -> Route:
    """The address that SCRIPT asks."""

    async def answer(request: Request) -> Response:
        try:
            kept = json.loads(await request.body())
            check_tree(kept)
        except (ValueError, RecursionError, BadInput):
            return PlainTextResponse("This is no board.", status_code=400)
        seen = await run_in_threadpool(glance, studio, kept)
        return JSONResponse(seen, headers={"Cache-Control": "no-store"})

    return Route("/guidance/glance", answer, methods=["POST"])
