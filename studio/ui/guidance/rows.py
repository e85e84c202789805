"""The rows of guidance as HTML: what is compared, each with its method, its numbers and what is put around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.ui.components import around, fields, method_menu
from studio.ui.components.curves.marks import marks, swatch
from studio.ui.components.fields import Entry
from studio.ui.guidance import board as boards
from studio.ui.guidance.board import MAX_ROWS, Board, Row
from studio.ui.markup import tag, text
from studio.ui.methods import declarations

# One event for everything: {op, row, at, name, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, row: Number(from.dataset.row),
  at: from.dataset.at || '', name: from.dataset.name || '', value: value}});
{around.SCRIPT}
watch('value', written);
written();
"""


def rows_html(
    board: Board, formulas: Mapping[int, str], problems: Mapping[int, str], offered: Sequence[Entry] = ()
) -> str:
    """formulas: row -> its formula with the numbers; problems: row -> why it cannot be drawn; offered: the menu of
    methods, all of them where it is left out.
    """
    offered = offered or method_menu.entries()
    rows = "".join(_row(row, board, formulas, problems, offered) for row in board["rows"])
    full = len(board["rows"]) >= MAX_ROWS
    more = _menu("add", 0, "Add a row", offered, "A further method to compare", disabled=full)
    return tag("ol", rows, class_="guides") + tag("div", more, class_="guide-add")


def _row(
    row: Row, board: Board, formulas: Mapping[int, str], problems: Mapping[int, str], offered: Sequence[Entry]
) -> str:
    id, spec = row["id"], row["guidance"]
    chosen = id == board["chosen"]
    head = tag(
        "button",
        swatch(marks(row["id"] for row in board["rows"])[id]) + tag("span", text(boards.label(spec)), class_="name"),
        type="button", class_="guide-name", data_op="choose", data_row=str(id), aria_expanded=str(chosen).lower(),
        title="Open this row's settings",
    )  # fmt: skip
    formula = problems.get(id) or formulas.get(id, "")
    line = tag("p", text(formula), class_="formula wrong" if id in problems else "formula") if formula else ""
    inner = tag("div", head + _tools(id, board), class_="head") + line
    if chosen:
        inner += _settings(id, spec, offered)
    return tag("li", inner, class_="guide chosen" if chosen else "guide")


def _tools(id: int, board: Board) -> str:
    first, last = board["rows"][0]["id"] == id, board["rows"][-1]["id"] == id
    return tag(
        "span",
        fields.button("up", id, "↑", "Move up", disabled=first)
        + fields.button("down", id, "↓", "Move down", disabled=last)
        + fields.button("copy", id, "+", "Add a copy of this row", disabled=len(board["rows"]) >= MAX_ROWS)
        + fields.button("remove", id, "×", "Remove this row", disabled=len(board["rows"]) == 1),
        class_="tools",
    )


def _settings(id: int, spec: Mapping[str, Any], offered: Sequence[Entry]) -> str:
    method = declarations().guidance.get(str(spec["method"]))
    parts = [fields.select("method", id, "Method", offered, str(spec["method"]))]
    if method is None:
        parts.append(tag("p", "This method is not here any more; choose another.", class_="hint wrong"))
    else:
        if method.source:
            parts.append(tag("p", text(method.source), class_="source"))
        parts += fields.parameters(method.params, spec["params"], "param", id)
    parts.append(around.around_html(spec.get("wrappers", ()), str(spec["method"]), id, offered=offered))
    return tag("div", "".join(parts), class_="settings")


def _menu(op: str, row: int, label: str, entries: Sequence[Entry], title: str, disabled: bool = False) -> str:
    """A list that does something with what is chosen, and forgets it."""
    options = tag("option", text(label), value="", selected=True)
    options += fields.options_html(entries)
    return tag("select", options, data_op=op, data_row=str(row), data_once="1", title=title, aria_label=label,
               class_="menu-like", disabled=disabled)  # fmt: skip
