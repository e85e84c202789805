"""What happens on the Erase tab, as functions of plain values: each does one thing to a session and shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.core.params import shown
from studio.ui import edit_stack, stack_panel
from studio.ui.board_events import Call
from studio.ui.edit_stack import EditRow, Stack
from studio.ui.erase import board as boards
from studio.ui.erase import many, near, plan, run, view
from studio.ui.erase.aim import read_aim
from studio.ui.erase.balance import form
from studio.ui.erase.board import Board, BoardSession
from studio.ui.erase.making import entry_of, parts_of
from studio.ui.errors import sentence
from studio.ui.markup import alert
from studio.ui.sessions import Sessions
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


class Handlers:
    """Over a studio and the sessions of its pages. Each handler gives values by the components' names.

    What cannot be done is said on the page, and what was set stays; other errors are raised.
    """

    def __init__(self, studio: Studio, sessions: Sessions[BoardSession]) -> None:
        self._studio = studio
        self._sessions = sessions

    # -- looking ----------------------------------------------------------------------------------------------------

    def opened(self, call: Call) -> Answer:
        """A page was loaded."""
        with self._sessions.of(call.session, call.stored) as session:
            session.begin()
            return self._everything(session, call) if session.visited else view.copied(session)

    def visited(self, call: Call) -> Answer:
        """The tab is looked at."""
        with self._sessions.of(call.session, call.stored) as session:
            session.visited = True
            if not session.is_filled and call.stored is None:  # `opened` is yet to come, and shows it
                return {}
            return self._everything(session, call)

    def behind(self, call: Call, newest: Any) -> Answer:
        """An older answer landed on the page after a newer one, whose revision it tells."""
        with self._sessions.of(call.session, call.stored) as session:
            session.raise_above(newest)
            return self._everything(session, call)

    def looked(self, call: Call) -> Answer:
        """A job of the trial has come further, or the stack is another."""
        with self._sessions.of(call.session, call.stored) as session:
            return self._advanced(session, call) if session.visited else {}

    def looked_at_batch(self, call: Call) -> Answer:
        """A concept of the batch is erased, or could not be."""
        with self._sessions.of(call.session, call.stored) as session:
            return self._everything(session, call) if session.visited else {}

    def looked_for(self, call: Call) -> Answer:
        """Words near a concept are known, or what a substitute came to that was tried."""
        with self._sessions.of(call.session, call.stored) as session:
            if not session.visited:
                return {}
            board = near.proposed(self._studio, session.value, call.model)
            if board != session.value:
                session.put(board)
            return view.form(self._studio, session, call.fields, call.model)

    def checked(self, call: Call) -> Answer:
        """A field was left, or another model chosen: what is wrong is said at once."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            return view.form(self._studio, session, call.fields, call.model) if session.visited else {}

    # -- changing ---------------------------------------------------------------------------------------------------

    def row_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, row, value} to a row; try: its substitute, or one that is proposed."""
        op_name, row = str(change.get("op")), change.get("row")

        def work(board: Board) -> Board:
            id = row if isinstance(row, int) and not isinstance(row, bool) else 0
            if op_name == "try":
                return near.try_substitute(self._studio, board, id, call.model)
            return boards.change(board, op_name, id, change.get("value"))

        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, work)
            return view.form(self._studio, session, call.fields, call.model) | {"message": message}

    def aim_op(self, call: Call, value: Any) -> Answer:
        """Erase from now on, or balance; what is looked at stays."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, lambda board: replace(board, aim=read_aim(value)))
            return self._everything(session, call, message)

    def wishes_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, row, name, value} to what is to be balanced."""
        row = change.get("row")
        id = row if isinstance(row, int) and not isinstance(row, bool) else 0
        op_name, name, value = str(change.get("op")), str(change.get("name", "")), change.get("value")

        def work(board: Board) -> Board:
            return replace(board, wishes=form.change(board.wishes, op_name, id, name, value))

        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, work)
            return view.form(self._studio, session, call.fields, call.model) | {"message": message}

    def near_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Look for words near the open concept (suggest), or keep one of them (keep, value: its text)."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            preserved = str(call.fields["preserve"] or "")
            if change.get("op") == "keep":
                preserved = near.with_kept(preserved, str(change.get("value") or "")[: plan.MAX_CHARS])
                session.put(session.value)
                fields = {**call.fields, "preserve": preserved}
                return view.form(self._studio, session, fields, call.model) | {"preserve": preserved}
            message = self._tried(session, lambda board: near.suggest(self._studio, board, call.model))
            return view.form(self._studio, session, call.fields, call.model) | {"message": message}

    def method_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, name, value} to the choice of a method."""
        op_name, name = str(change.get("op")), str(change.get("name", ""))
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, lambda board: boards.choose(board, op_name, name, change.get("value")))
            return view.form(self._studio, session, call.fields, call.model) | {"message": message}

    def erase(self, call: Call) -> Answer:
        """Run it, or the balance."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            previous = session.value
            message = self._tried(session, lambda board: run.start(self._studio, board, call.fields, call.model))
            self._let_go(previous, session.value)
            shown_trial = self._advanced(session, call, message)
            return shown_trial | view.form(self._studio, session, call.fields, call.model)

    def add_lines(self, call: Call, lines: Any) -> Answer:
        """Make rows of lines of text; those that cannot be stay to be mended."""
        return self._with_lines(call, lines, many.add_rows)

    def erase_each(self, call: Call, lines: Any) -> Answer:
        """Erase what each line says by itself; those that cannot be stay to be mended."""
        return self._with_lines(call, lines, many.erase_each)

    def open(self, call: Call, edit: Any) -> Answer:
        """Look at an erasure that was made before."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            previous = session.value
            message = self._tried(
                session, lambda board: run.open_edit(self._studio, board, str(edit or ""), call.model)
            )
            self._let_go(previous, session.value)
            return view.trial(self._studio, session, call.stack, message)

    def measure(self, call: Call, budget: Any) -> Answer:
        """Have its report card drawn."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, lambda board: run.measure(self._studio, board, budget))
            return view.trial(self._studio, session, call.stack, message)

    def beside_negative(self, call: Call) -> Answer:
        """Show what a negative prompt does without the edit, or leave it out again."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = self._tried(session, lambda board: run.beside_negative(self._studio, board))
            return view.trial(self._studio, session, call.stack, message)

    def stop(self, call: Call) -> Answer:
        """Stop all that works for this page's trial, and its batch."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            trial, batch = session.value.trial, session.value.batch
        run.stop(self._studio, {*batch, *(trial.jobs | {trial.card} if trial else ())})
        return {}

    def act(self, call: Call, op: str, value: Any) -> tuple[Answer, Stack]:
        """Do something with the edit that is looked at; give the answer, and the edit stack as it is then.

        op: strength (value: a number), accept, discard, go_on, more (value: steps).
        """
        stack = call.stack
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            message = ""
            try:
                match op:
                    case "strength":
                        session.put(run.at_strength(session.value, boards.strength(value)))
                    case "accept":
                        stack = self._accepted(session.value, stack)
                    case "go_on":
                        session.put(run.go_on(self._studio, session.value))
                    case "more":
                        session.put(run.lengthen(self._studio, session.value, value))
                    case "discard":
                        stack = self._discarded(session, stack)
                    case _:
                        message = alert(f"There is nothing to do with an erasure called {shown(op)}.")
            except StudioError as error:
                message = alert(sentence(error))
            return self._advanced(session, replace(call, stack=stack), message), stack

    # -- inside -----------------------------------------------------------------------------------------------------

    def _with_lines(self, call: Call, lines: Any, work: Callable[..., tuple[Board, str, str]]) -> Answer:
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            left, message = str(lines or ""), ""

            def taken(board: Board) -> Board:
                nonlocal left, message
                board, left, message = work(self._studio, board, left, call.fields, call.model)
                return board

            wrong = self._tried(session, taken)
            return self._everything(session, call) | {"lines": left, "message": wrong or message}

    def _accepted(self, board: Board, stack: Stack) -> Stack:
        """The stack with the trial's edit on, at its strength; where it has parts, with these in its place."""
        trial = board.trial
        entry = entry_of(self._studio, trial) if trial else None
        if trial is None or entry is None or not trial.strength:
            return stack
        if parts := parts_of(self._studio, entry):
            rows = view.rows_of(self._studio, stack, [*parts, entry])
            part_rows = [EditRow(part.id, trial.strength) for part in parts]
            return edit_stack.put_in_place(stack, {row.edit for row in rows if row}, part_rows)
        row = view.row_of(self._studio, stack, trial)
        if row is None:
            stack = edit_stack.change(stack, "add", entry.id)
        elif not row.on:
            stack = edit_stack.change(stack, "toggle", row.edit)
        return edit_stack.change(stack, "strength", row.edit if row else entry.id, trial.strength)

    def _discarded(self, session: BoardSession, stack: Stack) -> Stack:
        """The stack without the trial's edit, which is deleted. Raises BadInput while others draw with it."""
        trial = session.value.trial
        if trial is None:
            return stack
        run.stopped(self._studio, trial.jobs | {trial.card})
        if entry := entry_of(self._studio, trial):
            for edit in (*parts_of(self._studio, entry), entry):
                stack = stack_panel.change(self._studio, stack, "delete", edit.id, None)
        session.put(boards.with_trial(session.value, None))
        return stack

    def _everything(self, session: BoardSession, call: Call, message: str = "") -> Answer:
        # The trial last: its list of erasures has then all that the batch says is made.
        controls = view.form(self._studio, session, call.fields, call.model)
        return controls | self._advanced(session, call, message)

    def _advanced(self, session: BoardSession, call: Call, message: str = "") -> Answer:
        """The trial as far as it has come."""
        last_board = session.value
        try:
            board = run.advanced(self._studio, last_board)
        except StudioError as error:
            board, message = last_board, message or alert(sentence(error))
        if board != last_board:
            session.put(board)
        return view.trial(self._studio, session, call.stack, message)

    def _tried(self, session: BoardSession, work: Callable[[Board], Board]) -> str:
        """Do something to the board; give what to say if it could not be done, as HTML."""
        try:
            session.put(work(session.value))
            return ""
        except StudioError as error:
            session.put(session.value)  # an answer that is newer than what the page shows
            return alert(sentence(error))

    def _let_go(self, previous: Board, board: Board) -> None:
        """Stop what no trial waits for any more."""
        jobs = previous.trial.jobs if previous.trial else set[str]()
        run.stop(self._studio, jobs - (board.trial.jobs if board.trial else set()))
