"""What every handler of the Compare tab does: something to the session of a page, whose answer shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.services.comparisons.service import ORIGIN
from studio.services.presets import GuidancePresets
from studio.ui.board_events import Call
from studio.ui.compare import board as boards
from studio.ui.compare import columns, view
from studio.ui.compare.board import Board, BoardSession
from studio.ui.errors import sentence
from studio.ui.sessions import Sessions
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio

FIELDS = ("prompts", "seeds", "paired", "equal")
Work = Callable[[Board], Board | tuple[Board, str]]


class Doing:
    """Over a studio, its presets and the sessions of its pages. Each handler gives values by the components' names.

    What cannot be done to a board is said on the page, and the board stays; other errors are raised.
    """

    def __init__(self, studio: Studio, presets: GuidancePresets, sessions: Sessions[BoardSession]) -> None:
        self.studio = studio
        self.presets = presets
        self.sessions = sessions

    def changed(self, call: Call, work: Work, *, replaces: bool = False) -> Answer:
        """Do something to the board; what it gives besides is a note to show. replaces: as a whole."""
        with self.sessions.of(call.session, call.stored, call.turn) as session:
            return self.done(session, work, replaces)

    def done(self, session: BoardSession, work: Work, replaces: bool) -> Answer:
        """As `changed`, inside of a session."""
        previous = session.value
        try:
            result = work(previous)
            board, message = result if isinstance(result, tuple) else (result, "")
            kind = "note"
        except StudioError as error:
            board, message, kind = previous, sentence(error), "error"
        if replaces and kind == "note" and previous.rows:
            session.before = previous  # nobody need have meant to lose it
        session.put(board)
        self._let_go(previous, board)
        return view.everything(self.studio, session, message, kind, previous)

    def nothing(self, call: Call) -> Answer:
        """An event that does nothing, in its turn."""
        with self.sessions.of(call.session, call.stored, call.turn):
            return {}

    def _let_go(self, previous: Board, board: Board) -> None:
        """Stop what no cell waits for any more: it would go on for nobody, and the next would wait behind it."""
        if board.comparison == previous.comparison or not previous.rows:
            return
        with contextlib.suppress(StudioError):  # such as a comparison that is too large, which is said elsewhere
            jobs = self._jobs_of(previous)
            for job in jobs - (self._jobs_of(board) if jobs else set()):
                with contextlib.suppress(NotFound):
                    if self.studio.jobs.get(job).payload.get("origin") == ORIGIN:  # none that another tab waits for
                        self.studio.jobs.stop(job)

    def _jobs_of(self, board: Board) -> set[str]:
        cells = self.studio.comparisons.cells(board.comparison) if board.rows else []
        return {cell.job for row in cells for cell in row if cell.job}


def with_columns(board: Board, fields: Mapping[str, Any]) -> Board:
    """The board with what is typed. Columns that cannot be typed stay until something is. Raises BadInput."""
    prompts, seeds = str(fields.get("prompts") or ""), str(fields.get("seeds") or "")
    paired, equal = bool(fields.get("paired")), bool(fields.get("equal"))
    board = replace(board, equal=equal)
    if columns.typed(board.columns) is None and not prompts.strip() and not seeds.strip():
        return board
    return boards.checked(replace(board, columns=columns.parsed(prompts, seeds, paired)))


def is_refused(answer: Answer) -> bool:
    """Whether it says that something could not be done."""
    return 'class="message error"' in answer["message"]


def whole(value: Any) -> int:
    """A number the page told. Raises BadInput for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 2**53:
        raise BadInput(f"The page told {shown(value)} where a whole number was due.", "Load it again.")
    return int(value)
