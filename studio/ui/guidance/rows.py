"""The rows of guidance as HTML: what is compared, each with its method, its numbers and what is put around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.core.recipe import GuidanceSpec
from studio.ui.components import around, method_menu, rule
from studio.ui.components import rows as lists
from studio.ui.components.curves.marks import marks, swatch
from studio.ui.components.fields import Entry
from studio.ui.components.rows import Row
from studio.ui.guidance.board import Board
from studio.ui.markup import tag, text

# One event for everything: {op, row, at, name, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, row: Number(from.dataset.row),
  at: from.dataset.at || '', name: from.dataset.name || '', value: value}});
{around.SCRIPT}
watch('value', written);
written();
"""


def rows_html(
    board: Board,
    formulas: Mapping[int, str],
    problems: Mapping[int, str],
    offered: Sequence[Entry] = (),
    caveats: Mapping[int, str] | None = None,
) -> str:
    """The list of rows.

    formulas: row -> its formula with the numbers.
    problems: row -> why it cannot be drawn.
    offered: the menu of methods, all of them where it is left out.
    caveats: row -> what to know of it before it is drawn.
    """
    offered = offered or method_menu.entries()
    marks_by_row = marks(row.id for row in board.rows)

    def name(row: Row[GuidanceSpec]) -> str:
        return swatch(marks_by_row[row.id]) + tag("span", text(rule.label(row.value)), class_="name")

    def line(row: Row[GuidanceSpec]) -> str:
        formula = problems.get(row.id) or formulas.get(row.id, "")
        lines = [(formula, "formula wrong" if row.id in problems else "formula")]
        lines.append(((caveats or {}).get(row.id, ""), "formula caveat"))
        return "".join(tag("p", text(line), class_=style) for line, style in lines if line)

    adder = lists.adder_html("Add a row", offered, "A further method to compare", disabled=board.rows.is_full)
    return lists.rows_html(board.rows, name, line, lambda row: rule.settings_html(row.id, row.value, offered), adder)
