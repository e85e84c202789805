"""What happens on the Compare tab, as functions of plain values: each does one thing to a session and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.services.comparisons import rows
from studio.ui.board_events import Call
from studio.ui.compare import board as boards
from studio.ui.compare import view
from studio.ui.compare.adders import Adders
from studio.ui.compare.board import Board
from studio.ui.compare.doing import FIELDS, whole, with_columns
from studio.ui.compare.keepers import Keepers
from studio.ui.components.method_menu import preset_entries
from studio.ui.wiring import Answer


class Handlers(Adders, Keepers):
    """All of them: here looking, changing rows and columns, and drawing."""

    # -- looking ----------------------------------------------------------------------------------------------------

    def opened(self, call: Call) -> Answer:
        """A page was loaded."""
        with self.sessions.of(call.session, call.stored) as session:
            session.begin()
            if session.visited:  # the tab was chosen before the browser's copy came
                return _but_typed(view.everything(self.studio, session), call.fields)
            return view.unvisited(session)

    def visited(self, call: Call) -> Answer:
        """The tab is looked at."""
        with self.sessions.of(call.session, call.stored) as session:
            session.visited = True
            menus = view.menus(self.studio, preset_entries(self.presets))
            if not session.is_filled and call.stored is None:  # `opened` is yet to come, and shows it
                return menus
            return menus | _but_typed(view.everything(self.studio, session), call.fields)

    def behind(self, call: Call, newest: Any) -> Answer:
        """An older answer landed on the page after a newer one, whose revision it tells."""
        with self.sessions.of(call.session, call.stored) as session:
            session.raise_above(newest)
            return view.everything(self.studio, session)

    def update_pictures(self, call: Call) -> Answer:
        """A picture is finished, or all of them are."""
        with self.sessions.of(call.session, call.stored) as session:
            return view.pictures(self.studio, session)

    # -- rows and columns -------------------------------------------------------------------------------------------

    def row_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, row, at, name, value} to a row."""
        op_name, value = str(change.get("op")), change.get("value")

        def work(board: Board) -> Board:
            at, name, id = str(change.get("at", "")), str(change.get("name", "")), whole(change.get("row"))
            if op_name == "set" and name == "model":
                row = board.rows[id]
                recipe = rows.with_model(row.recipe, str(value), self.studio.sources).recipe
                return boards.with_value(board, id, row.model_copy(update={"recipe": recipe}))
            return boards.change(board, op_name, id, at, name, value)

        return self.changed(call, work)

    def columns_changed(self, call: Call) -> Answer:
        """Prompts or seeds were typed, or a switch was set."""
        return self.changed(call, lambda board: with_columns(board, call.fields))

    # -- drawing ----------------------------------------------------------------------------------------------------

    def draw(self, call: Call) -> Answer:
        """Draw what is missing; where nothing is, what a training has drawn with before it went on."""

        def work(board: Board) -> tuple[Board, str]:
            board = with_columns(board, call.fields)
            comparison = board.comparison
            jobs = self.studio.comparisons.draw(comparison)
            live = [place for place, row in enumerate(comparison.rows) if row.is_live]
            if not jobs and live:
                jobs = self.studio.comparisons.draw(comparison, rows=live, again=True)
            return board, "" if jobs else "Every picture is drawn, or is being drawn."

        return self.changed(call, work)

    def stop(self, call: Call) -> Answer:
        """Stop all that is drawn for this comparison."""
        with self.sessions.of(call.session, call.stored, call.turn) as session:
            self.studio.comparisons.stop(session.value.comparison)
            return view.pictures(self.studio, session)


def _but_typed(answer: Answer, fields: Mapping[str, Any]) -> Answer:
    """An answer that leaves what is typed for the columns: before a reload, nobody need have left the field."""
    if not any(str(fields.get(name) or "").strip() for name in ("prompts", "seeds")):
        return answer
    return {name: value for name, value in answer.items() if name not in FIELDS}
