"""The cells of a comparison: recipe by recipe, what each is drawn from, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import EditRef, Recipe
from studio.services import budget
from studio.services.checks import check_recipes, settled
from studio.services.comparisons.comparison import Comparison
from studio.services.edits.library import EditLibrary
from studio.services.history import Generation
from studio.services.sources import Sources

State = Literal["drawn", "under way", "missing", "refused"]


@dataclass(frozen=True)
class Order:
    """What a cell is drawn from.

    recipe: with every parameter said, or as it was written where it is refused.
    refusal: why no engine could draw it, a sentence; "" where one can.
    """

    recipe: Recipe
    refusal: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell as it stands.

    row, column: its place, from 0.
    recipe: with every parameter said, or as it was written where it is refused.
    picture: of the history; None while there is none. What is refused now may have been drawn once.
    job, place: the unfinished job that draws it and its place in that, from 0; "" and 0 where none does.
    refusal: why no engine could draw it, a sentence.
    trouble: why the last job that was to draw it did not, a sentence; "" where none was, or it did.
    """

    row: int
    column: int
    recipe: Recipe
    picture: Generation | None = None
    job: str = ""
    place: int = 0
    refusal: str = ""
    trouble: str = ""

    @property
    def state(self) -> State:
        """Which of these it is: one is shown, one is waited for, one can be drawn, one cannot."""
        if self.picture is not None:
            return "drawn"
        if self.refusal:
            return "refused"
        return "under way" if self.job else "missing"


class Orders:
    """Works out the recipes of a comparison's cells: its edits by their ids, at equal cost where that is asked for.

    What was checked, counted or fitted once is remembered: a page asks after every picture. What a recipe is refused
    for, and whether its edits are there, is looked at each time. Every method may be called from any thread.
    """

    def __init__(self, sources: Sources, edits: EditLibrary) -> None:
        self.sources = sources
        self._edits = edits
        # Of recipes with a seed of 0, for which seed it is changes nothing of these:
        self._settled = _Remembered[Recipe, Recipe]()
        self._rows = _Remembered[Recipe, int]()
        self._steps = _Remembered[tuple[Recipe, int], int]()

    def of(self, comparison: Comparison) -> list[list[Order]]:
        """Rows of columns. Raises BadInput for a comparison whose rows and columns do not go together."""
        comparison.check()
        reference: list[Order] = []
        if comparison.equal_nfe and comparison.rows:
            reference = self._row(comparison, comparison.reference, ())
        rows: list[list[Order]] = []
        for row in range(len(comparison.rows)):
            is_reference = bool(reference) and row == comparison.reference
            rows.append(reference if is_reference else self._row(comparison, row, reference))
        return rows

    def nfe(self, recipe: Recipe) -> int:
        """Network evaluations of one picture, counted as rows (services.budget). Raises BadInput, NotFound."""
        alike = _without_seed(recipe)
        return self._rows.get(alike, lambda: budget.network_rows(alike, self.sources.card(alike.model)))

    def _row(self, comparison: Comparison, row: int, reference: Sequence[Order]) -> list[Order]:
        refs, missing = self._refs(comparison.rows[row].recipe.edits)
        recipes = [
            comparison.recipe_at(row, column).model_copy(update={"edits": refs})
            for column in range(len(comparison.columns))
        ]
        if missing:
            return [Order(recipe, missing) for recipe in recipes]
        orders = [self._checked(recipe) for recipe in recipes]
        return [self._at_cost(*pair) for pair in zip(orders, reference, strict=True)] if reference else orders

    def _checked(self, recipe: Recipe) -> Order:
        alike = _without_seed(recipe)

        def check() -> Recipe:
            check_recipes([alike], self.sources, self._edits)
            return settled(alike)

        try:
            return Order(self._settled.get(alike, check).model_copy(update={"seed": recipe.seed}))
        except StudioError as error:
            return Order(recipe, str(error))

    def _at_cost(self, order: Order, reference: Order) -> Order:
        """The same with the steps that cost no more than the reference's cell of that column."""
        if order.refusal:
            return order
        if reference.refusal:
            return Order(
                order.recipe,
                f"Equal network evaluations are asked for, and the reference cannot be drawn: {reference.refusal}",
            )
        rows, alike = self.nfe(reference.recipe), _without_seed(order.recipe)
        steps = self._steps.get((alike, rows), lambda: budget.within(alike, self.sources.card(alike.model), rows).steps)
        recipe = order.recipe.model_copy(update={"steps": steps})
        if self.nfe(recipe) > rows:
            message = f"One step of it costs more than the {rows} network evaluations of the reference."
            return Order(order.recipe, message)
        return self._checked(recipe)

    def _refs(self, refs: tuple[EditRef, ...]) -> tuple[tuple[EditRef, ...], str]:
        """A stack by the edits' ids, so that a picture is not taken for one of another edit of a name; and why it
        cannot be had, a sentence, "" if it can.
        """
        if not refs:
            return refs, ""
        entries = self._edits.known(ref.edit for ref in refs)
        named = tuple(
            ref.model_copy(update={"edit": entries[ref.edit].id}) if ref.edit in entries else ref for ref in refs
        )
        try:
            self._edits.paths(named)
        except StudioError as error:
            return named, str(error)
        return named, ""


K = TypeVar("K")
V = TypeVar("V")


class _Remembered(Generic[K, V]):
    """What was worked out, for as many keys as a few comparisons have."""

    MOST = 4096

    def __init__(self) -> None:
        self._values: dict[K, V] = {}

    def get(self, key: K, work_out: Callable[[], V]) -> V:
        """Raises what working it out does, and then remembers nothing."""
        if key not in self._values:
            value = work_out()
            if len(self._values) >= self.MOST:
                self._values = {}
            self._values[key] = value
            return value
        return self._values[key]


def _without_seed(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"seed": 0})


def check_drawable(comparison: Comparison) -> None:
    """Raise BadInput for a comparison with nothing to draw."""
    if not comparison.rows:
        raise BadInput("The comparison has no rows.", "Add a recipe to compare.", field="rows")
