"""What is checked of a recipe before a job of it is queued: whatever needs no loaded model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.prompts import compile, lay_out, parse
from studio.prompts.conditions import ConditionPlan
from studio.services.edits import EditLibrary
from studio.services.sources import Sources

MAX_IMAGES = 256  # of one job


def check_recipes(recipes: Sequence[Recipe], sources: Sources, edits: EditLibrary | None = None) -> dict[str, str]:
    """Raise BadInput or NotFound for the first recipe that no engine could run. Gives the file of each edit named.

    edits: where the recipes' edits are looked up; None where there are none to be had.
    """
    if not 1 <= len(recipes) <= MAX_IMAGES:
        raise BadInput(f"A job makes 1 to {MAX_IMAGES} pictures, not {len(recipes)}.", field="count")
    for recipe in dict.fromkeys(recipe.model_copy(update={"seed": 0}) for recipe in recipes):
        _check(recipe, sources)
    refs = {ref.edit: ref for recipe in recipes for ref in recipe.edits}
    if refs and edits is None:
        raise BadInput("The recipe has edits, and there is no workspace to find them in.", field="edits")
    return edits.paths(refs.values()) if edits is not None and refs else {}


def why_not(sources: Sources, model: str, asks: Collection[str]) -> str | None:
    """Why a guidance method cannot run on a model, in a few words for a menu; None if it can.

    asks: the networks it asks, as `Guidance.networks` names them. Every model has the main one.
    """
    if "weak" in asks and sources.places.early(model) is None:
        return "needs an early checkpoint"
    return None


def check_guidance(spec: GuidanceSpec, sources: Sources, model: str) -> None:
    """Raise NotFound for a method that is not there, BadInput for parameters, or for what `why_not` says of a model."""
    from studio.engine.weak import no_weak
    from studio.guidance import build

    if why_not(sources, model, build(spec).networks()):
        raise no_weak(model, spec)


def settled(recipe: Recipe) -> Recipe:
    """The same recipe with every parameter of its guidance and its sampler said out loud, of one that was checked.

    So the picture stays what it is when a default becomes another. Raises NotFound, BadInput for one that was not.
    """
    from studio.diffusion.solvers import build_solver
    from studio.guidance import spoken

    sampler = build_solver(recipe.sampler, recipe.sampler_params).model_dump(mode="json", exclude_none=True)
    return recipe.model_copy(update={"guidance": spoken(recipe.guidance), "sampler_params": sampler})


def _check(recipe: Recipe, sources: Sources) -> None:
    # Here and not above: they bring torch, and the page, which imports this file, is painted before that.
    from studio.diffusion.grid import make_grid
    from studio.diffusion.schedule import NoiseSchedule
    from studio.diffusion.solvers import build_solver

    card = sources.card(recipe.model)
    for field in ("width", "height"):
        value = getattr(recipe, field)
        if value % card.latent_scale_px:
            multiple = card.latent_scale_px
            message = f"In the recipe, {field} must be a multiple of {multiple} for {recipe.model}, not {value}."
            raise BadInput(message, field=field)
    most = int(card.schedule["num_train_timesteps"])
    if recipe.steps > most:
        raise BadInput(f"The model {recipe.model} takes at most {most} steps, not {recipe.steps}.", field="steps")
    check_guidance(recipe.guidance, sources, recipe.model)
    build_solver(recipe.sampler, recipe.sampler_params)
    if recipe.spacing != "auto":
        make_grid(recipe.spacing, NoiseSchedule.from_config(**card.schedule), recipe.steps)
    ConditionPlan.of(recipe)
    for prompt in (recipe.prompt, recipe.negative_prompt, *(more.prompt for more in recipe.more_negatives)):
        for wording in compile(parse(prompt, recipe.syntax), recipe.steps).wordings():
            lay_out(wording, sources.tokenizer(recipe.model), sources.overflow(recipe.model))
    names = [ref.edit for ref in recipe.edits]
    if len(set(names)) < len(names):
        raise BadInput("An edit is in the stack twice; give it one strength.", field="edits")
