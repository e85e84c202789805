"""What happens on the Guidance tab, as functions of plain values: each does one thing to a session and shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import GuidanceSpec
from studio.services.presets import GuidancePresets
from studio.ui.board_events import Call
from studio.ui.components.method_menu import preset_entries
from studio.ui.errors import sentence
from studio.ui.guidance import board as boards
from studio.ui.guidance import results, run, view, why
from studio.ui.guidance import sweep as sweeps
from studio.ui.guidance.board import MAX_ROWS, Board, BoardSession
from studio.ui.guidance.view import Answer
from studio.ui.handover import Handover, Sent
from studio.ui.markup import alert
from studio.ui.methods import defaults
from studio.ui.sessions import Sessions

if TYPE_CHECKING:
    from studio.services.studio import Studio

# What changes no number of a row that was drawn, and so draws nothing.
STILL = ("add", "choose", "copy", "remove", "up", "down")


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
                return view.everything(self._studio, session, call.model, run.sampler_of(call.fields))
            return view.unvisited(self._studio, session)

    def visited(self, call: Call) -> Answer:
        """The tab is looked at."""
        with self._sessions.of(call.session, call.stored) as session:
            session.visited = True
            menu: Answer = {"preset": gr.Dropdown(preset_entries(self._presets))}
            if not session.is_filled and call.stored is None:  # `opened` is yet to come, and shows it
                return menu
            return menu | view.everything(self._studio, session, call.model, run.sampler_of(call.fields))

    def shared_changed(self, call: Call) -> Answer:
        """Another model, which may not do every method, or another sampler, which may not suit every one."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            if not session.visited:
                return {}
            return view.everything(
                self._studio, session, call.model, run.sampler_of(call.fields), previous=session.value
            )

    def behind(self, call: Call, newest: Any) -> Answer:
        """An older answer landed on the page after a newer one, whose revision it tells."""
        with self._sessions.of(call.session, call.stored) as session:
            session.raise_above(newest)
            return view.everything(self._studio, session, call.model, run.sampler_of(call.fields))

    def update_pictures(self, call: Call) -> Answer:
        """A picture is finished, or all of them are."""
        with self._sessions.of(call.session, call.stored) as session:
            return view.pictures(self._studio, session)

    def look_into(self, call: Call, picture: Any) -> Answer:
        """A picture was clicked."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            session.put(replace(session.value, picture_id=_whole(picture)))
            return view.looked_into(self._studio, session) | {"strip": ""}

    def strip(self, call: Call) -> Answer:
        """What the model had in mind for the picture that is looked into."""
        with self._sessions.of(call.session, call.stored) as session:
            picture_id = session.value.picture_id
        html = why.strip_html(self._studio, picture_id)  # seconds: nobody waits for it
        with self._sessions.of(call.session, call.stored) as session:
            return {"strip": html} if session.value.picture_id == picture_id else {}

    # -- changing ---------------------------------------------------------------------------------------------------

    def compare(self, call: Call) -> Answer:
        """Draw all rows."""

        def work(session: BoardSession) -> Board:
            base = run.base_of(self._studio, call.model, call.fields, call.edits)
            board = replace(session.value, picture_id=0)
            return run.compare(self._studio, board, base, call.fields["seeds"], bool(call.fields["equal"]))

        return self._changed(call, work) | {"strip": ""}

    def sweep(self, call: Call, name: Any, low: Any, high: Any, count: Any) -> Answer:
        """Draw the open row over a range."""

        def work(session: BoardSession) -> Board:
            base = run.base_of(self._studio, call.model, call.fields, call.edits)
            return run.sweep(self._studio, session.value, base, str(name or ""), low, high, count)

        return self._changed(call, work)

    def row_op(self, call: Call, change: Mapping[str, Any]) -> Answer:
        """Do {op, row, at, name, value} to a row; a value that moved is drawn at once, where its row was drawn."""
        op_name, row = str(change.get("op")), change.get("row")

        def work(session: BoardSession) -> Board:
            if op_name == "add":
                return boards.add(session.value, defaults(str(change.get("value"))))
            at, name = str(change.get("at", "")), str(change.get("name", ""))
            return boards.change(session.value, op_name, _whole(row), at, name, change.get("value"))

        return self._changed(call, work, redraw=op_name not in STILL)

    def take_preset(self, call: Call, name: Any) -> Answer:
        """A preset for the open row. The menu is empty again: the same may be wanted in another row.

        A menu tells twice what was chosen, and of nothing when it is left.
        """
        if not name:
            with self._sessions.of(call.session, call.stored, call.turn):
                return {}

        def work(session: BoardSession) -> Board:
            spec = self._presets.load(str(name)).spec
            return boards.with_guidance(session.value, session.value.rows.chosen, spec)

        return self._changed(call, work, redraw=True) | {"preset": ""}

    def take_pictures(self, call: Call, ids: Any) -> Answer:
        """The rules of pictures of the history as further rows; those that are there already are not added again."""

        def work(session: BoardSession) -> Board:
            if not ids:
                raise BadInput("No picture is chosen.", "Click some of them first.")
            board = session.value
            for id in ids:
                board = _with_rule(board, self._studio.history.get(int(id)).recipe.guidance)
            return board

        answer = self._changed(call, work)
        return answer if 'class="message error"' in answer["message"] else answer | {"pictures": []}

    def receive(self, call: Call, sent: Handover) -> Answer:
        """Pictures from another tab: the guidance of each as a further row, and of the first what all rows share.

        A row that has it already is opened; the pictures that are there keep their names.
        """
        with self._sessions.of(call.session, call.stored) as session:
            previous = session.value
            board, accepted, refusal = _with_rules(previous, sent.pictures)
            if not accepted:
                message = f"{_pictures(sent.pictures)} gave nothing. {refusal}"
                return view.everything(self._studio, session, call.model, run.sampler_of(call.fields), message)
            session.put(board)
            message = _received(accepted, len(board.rows) - len(previous.rows), refusal, sent.pictures)
            answer = view.everything(self._studio, session, call.model, run.sampler_of(call.fields), message, "note")
        recipe = accepted[0].recipe
        return answer | {
            "prompt": recipe.prompt,
            "negative": recipe.negative_prompt,
            "seed": str(recipe.seed),
            "steps": min(recipe.steps, 100),
            "sampler": recipe.sampler,
        }

    # -- beside the board -------------------------------------------------------------------------------------------

    def stop(self, call: Call) -> Answer:
        """Stop all that is drawn for this page."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            jobs = run.jobs_of(session.value)
        run.stop(self._studio, jobs)
        return {}

    def save(self, call: Call, name: Any) -> Answer:
        """Keep the open row as a preset."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            guidance = session.value.chosen
        saved = self._presets.save(str(name or "").strip(), guidance).name
        menu = gr.Dropdown(preset_entries(self._presets), value="")
        return {"preset": menu, "preset_name": "", "message": alert(f"Saved as {saved}.", kind="note")}

    def limits(self, call: Call, name: Any) -> Answer:
        """The range of what is to be swept."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            guidance = session.value.chosen
        try:
            low, high = sweeps.bounds(guidance, str(name))
        except BadInput:
            return {}
        return {"sweep_low": low, "sweep_high": high}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _changed(self, call: Call, work: Callable[[BoardSession], Board], redraw: bool = False) -> Answer:
        """Do something to the board. redraw: the open row anew, where it was drawn before."""
        with self._sessions.of(call.session, call.stored, call.turn) as session:
            previous = session.value
            board, message = run.tried(lambda: work(session), previous)
            if redraw and not message and board != previous and board.seeds:
                board, message = self._redrawn(board, call)
            session.put(board)
            # What no picture waits for any more would go on for nobody, and the next would wait behind it.
            run.stop(self._studio, run.jobs_of(previous) - run.jobs_of(board))
            return view.everything(
                self._studio, session, call.model, run.sampler_of(call.fields), message, previous=previous
            )

    def _redrawn(self, board: Board, call: Call) -> tuple[Board, str]:
        """The open row drawn on the seeds that are shown, whatever stands in the field by now."""

        def work() -> Board:
            fields = {**call.fields, "seed": board.seeds[0]}
            base = run.base_of(self._studio, call.model, fields, call.edits)
            return run.again(self._studio, board, board.rows.chosen, base, bool(fields["equal"]))

        return run.tried(work, board)


