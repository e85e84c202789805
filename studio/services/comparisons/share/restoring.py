"""A report that comes in: its edits taken over with their checks, its comparison given back, its pictures drawn again.

A report may be anybody's. Nothing in it is run or unpickled; edits are safetensors files of ours, read to the last
number and held against the hash that the report names. Its pictures are compared with and never become the history's.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import AssetError, BadInput, NotFound, StudioError
from studio.core.recipe import LIVE
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.service import ORIGIN
from studio.services.comparisons.share.contents import Batch, Contents, Report, SharedCell, SharedEdit
from studio.services.edits.library import EditLibrary
from studio.services.history import Generation, History
from studio.services.jobs import OnEvent
from studio.services.pictures import PictureService
from studio.services.replay import causes_of, compare, threads_of
from studio.storage.archive import Archive
from studio.storage.png import read_png
from studio.storage.workspace import workspace_error


@dataclass(frozen=True)
class Restored:
    """A comparison that came back.

    edits: ids of those that were taken into the workspace for it; what was there already is not among them.
    remarks: what of it is not at hand, a sentence each.
    """

    comparison: Comparison
    edits: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class ReplayedCell:
    """How one picture compares with what was drawn again.

    different_pixels: of `pixels`. max_difference: of any channel, 0..255.
    causes: of a difference, what differs in how the two were made.
    problem: why it was not drawn again, a sentence; "" where it was.
    """

    row: int
    column: int
    identical: bool = False
    pixels: int = 0
    different_pixels: int = 0
    max_difference: int = 0
    causes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class ReplayedReport:
    """All of them, row by row."""

    cells: tuple[ReplayedCell, ...]

    @property
    def identical(self) -> bool:
        """Whether every picture is the same to the bit."""
        return all(cell.identical for cell in self.cells)

    def sentence(self) -> str:
        """Say it."""
        count, same = len(self.cells), sum(cell.identical for cell in self.cells)
        if same == count:
            return f"Bit-identical: all {count} pictures are the same to the last pixel."
        differing = [cell for cell in self.cells if not cell.identical]
        problems = dict.fromkeys(cell.problem for cell in differing if cell.problem)
        causes = dict.fromkeys(cause for cell in differing for cause in cell.causes)
        largest = max((cell.max_difference for cell in differing), default=0)
        parts = [f"Not identical: {same} of {count} pictures are the same to the bit."]
        if largest:
            parts.append(f"The others differ by up to {largest} of 255.")
        if causes:
            parts.append(f"Different this time: {', '.join(causes)}.")
        return " ".join([*parts, *problems])


def usual_threads(report: Report) -> int | None:
    """With how many threads most pictures of a report were drawn; None where it does not say, or there are fewer here.

    A studio with its engine in a process of its own gives each batch its own number; an inline one has one for all, and
    is to be opened with this.
    """
    counts = Counter(report.contents.batches[cell.batch].threads for cell in report.contents.drawn())
    return threads_of({"threads": counts.most_common(1)[0][0]}) if counts else None


class Restorer:
    """Takes reports in. Every method may be called from any thread."""

    def __init__(self, archive: Archive, history: History, pictures: PictureService, edits: EditLibrary) -> None:
        self._archive = archive
        self._history = history
        self._pictures = pictures
        self._edits = edits

    def restore(self, report: Report) -> Restored:
        """Take a report's edits over and give its comparison. What its rows cannot be drawn with is said, not refused.

        Raises BadInput for an edit that is not what the report says, AssetError for one that is broken; then none of
        them was taken over. WorkspaceError.
        """
        contents = report.contents
        present = self._edits.known(edit.id for edit in contents.edits)
        for edit in contents.edits:
            if edit.id in present and present[edit.id].sha256 != edit.sha256:
                message = f"There is another edit named {edit.id} here than the one that the report was drawn with."
                raise BadInput(message, "Rename it, and take the report in again.")
        new = [edit for edit in contents.edits if edit.id not in present and _model_of(edit, contents) is not None]
        remarks = [
            f"The edit {edit.id} did not come along, for it is too large: import it from its own file."
            for edit in new
            if not edit.data
        ]
        taken = self._take_over([edit for edit in new if edit.data], contents)
        for row in contents.comparison.rows:
            if row.is_live:
                remarks.append(f"The row {row.name or row.source!r} was drawn with an edit that was still in training.")
        return Restored(contents.comparison, tuple(taken), tuple(remarks))

    def replay(self, report: Report, on_event: OnEvent | None = None) -> ReplayedReport:
        """Draw every picture again, what was drawn together together, and compare the pixels. Restores it first.

        Raises as `restore`; NotFound, BadInput where nothing of it can be drawn here, such as by a model that is not
        here; EngineError where drawing fails.
        """
        self.restore(report)
        contents = report.contents
        again: dict[int, dict[int, Generation] | str] = {}
        problems: list[StudioError] = []
        for number in sorted({cell.batch for cell in contents.drawn()}):
            try:
                again[number] = self._drawn_again(contents.batches[number], on_event)
            except BadInput as error:
                again[number] = str(error)
                problems.append(error)
        if problems and not any(isinstance(batch, dict) for batch in again.values()):
            raise problems[0]
        return ReplayedReport(
            tuple(
                self._compared(i, j, cell, report, again[cell.batch])
                for i, row in enumerate(contents.cells)
                for j, cell in enumerate(row)
                if cell is not None
            )
        )

    def _drawn_again(self, batch: Batch, on_event: OnEvent | None) -> dict[int, Generation]:
        """Place -> the picture."""
        if any(ref.edit.startswith(LIVE) for recipe in batch.recipes for ref in recipe.edits):
            raise BadInput("Pictures drawn with an edit that was still in training cannot be drawn again.")
        job = self._pictures.submit(
            batch.recipes,
            description=f"Replay of a comparison: {len(batch.recipes)} pictures",
            threads=threads_of({"threads": batch.threads}),
            origin=ORIGIN,
        )
        self._pictures.finish(job, on_event)
        records = self._archive.generations.of_job(job)
        return {record.place: self._history.shown(record) for record in records if record.place is not None}

    def _compared(
        self, row: int, column: int, cell: SharedCell, report: Report, again: Mapping[int, Generation] | str
    ) -> ReplayedCell:
        if isinstance(again, str):
            return ReplayedCell(row, column, problem=again)
        original, picture = read_png(report.pictures[cell.image]), again[cell.place]
        replayed = read_png(picture.image_path)
        different, largest = compare(original.image, replayed.image)
        causes = causes_of(report.contents.made_by[cell.made_by], picture.made_by) if different else ()
        pixels = replayed.image.width * replayed.image.height
        return ReplayedCell(row, column, different == 0, pixels, different, largest, causes)

    def _take_over(self, edits: list[SharedEdit], contents: Contents) -> list[str]:
        """Check all of them, and only then keep any; give their ids."""
        folder = self._archive.workspace.scratch()
        try:
            files: list[tuple[Path, SharedEdit, str]] = []
            for place, edit in enumerate(edits):
                path = folder / f"{place}.safetensors"
                try:
                    path.write_bytes(edit.file())
                except OSError as error:
                    raise workspace_error(error, f"The edit {edit.id}") from None
                _check(path, edit)
                files.append((path, edit, _model_of(edit, contents) or contents.comparison.rows[0].recipe.model))
            taken: list[str] = []
            for path, edit, model in files:
                try:
                    taken.append(self._edits.import_file(path, model=model).id)
                except NotFound as error:  # of the model: it cannot be told whether the edit fits
                    message = f"The edit {edit.id} is for the model {model}: {error.message}"
                    raise NotFound(message, error.hint) from None
            return taken
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _check(path: Path, edit: SharedEdit) -> None:
    """Raise BadInput for a file that is not the edit that the report says, or damaged."""
    from studio.engine.edits import files  # brings torch

    try:
        content = files.read_edit(path)
    except AssetError:
        raise BadInput(f"The edit {edit.id} in the report is damaged, or no edit of ours.") from None
    if content.sha256 != edit.sha256:
        message = f"The edit {edit.id} in the report is another than it says: its content is {content.sha256[:16]}."
        raise BadInput(message, "Nothing of it was taken over.")


def _model_of(edit: SharedEdit, contents: Contents) -> str | None:
    """The model of the first recipe that names it; None where none does."""
    recipes = [recipe for batch in contents.batches for recipe in batch.recipes]
    named_in = (recipe for recipe in recipes if any(ref.edit == edit.id for ref in recipe.edits))
    return next((recipe.model for recipe in named_in), None)
