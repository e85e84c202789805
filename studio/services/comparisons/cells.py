"""The cells of a comparison: recipe by recipe, what each is drawn from, or why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import Recipe
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


@dataclass
class Orders:
    """Works out the recipes of a comparison's cells: its edits by their ids, at equal cost where that is asked for."""

    sources: Sources
    edits: EditLibrary
    _rows_of: dict[Recipe, int] = field(default_factory=dict)
    _equal: dict[tuple[Recipe, int], int] = field(default_factory=dict)

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
        alike = recipe.model_copy(update={"seed": 0})
        if alike not in self._rows_of:
            self._rows_of[alike] = budget.network_rows(alike, self.sources.card(alike.model))
        return self._rows_of[alike]

    def _row(self, comparison: Comparison, row: int, reference: Sequence[Order]) -> list[Order]:
        recipes = [self._named(comparison.recipe_at(row, column)) for column in range(len(comparison.columns))]
        try:
            check_recipes(recipes, self.sources, self.edits)
        except StudioError:
            orders = [self._checked(recipe) for recipe in recipes]
        else:
            orders = [Order(settled(recipe)) for recipe in recipes]
        if not reference:
            return orders
        return [self._at_cost(*pair) for pair in zip(orders, reference, strict=True)]

    def _checked(self, recipe: Recipe) -> Order:
        try:
            check_recipes([recipe], self.sources, self.edits)
            return Order(settled(recipe))
        except StudioError as error:
            return Order(recipe, str(error))

    def _at_cost(self, order: Order, reference: Order) -> Order:
        """The same with the steps that cost no more than the reference's cell of that column."""
        if order.refusal:
            return order
        if reference.refusal:
            return Order(
                order.recipe, f"Equal cost is asked for, and the reference cannot be drawn: {reference.refusal}"
            )
        rows, alike = self.nfe(reference.recipe), order.recipe.model_copy(update={"seed": 0})
        if (alike, rows) not in self._equal:
            card = self.sources.card(alike.model)
            self._equal[alike, rows] = budget.within(alike, card, rows).steps
        recipe = order.recipe.model_copy(update={"steps": self._equal[alike, rows]})
        if self.nfe(recipe) > rows:
            message = f"One step of it costs more than the {rows} network evaluations of the reference."
            return Order(order.recipe, message)
        return self._checked(recipe)

    def _named(self, recipe: Recipe) -> Recipe:
        """The same with edits by their ids, so that a picture is not taken for one of another edit of that name."""
        entries = self.edits.known(ref.edit for ref in recipe.edits) if recipe.edits else {}
        refs = tuple(
            ref.model_copy(update={"edit": entries[ref.edit].id}) if ref.edit in entries else ref
            for ref in recipe.edits
        )
        return recipe.model_copy(update={"edits": refs})


def check_drawable(comparison: Comparison) -> None:
    """Raise BadInput for a comparison with nothing to draw."""
    if not comparison.rows:
        raise BadInput("The comparison has no rows.", "Add a recipe to compare.", field="rows")
