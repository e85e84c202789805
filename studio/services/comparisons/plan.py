"""What drawing a comparison takes: what is there, what the rest costs, what cannot be drawn, what to know before."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from studio.core.errors import StudioError
from studio.core.recipe import Recipe
from studio.services import pairing, scales
from studio.services.comparisons.cells import Cell, Orders
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.differences import Difference, differences, in_words
from studio.services.estimate import seconds_for
from studio.services.jobs import JobService
from studio.services.sources import Sources


@dataclass(frozen=True)
class RowPlan:
    """One row.

    name: its own, else what it differs from the reference in.
    differences: from the reference's recipe, but for what the columns say.
    refusal: why none of its cells can be drawn, a sentence; "" where one can. A cell may be refused alone: see `Cell`.
    remarks: what to know before it is drawn, a sentence each.
    steps: of its first cell.
    nfe: network evaluations of its costliest picture; None where that cannot be counted.
    finished, under_way, missing, refused: how many of its cells are what.
    """

    name: str
    differences: tuple[Difference, ...]
    refusal: str
    remarks: tuple[str, ...]
    steps: int
    nfe: int | None
    finished: int
    under_way: int
    missing: int
    refused: int


@dataclass(frozen=True)
class ComparisonPlan:
    """All of it.

    remarks: of the comparison as a whole.
    finished, under_way, missing, refused: how many cells are what.
    nfe: network evaluations of what is missing.
    seconds: that will take; None where no picture of one of the models was drawn in this run.
    """

    rows: tuple[RowPlan, ...]
    remarks: tuple[str, ...]
    finished: int
    under_way: int
    missing: int
    refused: int
    nfe: int
    seconds: float | None


def plan_of(
    comparison: Comparison, cells: Sequence[Sequence[Cell]], orders: Orders, jobs: JobService
) -> ComparisonPlan:
    """Sum up the cells as they stand. Raises WorkspaceError."""
    names = names_of(comparison, cells)
    rows = tuple(_row_plan(comparison, cells, place, name, orders) for place, name in enumerate(names))
    missing = [cell.recipe for row in cells for cell in row if cell.state == "missing"]
    return ComparisonPlan(
        rows,
        (*remarks_on(comparison, orders.sources), *_changed_models(cells)),
        sum(row.finished for row in rows),
        sum(row.under_way for row in rows),
        len(missing),
        sum(row.refused for row in rows),
        sum(_nfe(orders, recipe) or 0 for recipe in missing),
        _seconds(jobs, missing),
    )


def names_of(comparison: Comparison, cells: Sequence[Sequence[Cell]]) -> tuple[str, ...]:
    """What each row is called: its own name, else what it differs from the reference in, else its number."""
    recipes = [row[0].recipe for row in cells]
    return tuple(
        row.name or in_words(_against(comparison, place, recipes)) or f"row {place + 1}"
        for place, row in enumerate(comparison.rows)
    )


def remarks_on(comparison: Comparison, sources: Sources) -> tuple[str, ...]:
    """What to know of the comparison as a whole, a sentence each."""
    remarks: list[str] = []
    rows = comparison.rows
    if any(column.seed is None for column in comparison.columns) and len({row.recipe.seed for row in rows}) > 1:
        remarks.append(
            "The rows have seeds of their own: what differs between them may be chance. A column with a seed draws all "
            "rows from the same noise."
        )
    shapes = {shape for row in rows if (shape := _latent_shape(row.recipe, sources)) is not None}
    if len(shapes) > 1:
        listed = ", ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        remarks.append(
            f"Their latents are of different shapes ({listed}), so equal seeds are not equal noise: compare rows of "
            "different shapes over many seeds, and not picture by picture."
        )
    elif len({row.recipe.model for row in rows}) > 1:
        remarks.append("Models differ, and their latents have one shape: equal seeds begin from equal noise.")
    if comparison.batching == "shared":
        remarks.append("Pictures are drawn in batches: each is the same as drawn alone, up to rounding.")
    return tuple(remarks)


def _changed_models(cells: Sequence[Sequence[Cell]]) -> list[str]:
    """A sentence for each model whose weights have changed between pictures that are shown."""
    hashes: dict[str, set[str]] = {}
    for picture in (cell.picture for row in cells for cell in row):
        if picture is not None and picture.made_by.get("model_hash"):
            hashes.setdefault(picture.recipe.model, set()).add(str(picture.made_by["model_hash"]))
    return [
        f"The pictures of {model} were drawn by different weights under that name: draw them again."
        for model, weights in hashes.items()
        if len(weights) > 1
    ]


def _row_plan(
    comparison: Comparison, cells: Sequence[Sequence[Cell]], place: int, name: str, orders: Orders
) -> RowPlan:
    mine = cells[place]
    states = [cell.state for cell in mine]
    refusals = [cell.refusal for cell in mine if cell.refusal]
    listed = _against(comparison, place, [row[0].recipe for row in cells])
    costs = [cost for cell in mine if (cost := _nfe(orders, cell.recipe)) is not None]
    return RowPlan(
        name,
        listed,
        refusals[0] if len(refusals) == len(mine) else "",
        _caveats(comparison, place, mine[0].recipe, orders.sources),
        mine[0].recipe.steps,
        max(costs, default=None),
        states.count("drawn"),
        states.count("under way"),
        states.count("missing"),
        states.count("refused"),
    )


def _against(comparison: Comparison, place: int, recipes: Sequence[Recipe]) -> tuple[Difference, ...]:
    """What a row differs from the reference in, but for what every column says."""
    fields_of_columns = [
        field
        for field in ("seed", "prompt")
        if all(getattr(column, field) is not None for column in comparison.columns)
    ]
    return differences(recipes[comparison.reference], recipes[place], fields_of_columns)


def _caveats(comparison: Comparison, place: int, recipe: Recipe, sources: Sources) -> tuple[str, ...]:
    """What does not go together in a row, though it can be drawn."""
    sentences: list[str] = []
    with contextlib.suppress(StudioError):  # which refuses the row
        sentences.append(pairing.caveat(recipe.guidance, recipe.sampler, recipe.sampler_params))
        if recipe.negative_prompt or recipe.more_negatives:
            sentences.append(pairing.idle_negative(recipe.guidance))
        sentences.append(scales.caveat(recipe.guidance, sources, recipe.model))
    if comparison.rows[place].is_live:
        sentences.append(
            "It is drawn with an edit that is still being trained, in the state of that moment: such a picture cannot "
            "be replayed."
        )
    return tuple(filter(None, sentences))


def _latent_shape(recipe: Recipe, sources: Sources) -> tuple[int, int, int] | None:
    """(channels, height, width); None where the model cannot be looked at."""
    try:
        card = sources.card(recipe.model)
    except StudioError:
        return None
    return card.latent_channels, recipe.height // card.latent_scale_px, recipe.width // card.latent_scale_px


def _nfe(orders: Orders, recipe: Recipe) -> int | None:
    try:
        return orders.nfe(recipe)
    except StudioError:
        return None


def _seconds(jobs: JobService, missing: Sequence[Recipe]) -> float | None:
    """Model by model, as it is drawn. None where one of them is not known."""
    total = 0.0
    for model in dict.fromkeys(recipe.model for recipe in missing):
        seconds = seconds_for(jobs, [recipe for recipe in missing if recipe.model == model])
        if seconds is None:
            return None
        total += seconds
    return total
