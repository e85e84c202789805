"""A session as the page shows it: values for the components, by their names; what is not named stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui import order
from studio.ui.compare import adding, blind, editor, table
from studio.ui.compare.board import Board, BoardSession
from studio.ui.compare.columns import typed
from studio.ui.compare.table import TableView
from studio.ui.components import around, axes
from studio.ui.markup import alert, tag, text
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio

AXES = tuple(f"{part}_{letter}" for letter in "XYZ" for part in ("vary", "values"))


def everything(
    studio: Studio,
    session: BoardSession,
    message: str = "",
    message_kind: str = "error",
    previous: Board | None = None,
) -> Answer:
    """All of it.

    message, message_kind: what to say, as `alert` takes it.
    previous: a board the page shows already; what is as it was then, and is the user's to change, is left.
    """
    board = session.value
    table_view = table.show(studio, board, session.asked_images)
    answer: Answer = {
        **copied(session),
        **pictures_of(table_view),
        "editor": editor.editor_html(studio, board, table_view.names.get(board.rows.chosen, "")),
        "message": alert(message, kind=message_kind),
        "bar": bar_html(board),
        "basis": _basis_html(board, table_view.names),
    }
    if previous is None or previous.basis != board.basis:
        answer |= varied(board)
    if previous is None or previous.comparison != board.comparison:
        answer["rival"] = _rivals(board, table_view.names, previous)
    answer["tests"] = blind.tests_html(studio, board)
    if previous is None or previous.columns != board.columns or previous.equal != board.equal:
        answer |= columns(board)
    return answer


def _rivals(board: Board, names: Mapping[int, str], previous: Board | None) -> gr.Dropdown:
    """The menu of what can be tested. What is chosen there is left, unless a row of `previous` is not offered now."""
    rivals = blind.rivals(board, names)
    before = set() if previous is None else {row for _, row in blind.rivals(previous, names)}
    if before and before <= {row for _, row in rivals}:
        return gr.Dropdown(rivals)
    return gr.Dropdown(rivals, value=rivals[0][1] if rivals else None)


def unvisited(session: BoardSession) -> Answer:
    """What goes into the tab before anybody looks: what a row costs brings torch, and the page is painted first."""
    return {**copied(session), "bar": bar_html(session.value)}


def pictures(studio: Studio, session: BoardSession) -> Answer:
    """The pictures, while they are made."""
    table_view = table.show(studio, session.value, session.asked_images)
    return {**pictures_of(table_view), "compare_revision": order.revision("compare", session.revision)}


def pictures_of(table_view: TableView) -> Answer:
    """The table, and what can be done about it."""
    go = f"Draw {table_view.missing}" if table_view.missing else "Draw"
    return {
        "table": table_view.html,
        "statistics": table_view.statistics,
        "files": table_view.files or NO_FILES,
        "go": gr.Button(go),
        "stop": gr.Button(interactive=table_view.busy),
    }


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"compare": session.browser_copy, "compare_revision": order.revision("compare", session.revision)}


def columns(board: Board) -> Answer:
    """The columns as they are typed; empty where that cannot be, and then a sentence says what they are."""
    fields = typed(board.columns)
    prompts, seeds, paired = fields or ("", "", False)
    return {
        "prompts": prompts,
        "seeds": seeds,
        "paired": paired,
        "equal": board.equal,
        "columns_told": columns_told(board),
    }


def columns_told(board: Board) -> str:
    """What to know of columns that cannot be typed, as HTML."""
    if typed(board.columns) is not None:
        return ""
    count = len(board.columns)
    words = f"{count} column{'s' * (count != 1)} as they were opened. What is typed here takes their place."
    return tag("p", text(words), class_="hint")


def varied(board: Board) -> dict[str, Any]:
    """What of the recipe that rows are made from can be varied."""
    recipe = board.basis
    if recipe is None:
        return {}
    values: dict[str, Any] = {
        "method": recipe.guidance.method,
        "sampler": recipe.sampler,
        "wrappers": around.to_json([wrapper.model_dump(mode="json") for wrapper in recipe.guidance.wrappers]),
    }
    choices = axes.choices(values, recipe.edits)
    return {name: gr.Dropdown(choices, value="") for name in AXES if name.startswith("vary")}


def menus(studio: Studio, presets: list[tuple[str, str]]) -> Answer:
    """What rows can be made of, as it is by now."""
    edits = [(entry.name or entry.id, entry.id) for entry in studio.edits.list() if not entry.problem]
    trainings = adding.trainings(studio)
    saved = [(entry.name, entry.name) for entry in studio.comparisons.list() if not entry.problem]
    return {
        "preset": gr.Dropdown(presets, value=""),
        "edit": gr.Dropdown([("", ""), *edits], value=""),
        "training": gr.Dropdown([("", ""), *trainings], value=""),
        "saved": gr.Dropdown([("", ""), *saved], value=""),
    }


def bar_html(board: Board) -> str:
    """The buttons that open what lies beneath the bar. Of an empty comparison, that is where rows come from."""
    buttons = "".join(
        tag(
            "button",
            text(label),
            type="button",
            class_="small",
            data_panel=panel,
            aria_expanded="false",
            aria_controls=panel,
            title=title,
        )
        for panel, label, title in PANELS
    )
    return tag("div", buttons, class_="compare-panels", data_empty=not board.rows)


PANELS = (
    (
        "compare-add",
        "Add rows",
        "From past pictures, files, presets, edits, trainings, models, or values of parameters",
    ),
    ("compare-statistics", "Statistics", "Means, intervals, and how each row differs from the reference"),
    ("compare-keep", "Share and keep", "Export it as a file, save it here, or open a saved one"),
)
NO_FILES = tag("p", "There is something to share once a picture is drawn.", class_="hint")


def _basis_html(board: Board, names: Mapping[int, str]) -> str:
    """What further rows are made from."""
    if not board.rows:
        return tag("p", "Made from the settings of the first row; while there is none, from plain ones.", class_="hint")
    id = board.rows.chosen if board.is_open else board.reference_id
    words = f"Made from the row “{names.get(id, '')}”. Open another one to make them from that."
    return tag("p", text(words), class_="hint")
