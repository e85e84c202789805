"""A session as the page shows it: values for the components, by their names; what is not named stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from studio.ui import order
from studio.ui.components import method_menu
from studio.ui.guidance import board as boards
from studio.ui.guidance import results, rows, run, why
from studio.ui.guidance import sweep as sweeps
from studio.ui.guidance.board import Board, BoardSession
from studio.ui.markup import alert
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


def everything(
    studio: Studio, session: BoardSession, model: str, said: str = "", kind: str = "error", before: Board | None = None
) -> Answer:
    """All of it. said: a message, of that kind. before: a board the page shows already; what is as it was then, and
    is costly or the user's to change, is left as it is.
    """
    board = session.value
    now = results.show(studio, board)
    film, filming = sweeps.sweep_html(studio, board["sweep"])
    formulas, wrong = run.formulas(board, studio, model)
    answer: Answer = {
        **copied(session),
        "rows": rows.rows_html(board, formulas, wrong, method_menu.entries(studio, model)),
        "results": now.html,
        "film": film,
        "message": alert(said, kind=kind),
        **activity(now.busy or filming),
    }
    if before is None or before["shown"] != board["shown"]:
        answer["why"] = why.why_html(studio, board, now.drawn)
    if before is None or _method_of(before) != _method_of(board):
        answer |= sweepable(board)
    return answer


def unvisited(studio: Studio, session: BoardSession) -> Answer:
    """What goes into the tab before anybody looks: formulas and colours bring torch, and the page is painted first."""
    return {**copied(session), "rows": rows.rows_html(session.value, {}, {})}


def drawn(studio: Studio, session: BoardSession) -> Answer:
    """The pictures, while they are made."""
    now = results.show(studio, session.value)
    film, filming = sweeps.sweep_html(studio, session.value["sweep"])
    return {
        "results": now.html,
        "film": film,
        "board_revision": order.revision("board", session.revision),
        **activity(now.busy or filming),
    }


def looked_into(studio: Studio, session: BoardSession) -> Answer:
    """Another picture's why."""
    now = results.show(studio, session.value)
    reason = why.why_html(studio, session.value, now.drawn)
    return {**copied(session), "results": now.html, "why": reason, "strip": ""}


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"board": session.kept, "board_revision": order.revision("board", session.revision)}


def activity(busy: bool) -> Answer:
    """What is drawn can be stopped."""
    return {"stop": gr.Button(interactive=busy)}


def sweepable(board: Board) -> Answer:
    """What of the open row can be swept, a scale first."""
    spec = boards.row_of(board, board["chosen"])["guidance"]
    swept = sweeps.parameters(spec)
    name = next((name for _, name in swept if name.endswith("scale")), swept[0][1] if swept else None)
    low, high = sweeps.bounds(spec, name) if name else (0.0, 1.0)
    return {"sweep_name": gr.Dropdown(swept, value=name), "sweep_low": low, "sweep_high": high}


def _method_of(board: Board) -> tuple[int, str]:
    return board["chosen"], str(boards.row_of(board, board["chosen"])["guidance"]["method"])
