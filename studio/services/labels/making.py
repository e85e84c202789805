"""How pictures were made, in words: of several beside each other no more than tells them apart."""

from __future__ import annotations

from collections.abc import Sequence

from studio.core.errors import StudioError
from studio.core.recipe import EditRef, Recipe
from studio.preference.label import Picture
from studio.services.edits.library import EditLibrary


def facts_of(picture: Picture, prompt: str, edits: EditLibrary) -> dict[str, str]:
    """What is known of a picture's making, name -> value. prompt: as labellers read it."""
    if picture.recipe is None:
        return {"Model": picture.model or "not known", "Picture": picture.sha256[:12]}
    recipe = picture.recipe
    drawn_as = recipe.prompt if recipe.prompt != prompt else "the prompt"
    return {**settings_of(recipe, edits), "Drawn as": drawn_as, "Seed": str(recipe.seed)}


def settings_of(recipe: Recipe, edits: EditLibrary) -> dict[str, str]:
    """The same of a recipe, its prompt and seed left out."""
    return {
        "Model": recipe.model,
        "Edits": ", ".join(_edit(ref, edits) for ref in recipe.edits) or "none",
        "Guidance": _guidance(recipe),
        "Sampler": recipe.sampler,
        "Steps": str(recipe.steps),
        "Size": f"{recipe.width} × {recipe.height}",
        "Negative prompt": recipe.negative_prompt or "none",
    }


def differing(facts: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Of each of several, what is not the same of all; where nothing differs, or of one alone, everything."""
    names = list(dict.fromkeys(name for making in facts for name in making))
    telling = [name for name in names if len({making.get(name) for making in facts}) > 1] if len(facts) > 1 else names
    return [{name: making[name] for name in telling or names if name in making} for making in facts]


def _edit(ref: EditRef, edits: EditLibrary) -> str:
    try:
        name = edits.show(ref.edit).name or ref.edit
    except StudioError:  # it may be gone by now
        name = ref.edit
    return f"{name} at {ref.strength:g}"


def _guidance(recipe: Recipe) -> str:
    params = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in recipe.guidance.params.items())
    return f"{recipe.guidance.method} ({params})" if params else recipe.guidance.method
