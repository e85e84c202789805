"""What is checked of a recipe before a job of it is queued: whatever needs no loaded model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.models.attention import blocks_at, places
from studio.models.card import ModelCard
from studio.prompts.conditions import ConditionPlan, Said, negatives_of
from studio.prompts.layout import chunk_count, fits_whatever_its_tokens
from studio.prompts.plan import Mix, Wording
from studio.services.edits.library import EditLibrary
from studio.services.sources import Sources

MAX_IMAGES = 256  # of one job
# What a job may say, equal prompts counted once: so that checking it takes seconds at the very most.
MAX_JOB_CHARS = 500_000  # of its prompts as they are typed
MAX_JOB_TEXTS = 8_192  # that they come to over the steps; of one picture see studio.prompts.plan.MAX_TEXTS
# Of texts so long or so foreign that only tokens tell whether they fit, the longest up to here are tokenised at once;
# of the others the engine says so before their first step.
TOKENISED_CHARS = 200_000
NEEDS_UNCOND, NEEDS_LAYERS = "needs an unconditional prediction", "needs self-attention at"


def check_recipes(recipes: Sequence[Recipe], sources: Sources, edits: EditLibrary | None = None) -> dict[str, str]:
    """Raise BadInput or NotFound for the first recipe that no engine could run. Gives the file of each edit named.

    edits: where the recipes' edits are looked up; None where there are none to be had.
    """
    if not 1 <= len(recipes) <= MAX_IMAGES:
        raise BadInput(f"A job makes 1 to {MAX_IMAGES} pictures, not {len(recipes)}.", field="count")
    different = list(dict.fromkeys(recipe.model_copy(update={"seed": 0}) for recipe in recipes))
    _check_chars(different)
    texts = _Texts(sources)
    for recipe in different:
        _check(recipe, sources)
        texts.check(recipe)
    refs = {ref.edit: ref for recipe in recipes for ref in recipe.edits}
    if refs and edits is None:
        raise BadInput("The recipe has edits, and there is no workspace to find them in.", field="edits")
    if edits is None or not refs:
        return {}
    files = edits.paths(refs.values())
    for ref in {ref.edit: ref for recipe in recipes for ref in recipe.edits if ref.auto}.values():
        edits.check_gate(ref.edit)
    return files


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
    for method in _methods(spec):
        asks = asks_of(build(method), steps)
        if "weak" in asks.networks and sources.places.early(model) is None:
            raise no_weak(model, method)
        if card is None:
            continue
        # Layers that the recipe names are looked at by their names.
        words = {*asks.words()} if () in asks.layers else {*asks.words()} - {"layers"}
        if reason := why_not(sources, model, words):
            message = f"The guidance method {method.method} {reason}, and {model} has none."
            raise BadInput(message, _instead(reason, card), field="guidance")
        if card.attention is not None:
            for layers in asks.layers - {()}:
                blocks_at(card.attention, layers, model)


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
    plain = tuple(wrapper for wrapper in spec.wrappers if wrapper.added is None)
    added = [method for wrapper in spec.wrappers if wrapper.added is not None for method in _methods(wrapper.added)]
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
    _check_edits(recipe)


def _check_edits(recipe: Recipe) -> None:
    names = [ref.edit for ref in recipe.edits]
    if len(set(names)) < len(names):
        raise BadInput("An edit is in the stack twice; give it one strength.", field="edits")
    idle = next((ref for ref in recipe.edits if ref.strength and not ref.steps(recipe.steps)), None)
    if idle is not None:
        raise BadInput(
            f"The edit {idle.edit!r} acts in none of the {recipe.steps} steps: it starts at {idle.start:g} and stops "
            f"at {idle.stop:g} of them.",
            "Let it stop later, or take it out of the stack.",
            field="edits",
        )


def _check_chars(recipes: Sequence[Recipe]) -> None:
    prompts = {
        text for recipe in recipes for text in (recipe.prompt, *(negative.prompt for negative in negatives_of(recipe)))
    }
    chars = sum(map(len, prompts))
    if chars > MAX_JOB_CHARS:
        message = f"The prompts of this job have {chars:,} characters in all; a job takes at most {MAX_JOB_CHARS:,}."
        raise BadInput(message, "Make it in several jobs, or with shorter prompts.", field="prompt")


class _Texts:
    """Looks at the texts that a job's prompts come to, once each however many recipes share them."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._checked_keys: set[object] = set()
        self._texts = 0
        self._chars_left = TOKENISED_CHARS

    def check(self, recipe: Recipe) -> None:
        """Raise BadInput for a text that is too long, or where they are too many for one job."""
        key = (recipe.prompt, tuple(negatives_of(recipe)), recipe.syntax, recipe.steps, recipe.model)
        if key in self._checked_keys:
            return
        self._checked_keys.add(key)
        texts = ConditionPlan.of(recipe).texts
        self._texts += len(texts)
        if self._texts > MAX_JOB_TEXTS:
            message = f"The prompts of this job come to more than {MAX_JOB_TEXTS:,} different texts over their steps."
            raise BadInput(message, "Make it in several jobs, or let less of the prompts change.", field="prompt")
        self._check_lengths([wording for text in texts for wording in _wordings(text)], recipe.model)

    def _check_lengths(self, wordings: list[Wording], model: str) -> None:
        tokenizer, overflow = self._sources.tokenizer(model), self._sources.overflow(model)
        if overflow == "chunk":
            wordings = [wording for wording in wordings if not fits_whatever_its_tokens(wording, tokenizer.limit)]
        for wording in sorted(wordings, key=_chars, reverse=True):
            if overflow == "chunk":
                self._chars_left -= _chars(wording)
                if self._chars_left < 0:
                    return
            chunk_count(wording, tokenizer, overflow)


def _wordings(text: Said) -> tuple[Wording, ...]:
    return tuple(wording for _, wording in text.item.parts) if isinstance(text.item, Mix) else (text.item,)


def _chars(wording: Wording) -> int:
    return sum(len(fragment.text) for chunk in wording.chunks for fragment in chunk)
