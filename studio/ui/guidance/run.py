"""From the tab's controls to jobs: all rows on all seeds in one batch, one row again, a sweep."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import load, shown
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.services import pairing, scales
from studio.services.budget import network_rows, within
from studio.services.checks import check_guidance
from studio.ui.components import rule
from studio.ui.components.form import samplers
from studio.ui.components.seeds import MAX_SEED, parse_seed, random_seed
from studio.ui.errors import sentence
from studio.ui.guidance import board as boards
from studio.ui.guidance import sweep as sweeps
from studio.ui.guidance.board import Board, Sweep
from studio.ui.markup import typeset

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_SEEDS, MAX_STEPS = 4, 100  # of the sliders
MAX_CHARS = 20_000  # that can be typed; of which a recipe takes fewer, and says so
FIELDS = ("prompt", "negative", "seed", "seeds", "steps", "sampler", "equal")


def stored_fields(stored: Any) -> dict[str, Any]:
    """Of a browser's copy of the FIELDS, whatever that is, what they can hold."""
    if not isinstance(stored, dict):
        return {}

    def fits(name: str, value: Any) -> bool:
        match name:
            case "seeds" | "steps":
                most = MAX_SEEDS if name == "seeds" else MAX_STEPS
                return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= most
            case "sampler":
                return isinstance(value, str) and value in samplers()
            case "equal":
                return isinstance(value, bool)
            case _:
                return isinstance(value, str) and len(value) <= MAX_CHARS

    return {name: stored[name] for name in FIELDS if name in stored and fits(name, stored[name])}


def sampler_of(fields: Mapping[str, Any]) -> str:
    """The sampler of all rows, "" where an event tells of none."""
    return str(fields.get("sampler") or "")


def base_of(studio: Studio, model: str, fields: Mapping[str, Any], edits: Sequence[EditRef]) -> Recipe:
    """The recipe that all rows share, on the first seed. Raises BadInput."""
    card = studio.sources.card(model)
    seed = parse_seed(fields["seed"])
    steps = fields["steps"]
    if isinstance(steps, bool) or not isinstance(steps, int | float) or steps != steps or not 1 <= steps <= 150:
        raise BadInput(f"The number of steps must be a whole number from 1 to 150, not {shown(steps)}.", field="steps")
    return load(
        Recipe,
        {
            "model": model,
            "prompt": fields["prompt"] or "",
            "negative_prompt": fields["negative"] or "",
            "seed": random_seed() if seed is None else seed,
            "steps": int(steps),
            "sampler": fields["sampler"],
            "width": card.default_size_px,
            "height": card.default_size_px,
            "edits": tuple(edits),
            "batching": "shared",
        },
        "recipe",
    )


def compare(studio: Studio, board: Board, base: Recipe, seeds: Any, equal: bool) -> Board:
    """Draw every row on every seed, as one job. equal: at the network work of plain guidance at these steps.

    Raises BadInput, NotFound for the first row that cannot be drawn, which it names.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int | float) or not 1 <= seeds <= MAX_SEEDS:
        raise BadInput(f"One to {MAX_SEEDS} seeds can be compared, not {shown(seeds)}.", field="seeds")
    chosen = [(base.seed + k) % (MAX_SEED + 1) for k in range(int(seeds))]
    rows = [(row.id, recipe_of(studio, row.value, base, equal)) for row in board.rows]
    recipes = [recipe.model_copy(update={"seed": seed}) for seed in chosen for _, recipe in rows]
    places = [(id, str(seed)) for seed in chosen for id, _ in rows]
    description = f"Guidance: {len(rows)} row{'s' * (len(rows) > 1)}, {base.prompt or 'without a prompt'}"
    job = _submit(studio, recipes, description)
    return boards.with_places(board, job, places, all_anew=True)


def again(studio: Studio, board: Board, id: int, base: Recipe, equal: bool) -> Board:
    """Draw one row again, on the seeds that are shown. Raises as `compare`."""
    if not board.seeds:
        return board
    guidance = board.rows[id]
    recipe = recipe_of(studio, guidance, base, equal)
    recipes = [recipe.model_copy(update={"seed": int(seed)}) for seed in board.seeds]
    job = _submit(studio, recipes, f"Guidance: {rule.label(guidance)}")
    return boards.with_places(board, job, [(id, seed) for seed in board.seeds], all_anew=False)


def sweep(studio: Studio, board: Board, base: Recipe, name: str, low: Any, high: Any, count: Any) -> Board:
    """Draw the chosen row over a range of one parameter. Raises as `compare`."""
    guidance = board.chosen
    if not name:
        raise BadInput("Choose what to sweep.", field="sweep")
    chosen = sweeps.values(guidance, name, low, high, count)
    recipe = recipe_of(studio, guidance, base, equal=False)
    description = f"Sweep: {sweeps.words(name)} of {rule.label(guidance)}"
    job = _submit(studio, sweeps.recipes(recipe, name, chosen), description)
    return replace(board, sweep=Sweep(job, name, tuple(chosen)))


def _submit(studio: Studio, recipes: Sequence[Recipe], description: str) -> str:
    return studio.pictures.submit(recipes, account=True, origin="guidance", description=description)


def jobs_of(board: Board) -> set[str]:
    """The jobs whose pictures a board shows, or waits for."""
    return {cell.job for cell in board.cells} | ({board.sweep.job} if board.sweep else set())


def stop(studio: Studio, jobs: Iterable[str]) -> None:
    """Stop jobs, of which those that are over stay as they are. Finished pictures stay in the history."""
    for job in jobs:
        with contextlib.suppress(NotFound):  # the browser remembers a job of another workspace
            studio.jobs.stop(job)


def recipe_of(studio: Studio, guidance: GuidanceSpec, base: Recipe, equal: bool) -> Recipe:
    """A row on the first seed. Raises BadInput or NotFound."""
    recipe = base.model_copy(update={"guidance": guidance})
    if not equal:
        return recipe
    card = studio.sources.card(base.model)
    plain = base.model_copy(update={"guidance": GuidanceSpec(params={"guidance_scale": 2.0})})
    return within(recipe, card, network_rows(plain, card))


def formulas(board: Board, studio: Studio, model: str) -> tuple[dict[int, str], dict[int, str]]:
    """Of each row, its formula with the numbers in it; or why it cannot be drawn."""
    from studio.guidance import build  # torch: not while the page is painted

    formula_by_row: dict[int, str] = {}
    problem_by_row: dict[int, str] = {}
    for row in board.rows:
        try:
            described = build(row.value).describe()
            check_guidance(row.value, studio.sources, model)
            formula_by_row[row.id] = typeset(described)
        except StudioError as error:
            problem_by_row[row.id] = sentence(error)
    return formula_by_row, problem_by_row


def caveats(board: Board, studio: Studio, model: str, sampler: str) -> dict[int, str]:
    """Of each row that does not go with the model or the sampler, though it can be drawn, the sentence that says so."""
    sentences: dict[int, str] = {}
    for row in board.rows:
        with contextlib.suppress(StudioError):  # which `formulas` tells, or drawing it
            of_row = (pairing.caveat(row.value, sampler), scales.caveat(row.value, studio.sources, model))
            if any(of_row):
                sentences[row.id] = " ".join(filter(None, of_row))
    return sentences


def tried(work: Callable[[], Board], board: Board) -> tuple[Board, str]:
    """Do something to a board; give it as it is then, and what to say if it could not be done."""
    try:
        return work(), ""
    except StudioError as error:
        return board, sentence(error)
