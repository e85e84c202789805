"""What keeps comparisons and opens them again, and what tests two rows blind, as functions of plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from studio.core.errors import BadInput
from studio.ui.board_events import Call
from studio.ui.compare import blind, view
from studio.ui.compare import board as boards
from studio.ui.compare.board import Board, BoardSession
from studio.ui.compare.doing import Doing, is_refused, whole, with_columns
from studio.ui.components.method_menu import preset_entries
from studio.ui.wiring import Answer


class Keepers(Doing):
    """The handlers for what outlives a page."""

    def blind_test(self, call: Call, row: Any) -> Answer:
        """Have a row compared with the reference by people who do not know which is which."""
        return self.changed(call, lambda board: blind.begin(self.studio, board, row))

    def end_test(self, call: Call, campaign: Any) -> Answer:
        """Ask nothing more of a blind test, and tell how it went."""

        def work(board: Board) -> Board:
            self.studio.comparisons.tests.end(whole(campaign))
            return board

        return self.changed(call, work)

    def save(self, call: Call, name: Any) -> Answer:
        """Keep the comparison under a name."""

        def work(board: Board) -> tuple[Board, str]:
            board = replace(with_columns(board, call.fields), name=str(name or "").strip())
            self.studio.comparisons.save(board.comparison)
            return board, f"Saved as {board.name}."

        return self.changed(call, work) | view.menus(self.studio, preset_entries(self.presets))

    def open_saved(self, call: Call, name: Any) -> Answer:
        """Open one that was kept."""
        if not name:
            return self.nothing(call)

        def work(board: Board) -> tuple[Board, str]:
            opened = boards.of_comparison(self.studio.comparisons.load(str(name)))
            return opened, f"Opened {opened.name or name}."

        answer = self.changed(call, work, replaces=True)
        return answer | {"saved": "", "saved_name": "" if is_refused(answer) else str(name)}

    def forget_saved(self, call: Call, name: Any) -> Answer:
        """Forget one that was kept."""

        def work(board: Board) -> tuple[Board, str]:
            saved = str(name or "").strip()
            self.studio.comparisons.remove(saved)
            return board, f"Deleted {saved}; what is here stays."

        answer = self.changed(call, work) | view.menus(self.studio, preset_entries(self.presets))
        return answer if is_refused(answer) else answer | {"saved_name": ""}

    def clear(self, call: Call) -> Answer:
        """Begin with nothing."""
        return self.changed(call, lambda board: boards.new(), replaces=True)

    def bring_back(self, call: Call) -> Answer:
        """What was here before it was replaced by another one; once more, the other one."""

        def work(session: BoardSession) -> Board:
            if session.before is None:
                raise BadInput("Nothing was replaced here yet.")
            return session.before

        with self.sessions.of(call.session, call.stored, call.turn) as session:
            return self.done(session, lambda board: work(session), True)
