"""What happens on the Compare tab, as functions of plain values: each does one thing to a session and shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.services.comparisons import rows
from studio.services.presets import GuidancePresets
from studio.ui.compare import adding, blind, columns, view
from studio.ui.compare import board as boards
from studio.ui.compare.board import Board, BoardSession
from studio.ui.errors import sentence
from studio.ui.guidance.layout import entries
from studio.ui.handover import Handover
from studio.ui.sessions import Sessions
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio

FIELDS = ("prompts", "seeds", "paired", "equal")
MAX_FILES = 20
REPORTS = (".html", ".htm")


@dataclass(frozen=True)
class Call:
    """What an event brings along, none of it checked.

    session: the page's.
    turn: of its events, None for one that takes none.
    stored: the browser's copy of the board.
    model: of the sidebar.
    edits: of the sidebar, for events that take a turn.
    fields: by the names of FIELDS.
    """

    session: Any = None
    turn: Any = None
    stored: Any = None
    model: str = ""
    edits: Sequence[EditRef] = ()
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Handlers:
    """Over a studio, its presets and the sessions of its pages. Each handler gives values by the components' names.

    What cannot be done to a board is said on the page, and the board stays; other errors are raised.
    """

    def __init__(self, studio: Studio, presets: GuidancePresets, sessions: Sessions[BoardSession]) -> None:
        self._studio = studio
        self._presets = presets
        self._sessions = sessions

    # -- looking ----------------------------------------------------------------------------------------------------

    def opened(self, call: Call) -> Answer:
        """A page was loaded."""
        with self._sessions.of(call.session, call.stored) as session:
            session.begin()
            if session.visited:  # the tab was chosen before the browser's copy came
                return _but_typed(view.everything(self._studio, session), call.fields)
            return view.unvisited(session)

    def visited(self, call: Call) -> Answer:
        """The tab is looked at."""
        with self._sessions.of(call.session, call.stored) as session:
            session.visited = True
            menus = view.menus(self._studio, entries(self._presets))
            if not session.is_filled and call.stored is None:  # `opened` is yet to come, and shows it
                return menus
            return menus | _but_typed(view.everything(self._studio, session), call.fields)

    def behind(self, call: Call, newest: Any) -> Answer:
        """An older answer landed on the page after a newer one, whose revision it tells."""
        with self._sessions.of(call.session, call.stored) as session:
            session.raise_above(newest)
            return view.everything(self._studio, session)

    def update_pictures(self, call: Call) -> Answer:
        """A picture is finished, or all of them are."""
        with self._sessions.of(call.session, call.stored) as session:
            return view.pictures(self._studio, session)

    # -- rows and columns -------------------------------------------------------------------------------------------

    def row_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, row, at, name, value} to a row."""
        op_name, value = str(change.get("op")), change.get("value")

        def work(board: Board) -> Board:
            at, name, id = str(change.get("at", "")), str(change.get("name", "")), _whole(change.get("row"))
            if op_name == "set" and name == "model":
                row = board.rows[id]
                recipe = rows.with_model(row.recipe, str(value), self._studio.sources).recipe
                return boards.with_value(board, id, row.model_copy(update={"recipe": recipe}))
            return boards.change(board, op_name, id, at, name, value)

        return self._changed(call, work)

    def columns_changed(self, call: Call) -> Answer:
        """Prompts or seeds were typed, or a switch was set."""
        return self._changed(call, lambda board: _with_columns(board, call.fields))

    def add_pictures(self, call: Call, ids: Any) -> Answer:
        """Pictures of the history as rows; see `adding.pictures`."""

        def work(board: Board) -> Board:
            return adding.pictures(board, [self._studio.history.get(int(id)) for id in ids or ()])

        answer = self._changed(call, work)
        return answer if _is_refused(answer) else answer | {"pictures": []}

    def receive(self, call: Call, sent: Handover) -> Answer:
        """Pictures from another tab, as rows."""

        def work(board: Board) -> tuple[Board, str]:
            longer = adding.pictures(board, sent.pictures)
            count = len(longer.rows) - len(board.rows)
            pictures = "A picture was" if len(sent.pictures) == 1 else f"{len(sent.pictures)} pictures were"
            return longer, f"{pictures} sent here, as {count} row{'s' * (count != 1)}."

        return self._changed(call, work)

    def add_files(self, call: Call, paths: Any) -> Answer:
        """Picture files as rows; a report takes the place of what is here. Each is read and deleted."""
        files = [Path(path) for path in (paths if isinstance(paths, list) else [paths]) if path]
        told: list[str] = []

        def work(board: Board) -> tuple[Board, str]:
            if len(files) > MAX_FILES:
                raise BadInput(f"{len(files)} files are too many at once.", f"Take {MAX_FILES} at most.")
            for file in files:
                if file.suffix.lower() in REPORTS:
                    board, remarks = self._restored(file)
                    told.extend(remarks)
                    continue
                board, left_out = adding.file(self._studio, board, file, call.model)
                told.extend(f"Not taken over of {file.name}: {left}." for left in left_out)
            return board, " ".join(told)

        try:
            is_report = any(file.suffix.lower() in REPORTS for file in files)
            return self._changed(call, work, replaces=is_report) | {"dropped": None}
        finally:
            for file in files:
                with contextlib.suppress(OSError):
                    file.unlink()

    def add_preset(self, call: Call, name: Any) -> Answer:
        """A guidance preset as a row."""
        return self._added(call, name, lambda board, recipe: adding.preset(board, self._presets, str(name), recipe))

    def add_edit(self, call: Call, id: Any, strengths: Any) -> Answer:
        """An edit at some strengths, a row each."""

        def work(board: Board) -> Board:
            if not id:
                raise BadInput("No edit is chosen.", "Choose one; Erase and Align make them.", field="edit")
            recipe = adding.basis(self._studio, board, call.model, call.edits)
            return adding.edit(self._studio, board, str(id), str(strengths or ""), recipe)

        return self._changed(call, work)

    def add_training(self, call: Call, id: Any) -> Answer:
        """The steps of a training, a row each."""
        return self._added(call, id, lambda board, recipe: adding.steps(self._studio, board, str(id), recipe))

    def add_models(self, call: Call, names: Any) -> Answer:
        """Other models, a row each."""

        def work(board: Board) -> Board:
            recipe = adding.basis(self._studio, board, call.model, call.edits)
            return adding.models(self._studio, board, [str(name) for name in names or ()], recipe)

        return self._changed(call, work)

    def add_values(self, call: Call, *axis_texts: Any) -> Answer:
        """Values of parameters, a row each."""

        def work(board: Board) -> Board:
            recipe = adding.basis(self._studio, board, call.model, call.edits)
            return adding.along(self._studio, board, axis_texts, recipe)

        return self._changed(call, work)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def draw(self, call: Call) -> Answer:
        """Draw what is missing; where nothing is, what a training has drawn with before it went on."""

        def work(board: Board) -> tuple[Board, str]:
            board = _with_columns(board, call.fields)
            comparison = board.comparison
            jobs = self._studio.comparisons.draw(comparison)
            live = [place for place, row in enumerate(comparison.rows) if row.is_live]
            if not jobs and live:
                jobs = self._studio.comparisons.draw(comparison, rows=live, again=True)
            return board, "" if jobs else "Every picture is drawn, or is being drawn."

        return self._changed(call, work)

    def stop(self, call: Call) -> Answer:
        """Stop all that is drawn for this comparison."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            self._studio.comparisons.stop(session.value.comparison)
            return view.pictures(self._studio, session)

    def blind_test(self, call: Call, row: Any) -> Answer:
        """Have a row compared with the reference by people who do not know which is which."""
        return self._changed(call, lambda board: blind.begin(self._studio, board, row))

    def end_test(self, call: Call, campaign: Any) -> Answer:
        """Ask nothing more of a blind test, and tell how it went."""

        def work(board: Board) -> Board:
            self._studio.comparisons.tests.end(_whole(campaign))
            return board

        return self._changed(call, work)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def save(self, call: Call, name: Any) -> Answer:
        """Keep the comparison under a name."""

        def work(board: Board) -> tuple[Board, str]:
            board = replace(_with_columns(board, call.fields), name=str(name or "").strip())
            self._studio.comparisons.save(board.comparison)
            return board, f"Saved as {board.name}."

        return self._changed(call, work) | view.menus(self._studio, entries(self._presets))

    def open_saved(self, call: Call, name: Any) -> Answer:
        """Open one that was kept."""
        if not name:
            return self._nothing(call)

        def work(board: Board) -> tuple[Board, str]:
            opened = boards.of_comparison(self._studio.comparisons.load(str(name)))
            return opened, f"Opened {opened.name or name}."

        answer = self._changed(call, work, replaces=True)
        return answer | {"saved": "", "saved_name": "" if _is_refused(answer) else str(name)}

    def forget_saved(self, call: Call, name: Any) -> Answer:
        """Forget one that was kept."""
        with self._sessions.of(call.session, call.stored, call.turn):
            self._studio.comparisons.remove(str(name or "").strip())
        return view.menus(self._studio, entries(self._presets)) | {"saved_name": ""}

    def clear(self, call: Call) -> Answer:
        """Begin with nothing."""
        return self._changed(call, lambda board: boards.new(), replaces=True)

    def bring_back(self, call: Call) -> Answer:
        """What was here before it was replaced by another one; once more, the other one."""

        def work(session: BoardSession) -> Board:
            if session.before is None:
                raise BadInput("Nothing was replaced here yet.")
            return session.before

        with self._sessions.of(call.session, call.stored, call.turn) as session:
            return self._done(session, lambda board: work(session), True)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _added(self, call: Call, chosen: Any, work: Callable[[Board, Recipe], Board]) -> Answer:
        """Further rows of what was chosen in a menu, which is empty again: it may be wanted of another row too."""
        if not chosen:
            return self._nothing(call)

        def longer(board: Board) -> Board:
            return work(board, adding.basis(self._studio, board, call.model, call.edits))

        return self._changed(call, longer) | {"preset": "", "training": ""}

    def _nothing(self, call: Call) -> Answer:
        with self._sessions.of(call.session, call.stored, call.turn):
            return {}

    def _changed(
        self, call: Call, work: Callable[[Board], Board | tuple[Board, str]], *, replaces: bool = False
    ) -> Answer:
        """Do something to the board; what it gives besides is a note to show. replaces: as a whole."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            return self._done(session, work, replaces)

    def _done(
        self, session: BoardSession, work: Callable[[Board], Board | tuple[Board, str]], replaces: bool
    ) -> Answer:
        previous = session.value
        try:
            done = work(previous)
            board, message = done if isinstance(done, tuple) else (done, "")
            kind = "note"
        except StudioError as error:
            board, message, kind = previous, sentence(error), "error"
        if replaces and kind == "note" and previous.rows:
            session.before = previous  # nobody need have meant to lose it
        session.put(board)
        self._let_go(previous, board)
        return view.everything(self._studio, session, message, kind, previous)

    def _restored(self, file: Path) -> tuple[Board, list[str]]:
        """The comparison of a report, whose edits are taken over; and what to say. Raises as `ShareService.restore`."""
        restored = self._studio.shares.restore(file)
        edits = f" with {len(restored.edits)} edits" * bool(restored.edits)
        return boards.of_comparison(restored.comparison), [f"Opened the report {file.name}{edits}.", *restored.remarks]

    def _let_go(self, previous: Board, board: Board) -> None:
        """Stop what no cell waits for any more: it would go on for nobody, and the next would wait behind it."""
        if board.comparison == previous.comparison or not previous.rows:
            return
        with contextlib.suppress(StudioError):  # such as a comparison that is too large, which is said elsewhere
            left = self._jobs_of(previous)
            for job in left - (self._jobs_of(board) if left else set()):
                with contextlib.suppress(NotFound):
                    self._studio.jobs.stop(job)

    def _jobs_of(self, board: Board) -> set[str]:
        cells = self._studio.comparisons.cells(board.comparison) if board.rows else []
        return {cell.job for row in cells for cell in row if cell.job}


def _with_columns(board: Board, fields: Mapping[str, Any]) -> Board:
    """The board with what is typed. Columns that cannot be typed stay until something is. Raises BadInput."""
    prompts, seeds = str(fields.get("prompts") or ""), str(fields.get("seeds") or "")
    paired, equal = bool(fields.get("paired")), bool(fields.get("equal"))
    board = replace(board, equal=equal)
    if columns.typed(board.columns) is None and not prompts.strip() and not seeds.strip():
        return board
    return boards.checked(replace(board, columns=columns.parsed(prompts, seeds, paired)))


def _but_typed(answer: Answer, fields: Mapping[str, Any]) -> Answer:
    """An answer that leaves what is typed for the columns: before a reload, nobody need have left the field."""
    if not any(str(fields.get(name) or "").strip() for name in ("prompts", "seeds")):
        return answer
    return {name: value for name, value in answer.items() if name not in FIELDS}


def _is_refused(answer: Answer) -> bool:
    return 'class="message error"' in answer["message"]


def _whole(value: Any) -> int:
    """A number the page told. Raises BadInput for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 2**53:
        raise BadInput(f"The page told {shown(value)} where a whole number was due.", "Load it again.")
    return int(value)
