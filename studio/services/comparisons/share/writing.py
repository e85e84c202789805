"""From a comparison as it stands to what is shared of it: its pictures, what they were drawn in, its edits."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import Recipe
from studio.services.comparisons.cells import Cell
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.share.contents import MAX_EDIT_BYTES, Batch, Contents, Report, SharedCell, SharedEdit
from studio.services.edits.library import EditLibrary
from studio.services.history import Generation
from studio.services.jobs import JobService
from studio.storage.png import program
from studio.storage.unreadable import BROKEN
from studio.storage.workspace import workspace_error


class Writer:
    """Puts reports together. Every method may be called from any thread."""

    def __init__(self, jobs: JobService, edits: EditLibrary) -> None:
        self._jobs = jobs
        self._edits = edits

    def report(self, comparison: Comparison, cells: Sequence[Sequence[Cell]], facts: Mapping[str, Any]) -> Report:
        """Everything there is. facts: plain values (comparisons.plain).

        Raises BadInput where no cell has a picture, WorkspaceError for a picture whose file is gone.
        """
        batches, made_by = _Batches(self._jobs), list[dict[str, Any]]()
        pictures: dict[str, bytes] = {}
        shared: list[tuple[SharedCell | None, ...]] = []
        for row in cells:
            of_row: list[SharedCell | None] = []
            for cell in row:
                if cell.picture is None:
                    of_row.append(None)
                    continue
                pictures.setdefault(cell.picture.sha256, _png(cell.picture))
                if cell.picture.made_by not in made_by:
                    made_by.append(cell.picture.made_by)
                batch, place = batches.place(cell.picture)
                of_row.append(
                    SharedCell(
                        image=cell.picture.sha256,
                        batch=batch,
                        place=place,
                        made_by=made_by.index(cell.picture.made_by),
                    )
                )
            shared.append(tuple(of_row))
        if not pictures:
            raise BadInput("Nothing of this comparison is drawn yet.", "Draw it first.", field="rows")
        contents = Contents(
            comparison=comparison,
            cells=tuple(shared),
            batches=tuple(batches.all()),
            made_by=tuple(made_by),
            edits=self._shared_edits(batches.recipes()),
            facts=dict(facts),
            program=program(),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return Report(contents, pictures)

    def _shared_edits(self, recipes: Sequence[Recipe]) -> tuple[SharedEdit, ...]:
        """Those the recipes name, in the order of the first; as many with their files as 8 MB hold."""
        refs = dict.fromkeys(ref.edit for recipe in recipes for ref in recipe.edits)
        shared: list[SharedEdit] = []
        room = MAX_EDIT_BYTES
        for ref, entry in self._edits.known(refs).items():
            data = ""
            if entry.nbytes <= room and not entry.problem:
                try:
                    data = base64.b64encode(entry.path.read_bytes()).decode("ascii")
                except OSError as error:
                    raise workspace_error(error, f"The edit {entry.id}") from None
                room -= entry.nbytes
            if entry.sha256:
                shared.append(SharedEdit(id=ref, name=entry.name, sha256=entry.sha256, nbytes=entry.nbytes, data=data))
        return tuple(shared)


class _Batches:
    """What pictures were drawn in: of one drawn alone its recipe, of one drawn in company the whole job's."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._recipes: list[list[Recipe]] = []
        self._threads: list[int | None] = []
        self._of_job: dict[str, tuple[int, dict[Recipe, int]] | None] = {}
        self._alone: dict[int | None, int] = {}  # threads -> the batch of what was drawn alone with so many

    def place(self, picture: Generation) -> tuple[int, int]:
        """Batch and place of a picture."""
        threads = _threads(picture.made_by)
        if picture.recipe.batching == "shared" and picture.job_id is not None:
            company = self._company(picture.job_id, threads)
            if company is not None and picture.recipe in company[1]:
                return company[0], company[1][picture.recipe]
        batch = self._alone.get(threads)
        if batch is None or len(self._recipes[batch]) == 256:
            batch = self._alone[threads] = self._new([], threads)
        recipes = self._recipes[batch]
        if picture.recipe not in recipes:
            recipes.append(picture.recipe)
        return batch, recipes.index(picture.recipe)

    def all(self) -> list[Batch]:
        return [
            Batch(recipes=tuple(recipes), threads=threads)
            for recipes, threads in zip(self._recipes, self._threads, strict=True)
        ]

    def recipes(self) -> list[Recipe]:
        return [recipe for recipes in self._recipes for recipe in recipes]

    def _company(self, job_id: str, threads: int | None) -> tuple[int, dict[Recipe, int]] | None:
        """The batch of a job, and its recipes' places; None of a job that the ledger does not tell of any more."""
        if job_id not in self._of_job:
            self._of_job[job_id] = None
            with contextlib.suppress(StudioError, *BROKEN):  # then it is drawn again alone, the same to rounding
                recipes = [Recipe.load(values) for values in self._jobs.get(job_id).payload["recipes"]]
                self._of_job[job_id] = (self._new(recipes, threads), {r: i for i, r in enumerate(recipes)})
        return self._of_job[job_id]

    def _new(self, recipes: list[Recipe], threads: int | None) -> int:
        self._recipes.append(recipes)
        self._threads.append(threads)
        return len(self._recipes) - 1


def _threads(made_by: Mapping[str, Any]) -> int | None:
    """As it was made, whether or not this machine has as many."""
    threads: Any = made_by.get("threads")
    return threads if type(threads) is int and 1 <= threads <= 4096 else None


def _png(picture: Generation) -> bytes:
    try:
        return picture.image_path.read_bytes()
    except OSError as error:
        raise workspace_error(error, f"Picture {picture.id}") from None
