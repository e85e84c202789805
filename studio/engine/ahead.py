"""What a recipe will ask of the network, step by step, known before anything of it is loaded or run.

Rows that are asked for twice at once, by prompts or methods that have something in common, are one. Those of one
network whose prompts take equally many chunks are run in one evaluation, as studio.engine.batcher groups them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.grid import Grid, make_grid, model_grid
from studio.diffusion.schedule import NoiseSchedule, Schedule
from studio.guidance import Guidance, NoisePoint, Request, StepCtx, build
from studio.models.card import ModelCard
from studio.prompts import Overflow, compile, parse
from studio.prompts.conditions import ConditionPlan, Said, negatives_of
from studio.prompts.layout import Tokeniser, chunk_count
from studio.prompts.plan import Mix

Chunks = Callable[[Said], int]
_Cond = TypeVar("_Cond")  # what is said, or its encoding


@dataclass(frozen=True)
class StepRows:
    """Rows of network work of one step. widest: of its largest evaluation, where it runs alone and is not split."""

    rows: int
    widest: int


def rows_of(
    guidance: Guidance, conditions: ConditionPlan, grid: Grid, schedule: Schedule, chunks: Chunks = lambda text: 1
) -> Iterator[StepRows]:
    """Count the rows of each step. chunks: how long something said is encoded; only equal ones share an evaluation.

    The most there can be, of guidance that feeds the network times of its own: they may come to be the step's.
    """
    for step in _steps(conditions, grid, schedule):
        rows = most = 0
        for requests in guidance.rounds(step):
            once = {
                (text, _attended(request, text, conditions, step.i), *request.place(step)): (
                    request.model,
                    chunks(text),
                )
                for request in requests
                for _, text in conditions.parts(request.cond, step.i)
            }
            rows += len(once)
            most = max([most, *Counter(once.values()).values()])
        yield StepRows(rows, most)


def grid_ahead(recipe: Recipe, card: ModelCard, schedule: NoiseSchedule, steps: int) -> Grid:
    """The noise levels a recipe would visit in so many steps. Raises NotFound, BadInput."""
    if recipe.spacing == "auto":
        return model_grid(card.spacing, schedule, steps, card.steps_offset)
    return make_grid(recipe.spacing, schedule, steps)


def counting(recipe: Recipe, card: ModelCard, chunks: Chunks = lambda text: 1) -> Callable[[int], Iterator[StepRows]]:
    """Counts the rows of each step of a recipe, for as many steps as it is called with. card: of the recipe's model.

    Both raise NotFound, BadInput for what cannot be in the recipe.
    """
    guidance, schedule = build(recipe.guidance), NoiseSchedule.from_config(**card.schedule)

    def count(steps: int) -> Iterator[StepRows]:
        conditions = ConditionPlan.of(recipe.model_copy(update={"steps": steps}))
        return rows_of(guidance, conditions, grid_ahead(recipe, card, schedule, steps), schedule, chunks)

    return count


def widest(recipe: Recipe, card: ModelCard, chunks: Chunks) -> int:
    """Rows of the largest evaluation of a recipe that runs alone, at least 1. Raises as `counting`."""
    return max(1, *(step.widest for step in counting(recipe, card, chunks)(recipe.steps)))


def steps_of(recipe: Recipe, card: ModelCard) -> Iterator[StepCtx]:
    """What is known of each step of a recipe. Raises NotFound, BadInput for what cannot be in it."""
    schedule = NoiseSchedule.from_config(**card.schedule)
    return _steps(ConditionPlan.of(recipe), grid_ahead(recipe, card, schedule, recipe.steps), schedule)


def chunks_by(tokeniser: Tokeniser, overflow: Overflow) -> Chunks:
    """How many chunks something said takes with this tokeniser; the shorter parts of a mix are lengthened."""
    counts: dict[Said, int] = {}

    def chunks(text: Said) -> int:
        if text not in counts:
            parts = text.item.parts if isinstance(text.item, Mix) else ((1.0, text.item),)
            counts[text] = max(chunk_count(wording, tokeniser, overflow) for _, wording in parts)
        return counts[text]

    return chunks


def why_wide(recipe: Recipe) -> str:
    """What of a recipe makes its evaluations wide: how many prompts, and the methods by name."""
    negatives = negatives_of(recipe)
    prompts = (recipe.prompt, *(negative.prompt for negative in negatives))
    branches = [len(compile(parse(prompt, recipe.syntax), recipe.steps).branches) for prompt in prompts]
    joined = sum(count for count in branches if count > 1)
    reasons = [f"{joined} prompts joined by AND"] if joined else []
    reasons += [f"{len(negatives)} negative prompts"] if len(negatives) > 1 else []
    return ", ".join([*reasons, f"guidance by {' and '.join(_methods(recipe.guidance))}"])


def moved_away(away: tuple[tuple[float, _Cond], ...], cond: _Cond) -> tuple[tuple[float, _Cond], ...]:
    """What guidance in attention moves a condition away from, () where that is itself, and the row a plain one."""
    return () if all(part == cond for _, part in away) else away


def _attended(request: Request, text: Said, conditions: ConditionPlan, i: int) -> object:
    """Equal for rows of one text whose attention is guided alike."""
    if request.attention is None:
        return None
    away = moved_away(conditions.parts(request.attention.cond, i), text)
    return (request.attention, away) if away else None


def _steps(conditions: ConditionPlan, grid: Grid, schedule: Schedule) -> Iterator[StepCtx]:
    for i in range(len(grid)):
        at = NoisePoint(grid.a[i], grid.s[i], grid.timesteps[i])
        yield StepCtx.ahead(i, len(grid), at, conditions.weights(i), schedule)


def _methods(spec: GuidanceSpec) -> list[str]:
    """Its own name and those of the methods it adds, once each."""
    added = (name for wrapper in spec.wrappers if wrapper.added is not None for name in _methods(wrapper.added))
    return list(dict.fromkeys((spec.method, *added)))
