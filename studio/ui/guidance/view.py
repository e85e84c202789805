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
from studio.ui.guidance.results import ResultsView
from studio.ui.markup import alert
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


def everything(
    studio: Studio,
    session: BoardSession,
    model: str,
    sampler: str,
    message: str = "",
    message_kind: str = "error",
    previous: Board | None = None,
) -> Answer:
    """All of it.

    model, sampler: that all rows share.
    message, message_kind: what to say, as `alert` takes it.
    previous: a board the page shows already; what is as it was then, and is costly or the user's to change, is left.
    """
    board = session.value
    results_view = results.show(studio, board)
    film, filming = sweeps.sweep_html(studio, board.sweep, board.picture_id)
    formulas, wrong = run.formulas(board, studio, model)
    caveats = run.caveats(board, studio, model, sampler)
    answer: Answer = {
        **copied(session),
        "rows": rows.rows_html(board, formulas, wrong, method_menu.entries(studio, model), caveats),
        "results": results_view.html,
        "film": film,
        "message": alert(message, kind=message_kind),
        **activity(results_view.busy or filming),
    }
    if previous is None or previous.picture_id != board.picture_id:
        answer["why"] = why.why_html(studio, board, results_view.pictures)
    if previous is None or _method_of(previous) != _method_of(board):
        answer |= sweepable(board)
    return answer


def unvisited(studio: Studio, session: BoardSession) -> Answer:
    """What goes into the tab before anybody looks: formulas and colours bring torch, and the page is painted first."""
    return {**copied(session), "rows": rows.rows_html(session.value, {}, {})}


def pictures(studio: Studio, session: BoardSession) -> Answer:
    """The pictures, while they are made. When they are, one of them is looked into: of the open row, if it has any."""
    board = session.value
    results_view, (film, filming) = (
        results.show(studio, board),
        sweeps.sweep_html(studio, board.sweep, board.picture_id),
    )
    busy = activity(results_view.busy or filming)
    if results_view.busy or not results_view.pictures or board.picture_id in _pictures(studio, board, results_view):
        return {
            "results": results_view.html,
            "film": film,
            "board_revision": order.revision("board", session.revision),
            **busy,
        }
    of_open_row = [picture.id for (row, _), picture in results_view.pictures.items() if row == board.rows.chosen]
    session.put(
        replace(board, picture_id=next(iter(of_open_row or [picture.id for picture in results_view.pictures.values()])))
    )
    return {**looked_into(studio, session), "film": film, "strip": "", **busy}


def _pictures(studio: Studio, board: Board, results_view: ResultsView) -> set[int]:
    """All that can be looked into."""
    swept = sweeps.pictures(studio, board.sweep)
    return {picture.id for picture in results_view.pictures.values()} | {picture.id for picture in swept}


def looked_into(studio: Studio, session: BoardSession) -> Answer:
    """Another picture's why."""
    results_view = results.show(studio, session.value)
    reason = why.why_html(studio, session.value, results_view.pictures)
    return {**copied(session), "results": results_view.html, "why": reason}


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"board": session.browser_copy, "board_revision": order.revision("board", session.revision)}


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
