"""Two rows compared by people who do not know which is which: begun here, answered on the Label tab, told here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, StudioError
from studio.services.comparisons.blind import RowTest
from studio.ui.compare import naming
from studio.ui.compare.board import MAX_TESTS, Board
from studio.ui.handover import LABEL
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = f"""
const label = {LABEL};
element.addEventListener('click', (event) => {{
  const button = event.target.closest('button[data-campaign]');
  if (!button) return;
  const campaign = Number(button.dataset.campaign);
  if (button.dataset.op === 'label') label(campaign);
  else trigger('end', {{campaign: campaign}});
}});
"""


def begin(studio: Studio, board: Board, row: Any) -> tuple[Board, str]:
    """The board with a test of a row against the reference, and what to say. row: its id. Raises BadInput."""
    ids = [row.id for row in board.rows]
    if row not in ids:
        raise BadInput("No row is chosen.", "Choose one; it is tested against the reference.", field="row")
    comparison = board.comparison
    names = naming.names(board, studio.comparisons.plan(comparison))
    test = studio.comparisons.blind_test(naming.called(comparison, names), ids.index(row))
    words = f"The blind test of {test.row} against {test.reference} is ready: answer it on the Label tab."
    return replace(board, tests=(test.campaign.id, *board.tests)[:MAX_TESTS]), words


def rivals(board: Board, names: Mapping[int, str]) -> list[tuple[str, int]]:
    """(name, id) of the rows that can be tested: all but the reference."""
    return [(names.get(row.id, ""), row.id) for row in board.rows if row.id != board.reference_id]


def tests_html(studio: Studio, board: Board) -> str:
    """The tests of a comparison, newest first."""
    items = ""
    for campaign in board.tests:
        try:
            items += _test(studio.comparisons.tests.get(campaign))
        except StudioError:  # of another workspace, or deleted
            continue
    return tag("ul", items, class_="blind-tests") if items else ""


def _test(test: RowTest) -> str:
    words = f"{test.row} against {test.reference}: {test.verdict}"
    if test.is_over and (rate := test.outcome.win_rate) is not None:
        low, high = test.outcome.interval
        words += f" It won {rate:.0%} ({low:.0%} to {high:.0%}, ties half), n = {test.outcome.answers}."
    number = str(test.campaign.id)
    buttons = ""
    if not test.is_over:
        buttons = tag("button", "Answer it", type="button", class_="small", data_op="label", data_campaign=number)
        buttons += tag("button", "End it and tell", type="button", class_="small", data_op="end", data_campaign=number)
    return tag("li", tag("span", text(words)) + buttons)
