"""What adds rows on the Compare tab, as functions of plain values; where they come from is said in `adding`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.ui.board_events import Call
from studio.ui.compare import adding
from studio.ui.compare import board as boards
from studio.ui.compare.board import Board
from studio.ui.compare.doing import Doing, is_refused
from studio.ui.handover import Handover
from studio.ui.wiring import Answer

MAX_FILES = 20
REPORTS = (".html", ".htm")


class Adders(Doing):
    """The handlers that add rows."""

    def add_pictures(self, call: Call, ids: Any) -> Answer:
        """Pictures of the history as rows; see `adding.pictures`."""

        def work(board: Board) -> Board:
            return adding.pictures(board, [self.studio.history.get(int(id)) for id in ids or ()])

        answer = self.changed(call, work)
        return answer if is_refused(answer) else answer | {"pictures": []}

    def receive(self, call: Call, sent: Handover) -> Answer:
        """Pictures from another tab, as rows."""

        def work(board: Board) -> tuple[Board, str]:
            longer = adding.pictures(board, sent.pictures)
            count = len(longer.rows) - len(board.rows)
            pictures = "A picture was" if len(sent.pictures) == 1 else f"{len(sent.pictures)} pictures were"
            return longer, f"{pictures} sent here, as {count} row{'s' * (count != 1)}."

        return self.changed(call, work)

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
                board, left_out = adding.file(self.studio, board, file, call.model)
                told.extend(f"Not taken over of {file.name}: {left}." for left in left_out)
            return board, " ".join(told)

        try:
            is_report = any(file.suffix.lower() in REPORTS for file in files)
            return self.changed(call, work, replaces=is_report) | {"dropped": None}
        finally:
            for file in files:
                with contextlib.suppress(OSError):
                    file.unlink()

    def add_preset(self, call: Call, name: Any) -> Answer:
        """A guidance preset as a row."""
        return self._added(call, name, lambda board, recipe: adding.preset(board, self.presets, str(name), recipe))

    def add_edit(self, call: Call, id: Any, strengths: Any) -> Answer:
        """An edit at some strengths, a row each."""

        def work(board: Board) -> Board:
            if not id:
                raise BadInput("No edit is chosen.", "Choose one; Erase and Align make them.", field="edit")
            recipe = adding.basis(self.studio, board, call.model, call.edits)
            return adding.edit(self.studio, board, str(id), str(strengths or ""), recipe)

        return self.changed(call, work)

    def add_training(self, call: Call, id: Any) -> Answer:
        """The steps of a training, a row each."""
        return self._added(call, id, lambda board, recipe: adding.steps(self.studio, board, str(id), recipe))

    def add_models(self, call: Call, names: Any) -> Answer:
        """Other models, a row each."""

        def work(board: Board) -> Board:
            recipe = adding.basis(self.studio, board, call.model, call.edits)
            return adding.models(self.studio, board, [str(name) for name in names or ()], recipe)

        return self.changed(call, work)

    def add_values(self, call: Call, *axis_texts: Any) -> Answer:
        """Values of parameters, a row each."""

        def work(board: Board) -> Board:
            recipe = adding.basis(self.studio, board, call.model, call.edits)
            return adding.along(self.studio, board, axis_texts, recipe)

        return self.changed(call, work)

    def _added(self, call: Call, chosen: Any, work: Callable[[Board, Recipe], Board]) -> Answer:
        """Further rows of what was chosen in a menu, which is empty again: it may be wanted of another row too."""
        if not chosen:
            return self.nothing(call)

        def longer(board: Board) -> Board:
            return work(board, adding.basis(self.studio, board, call.model, call.edits))

        return self.changed(call, longer) | {"preset": "", "training": ""}

    def _restored(self, file: Path) -> tuple[Board, list[str]]:
        """The comparison of a report, whose edits are taken over; and what to say. Raises as `ShareService.restore`."""
        restored = self.studio.shares.restore(file)
        edits = f" with {len(restored.edits)} edits" * bool(restored.edits)
        return boards.of_comparison(restored.comparison), [f"Opened the report {file.name}{edits}.", *restored.remarks]
