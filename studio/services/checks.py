"""What is checked of a recipe before a job of it is queued: whatever needs no loaded model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.models.attention import blocks_at, places
from studio.models.card import ModelCard
from studio.prompts import compile, lay_out, parse
from studio.prompts.conditions import ConditionPlan
from studio.services.edits import EditLibrary
from studio.services.sources import Sources

MAX_IMAGES = 256  # of one job
NEEDS_UNCOND, NEEDS_LAYERS = "needs an unconditional prediction", "needs self-attention at"


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
    """Why a guidance method cannot run on a model, in a few words for a menu; None if it can, as far as is known.

    asks: what it asks of a model, in the words of `studio.guidance.Asks`.
    """
    if "weak" in asks and sources.places.early(model) is None:
        return "needs an early checkpoint"
    try:
        card = sources.card(model)
    except StudioError:  # a model that cannot be read has a sentence of its own, elsewhere
        return None
    for kind, name in (("unet", "a UNet"), ("transformer", "a transformer")):
        if kind in asks and card.denoiser != kind:
            return f"needs {name} for a denoiser"
    if "uncond" in asks and card.distilled:
        return NEEDS_UNCOND
    layers = sources.perturbed_layers(model)
    if "layers" in asks and card.attention is not None and not _has(card.attention, layers):
        return f"{NEEDS_LAYERS} {', '.join(layers)}"
    return None


def check_guidance(spec: GuidanceSpec, sources: Sources, model: str, recipe: Recipe | None = None) -> None:
    """Raise NotFound for a method that is not there, BadInput for parameters, or for what `why_not` says of a model.

    recipe: whose steps are looked at; None for those of a plain one.
    """
    from studio.engine.ahead import steps_of
    from studio.engine.weak import no_weak
    from studio.guidance import asks_of, build

    build(spec)
    try:
        card = sources.card(model)
    except StudioError:  # as in `why_not`
        card, steps = None, None
    else:
        most = int(card.schedule["num_train_timesteps"])
        steps = list(steps_of(recipe or Recipe(model=model, steps=max(1, min(20, most - 1))), card))
    for one in _methods(spec):
        asks = asks_of(build(one), steps)
        if "weak" in asks.networks and sources.places.early(model) is None:
            raise no_weak(model, one)
        if card is None:
            continue
        # Layers that the recipe names are looked at by their names.
        words = {*asks.words()} if () in asks.layers else {*asks.words()} - {"layers"}
        if reason := why_not(sources, model, words):
            message = f"The guidance method {one.method} {reason}, and {model} has none."
            raise BadInput(message, _instead(reason, card), field="guidance")
        if card.attention is not None:
            for named in asks.layers - {()}:
                blocks_at(card.attention, named, model)


def _has(blocks: Sequence[str], layers: Sequence[str]) -> bool:
    try:
        return bool(blocks_at(blocks, layers, ""))
    except BadInput:
        return False


def _instead(reason: str, card: ModelCard) -> str:
    """What to do where a method cannot run for this reason."""
    if reason == NEEDS_UNCOND:
        return "Its guidance is built in: take a guidance_scale of 1, or another method."
    if card.attention and reason.startswith(NEEDS_LAYERS):
        return f"Name other layers; there is some at {places(card.attention)}."
    return "Take another method, or another model."


def _methods(spec: GuidanceSpec) -> list[GuidanceSpec]:
    """The method and those it adds, each in its own wrappers."""
    plain = tuple(each for each in spec.wrappers if each.added is None)
    added = [one for each in spec.wrappers if each.added is not None for one in _methods(each.added)]
    return [spec.model_copy(update={"wrappers": plain}), *added]


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
    from studio.diffusion.schedule import NoiseSchedule
    from studio.diffusion.solvers import build_solver
    from studio.engine.ahead import grid_ahead

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
    check_guidance(recipe.guidance, sources, recipe.model, recipe)
    build_solver(recipe.sampler, recipe.sampler_params)
    grid_ahead(recipe, card, NoiseSchedule.from_config(**card.schedule), recipe.steps)
    ConditionPlan.of(recipe)
    for prompt in (recipe.prompt, recipe.negative_prompt, *(more.prompt for more in recipe.more_negatives)):
        for wording in compile(parse(prompt, recipe.syntax), recipe.steps).wordings():
            lay_out(wording, sources.tokenizer(recipe.model), sources.overflow(recipe.model))
    names = [ref.edit for ref in recipe.edits]
    if len(set(names)) < len(names):
        raise BadInput("An edit is in the stack twice; give it one strength.", field="edits")
