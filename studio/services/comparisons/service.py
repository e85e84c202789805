"""Comparisons of an open studio: planned, drawn, looked at, kept.

A cell is its recipe. Whatever picture the history has of that recipe is the cell's, whoever drew it, so that a new row
draws only itself, and a comparison that is changed and changed back draws nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.ticket import Priority
from studio.services.checks import MAX_IMAGES, check_recipes
from studio.services.comparisons.blind import PAIRS, RowTest, RowTestService
from studio.services.comparisons.cells import Cell, Order, Orders, check_drawable
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.facts import ComparisonFacts
from studio.services.comparisons.measuring import Measuring
from studio.services.comparisons.pace import Paces
from studio.services.comparisons.plan import ComparisonPlan, names_of, plan_of
from studio.services.comparisons.readings import ReadingService
from studio.services.comparisons.saved import SavedComparison, SavedComparisons
from studio.services.comparisons.under_way import UnderWay
from studio.services.edits.library import EditLibrary
from studio.services.history import Generation, History
from studio.services.jobs import JobService
from studio.services.pictures import KIND
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord

ORIGIN = "comparison"
Cells = Sequence[Sequence[Cell]]


class ComparisonService:
    """The comparisons of an open studio. Every method may be called from any thread."""

    def __init__(
        self,
        archive: Archive,
        jobs: JobService,
        history: History,
        sources: Sources,
        edits: EditLibrary,
        readings: ReadingService,
        tests: RowTestService,
    ) -> None:
        self.tests = tests
        self._archive = archive
        self._jobs = jobs
        self._history = history
        self._sources = sources
        self._edits = edits
        self._saved = SavedComparisons(archive.workspace.root, archive.workspace.check)
        self._orders = Orders(sources, edits)
        self._under_way = UnderWay(jobs)
        self._readings = readings
        self._measuring = Measuring(readings, Paces(archive.workspace.root, jobs))
        self._drawing = threading.Lock()  # pressed twice, the second finds the first one's job: else both draw the same

    # -- drawn ------------------------------------------------------------------------------------------------------

    def cells(self, comparison: Comparison) -> Cells:
        """Give every cell as it stands, rows of columns: a picture, or its place in a job, or why there is none.

        Whoever asks for the plan or the facts as well hands them in: all three speak of one moment then, and recipes
        are worked out once. Raises BadInput for rows and columns that do not go together.
        """
        return self._stand(comparison, self._orders.of(comparison))

    def plan(self, comparison: Comparison, cells: Cells | None = None) -> ComparisonPlan:
        """Say what drawing would take, and what cannot be drawn. Needs no engine and writes nothing.

        cells: its own as they stand; None: looked up. What is wrong with a row is its refusal. Raises as `cells`.
        """
        cells = self.cells(comparison) if cells is None else cells
        return plan_of(comparison, cells, self._orders, self._jobs)

    def draw(
        self,
        comparison: Comparison,
        priority: Priority = "ahead",
        *,
        rows: Collection[int] | None = None,
        columns: Collection[int] | None = None,
        again: bool = False,
    ) -> tuple[str, ...]:
        """Queue jobs for the cells that are missing and under way nowhere; give their ids, () where nothing is.

        Column by column, a model at a time, so that whole columns can be compared early. A job has up to 256 pictures.
        priority: of the jobs; those of an earlier call keep theirs.
        rows, columns: indices to draw, None for all.
        again: also those that are drawn, such as what a training drew earlier; never what is refused or under way.
        Raises BadInput for no rows, or where all that is asked for is refused.
        """
        check_drawable(comparison)
        with self._drawing:
            cells = [
                cell
                for row in self.cells(comparison)
                for cell in row
                if (rows is None or cell.row in rows) and (columns is None or cell.column in columns)
            ]
            drawable = [cell for cell in cells if not cell.refusal]
            if cells and not drawable:
                raise BadInput(f"Nothing of this can be drawn: {cells[0].refusal}", field="rows")
            cells_to_draw = [cell for cell in drawable if cell.state == "missing" or (again and not cell.job)]
            recipes = _in_turns(cells_to_draw)
            parts = [recipes[start : start + MAX_IMAGES] for start in range(0, len(recipes), MAX_IMAGES)]
            checked = [(part, check_recipes(part, self._sources, self._edits)) for part in parts]  # all before any
            return tuple(self._submit(comparison.name, part, files, priority) for part, files in checked)

    def retry(self, job: JobRecord) -> str:
        """Queue what is missing of a job that drew for a comparison; give the new job's id.

        Raises BadInput where nothing is missing, or nothing of it can be drawn any more.
        """
        recipes = [Recipe.load(values) for values in job.payload["recipes"]]
        drawn_recipes = self._archive.generations.of_recipes(recipes)
        missing = [recipe for recipe in recipes if recipe not in drawn_recipes]
        if not missing:
            raise BadInput("Every picture of this job is drawn by now.")
        files = check_recipes(missing, self._sources, self._edits)
        return self._submit("", missing, files, job.priority, job.id)  # type: ignore[arg-type]

    def read(self, comparison: Comparison, priority: Priority = "ahead") -> str:
        """Queue a job that reads what the pictures show, as far as nothing has; give its id, "" where nothing is to do.

        Until then `facts` have neither accuracy nor diversity of them. Raises as `cells`.
        """
        return self._readings.read(_pictures_in(self.cells(comparison)), priority)

    def facts(self, comparison: Comparison, cells: Cells | None = None) -> ComparisonFacts:
        """Say what is known of the pictures there are: of each, of each row, and of each row against the reference.

        cells: as for `plan`. Raises as `cells`. Brings torch.
        """
        cells = self.cells(comparison) if cells is None else cells
        return self._measuring.facts(comparison, cells, self._orders)

    def stop(self, comparison: Comparison) -> None:
        """Stop every job that was queued for a comparison and draws a cell of it; what is drawn is kept."""
        for job in dict.fromkeys(cell.job for row in self.cells(comparison) for cell in row if cell.job):
            if self._jobs.get(job).payload.get("origin") == ORIGIN:
                self._jobs.stop(job)

    def blind_test(self, comparison: Comparison, row: int, pairs: int = PAIRS) -> RowTest:
        """Have a row compared with the reference by people who do not know which is which; see `RowTestService.start`.

        `tests` says how it stands, and ends it.
        """
        check_drawable(comparison)
        cells = self.cells(comparison)
        return self.tests.start(comparison, cells, names_of(comparison, cells), row, pairs)

    # -- kept -------------------------------------------------------------------------------------------------------

    def save(self, comparison: Comparison) -> SavedComparison:
        """Keep it under its name, as `SavedComparisons.save`."""
        comparison.check()
        return self._saved.save(comparison)

    def list(self) -> list[SavedComparison]:
        """Those that are kept, by name."""
        return self._saved.list()

    def load(self, name: str) -> Comparison:
        """One of them. Raises NotFound, BadInput for one that cannot be read."""
        return self._saved.load(name)

    def remove(self, name: str) -> None:
        """Forget one; its pictures stay in the history. Raises NotFound, WorkspaceError."""
        self._saved.remove(name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _stand(self, comparison: Comparison, orders: Sequence[Sequence[Order]]) -> Cells:
        recipes = {order.recipe: order.recipe.canonical_json() for row in orders for order in row}
        pictures = self._pictures(comparison, list(recipes))
        missing = [text for recipe, text in recipes.items() if recipe not in pictures]
        places = self._under_way.places(recipes.values())
        troubles = self._under_way.troubles([text for text in missing if text not in places])
        rows: list[list[Cell]] = []
        for i, row in enumerate(orders):
            cells: list[Cell] = []
            for j, order in enumerate(row):
                text, picture = recipes[order.recipe], pictures.get(order.recipe)
                place = places.get(text)
                cells.append(
                    Cell(
                        i,
                        j,
                        order.recipe,
                        picture,
                        "" if place is None else place.job,
                        0 if place is None else place.place,
                        order.refusal,
                        "" if picture is not None or place is not None else troubles.get(text, ""),
                    )
                )
            rows.append(cells)
        return rows

    def _pictures(self, comparison: Comparison, recipes: Sequence[Recipe]) -> dict[Recipe, Generation]:
        """The newest picture of each recipe. For cells that are drawn together one that was drawn alone will do."""
        pictures = self._newest(recipes)
        if comparison.batching == "shared":
            by_lone_recipe = {
                recipe.model_copy(update={"batching": "isolated"}): recipe
                for recipe in recipes
                if recipe not in pictures
            }
            pictures |= {
                by_lone_recipe[alone]: picture for alone, picture in self._newest(list(by_lone_recipe)).items()
            }
        return pictures

    def _newest(self, recipes: Sequence[Recipe]) -> dict[Recipe, Generation]:
        records = self._archive.generations.of_recipes(recipes)
        return {recipe: self._history.shown(record) for recipe, record in records.items()}

    def _submit(
        self,
        name: str,
        recipes: Sequence[Recipe],
        files: Mapping[str, str],
        priority: Priority,
        retry_of: str | None = None,
    ) -> str:
        count = f"{len(recipes)} picture{'s' * (len(recipes) != 1)}"
        payload = {
            "kind": KIND,
            "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
            "what": f"Comparison{f' {name}' if name else ''}: {count}",
            "origin": ORIGIN,
        }
        return self._jobs.submit(payload, priority, edits=files, retry_of=retry_of)


def _pictures_in(cells: Cells) -> list[Generation]:
    return [cell.picture for row in cells for cell in row if cell.picture is not None]


def _in_turns(cells: Sequence[Cell]) -> list[Recipe]:
    """Their recipes column by column within each model, those that are equal once."""
    models = list(dict.fromkeys(cell.recipe.model for cell in cells))
    ordered = sorted(cells, key=lambda cell: (models.index(cell.recipe.model), cell.column, cell.row))
    return list(dict.fromkeys(cell.recipe for cell in ordered))