def _with_rule(board: Board, guidance: GuidanceSpec) -> Board:
    """The board with the row of a picture's rule open: a further one, unless there is one. Raises BadInput if full."""
    same = next((row.id for row in board.rows if results.is_of(guidance, row.value)), None)
    return replace(board, rows=board.rows.add(guidance) if same is None else board.rows.choose(same))


def _with_rules(board: Board, pictures: Sequence[Sent]) -> tuple[Board, list[Sent], str]:
    """As many of the pictures' rules as there is room for; those pictures, and why not the others, "" for all."""
    accepted: list[Sent] = []
    refusal = ""
    for picture in pictures:
        try:
            board = _with_rule(board, picture.recipe.guidance)
            accepted.append(picture)
        except BadInput as error:
            refusal = sentence(error)
    return board, accepted, refusal


def _received(accepted: Sequence[Sent], row_count: int, refusal: str, pictures: Sequence[Sent]) -> str:
    """What pictures that were sent gave, and which found no room. row_count: how many rows are new."""
    if len(pictures) == 1:
        row = "a row of its own" if row_count else "the row that has its guidance already, which is open"
        return f"Picture {accepted[0].id} gave the prompt, the seed, the steps and {row}."
    rows = f"{row_count} further row{'s' * (row_count != 1)}" if row_count else "no row that was not there"
    message = (
        f"{_pictures(accepted)} gave {rows}; the prompt, the seed and the steps are those of picture {accepted[0].id}."
    )
    left = [picture for picture in pictures if picture not in accepted]
    return f"{message} No room for {_pictures(left).lower()}: {refusal[:1].lower()}{refusal[1:]}" if left else message


def _pictures(pictures: Sequence[Sent]) -> str:
    """What pictures are called in a sentence."""
    if len(pictures) == 1:
        return f"Picture {pictures[0].id}"
    if len(pictures) > MAX_ROWS:
        return f"{len(pictures)} pictures"
    return f"Pictures {', '.join(str(picture.id) for picture in pictures[:-1])} and {pictures[-1].id}"


def _whole(value: Any) -> int:
    """A number the page told. Raises BadInput for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 2**53:
        raise BadInput(f"The page told {shown(value)} where a whole number was due.", "Load it again.")
    return int(value)
