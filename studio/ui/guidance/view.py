"""A session as the page shows it: values for the components, by their names; what is not named stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr

from studio.ui import order
from studio.ui.components import method_menu
from studio.ui.guidance import results, rows, run, why
from studio.ui.guidance import sweep as sweeps
from studio.ui.guidance.board import Board, BoardSession
from studio.ui.guidance.results import Shown
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
    film, filming = sweeps.sweep_html(studio, board.sweep, board.shown)
    formulas, wrong = run.formulas(board, studio, model)
    answer: Answer = {
        **copied(session),
        "rows": rows.rows_html(board, formulas, wrong, method_menu.entries(studio, model)),
        "results": now.html,
        "film": film,
        "message": alert(said, kind=kind),
        **activity(now.busy or filming),
    }
    if before is None or before.shown != board.shown:
        answer["why"] = why.why_html(studio, board, now.drawn)
    if before is None or _method_of(before) != _method_of(board):
        answer |= sweepable(board)
    return answer


def unvisited(studio: Studio, session: BoardSession) -> Answer:
    """What goes into the tab before anybody looks: formulas and colours bring torch, and the page is painted first."""
    return {**copied(session), "rows": rows.rows_html(session.value, {}, {})}


def drawn(studio: Studio, session: BoardSession) -> Answer:
    """The pictures, while they are made. When they are, one of them is looked into: of the open row, if it has any."""
    board = session.value
    now, (film, filming) = results.show(studio, board), sweeps.sweep_html(studio, board.sweep, board.shown)
    busy = activity(now.busy or filming)
    if now.busy or not now.drawn or board.shown in _pictures(studio, board, now):
        return {"results": now.html, "film": film, "board_revision": order.revision("board", session.revision), **busy}
    own = [picture.id for (row, _), picture in now.drawn.items() if row == board.rows.chosen]
    session.put(replace(board, shown=next(iter(own or [picture.id for picture in now.drawn.values()]))))
    return {**looked_into(studio, session), "film": film, "strip": "", **busy}


def _pictures(studio: Studio, board: Board, now: Shown) -> set[int]:
    """All that can be looked into."""
    swept = sweeps.pictures(studio, board.sweep)
    return {picture.id for picture in now.drawn.values()} | {picture.id for picture in swept}


def looked_into(studio: Studio, session: BoardSession) -> Answer:
    """Another picture's why."""
    now = results.show(studio, session.value)
    reason = why.why_html(studio, session.value, now.drawn)
    return {**copied(session), "results": now.html, "why": reason}


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"board": session.kept, "board_revision": order.revision("board", session.revision)}


def activity(busy: bool) -> Answer:
    """What is drawn can be stopped."""
    return {"stop": gr.Button(interactive=busy)}


def sweepable(board: Board) -> Answer:
    """What of the open row can be swept, a scale first."""
    spec = board.chosen
    swept = sweeps.parameters(spec)
    name = next((name for _, name in swept if name.endswith("scale")), swept[0][1] if swept else None)
    low, high = sweeps.bounds(spec, name) if name else (0.0, 1.0)
    return {"sweep_name": gr.Dropdown(swept, value=name), "sweep_low": low, "sweep_high": high}


def _method_of(board: Board) -> tuple[int, str]:
    return board.rows.chosen, board.chosen.method
