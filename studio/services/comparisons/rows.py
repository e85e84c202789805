"""Rows out of what there is: pictures, files, presets, edits, trainings under way, models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.recipe import LIVE, Recipe
from studio.services.comparisons.comparison import MAX_NAME_CHARS, Row
from studio.services.dropped import Dropped, read_dropped
from studio.services.edits.library import EditEntry
from studio.services.presets import LoadedPreset
from studio.services.sources import Sources


def of_file(path: Path, sources: Sources, fallback: Recipe | None = None) -> tuple[Row, Dropped]:
    """The settings of a picture file, ours or another program's; and what of it could not be taken over.

    Raises as `studio.services.dropped.read_dropped`.
    """
    usable = [model.name for model in sources.listing() if not model.problem]
    dropped = read_dropped(path, usable, fallback)
    dropped = dropped.sized(sources.card(dropped.recipe.model).default_size_px)
    return Row(recipe=dropped.recipe, source=f"file {path.name[:250]}"), dropped


def with_preset(base: Recipe, preset: LoadedPreset) -> Row:
    """A recipe with the guidance of a preset."""
    recipe = base.model_copy(update={"guidance": preset.spec})
    return Row(name=preset.name[:MAX_NAME_CHARS], recipe=recipe, source=f"guidance preset {preset.name}"[:300])


def with_edit(base: Recipe, entry: EditEntry, strength: float = 1.0) -> Row:
    """A recipe with an edit on top of those it has; one that it has already gets this strength.

    Raises BadInput for an edit that cannot be used, a strength that cannot be, or a 65th edit.
    """
    if entry.problem:
        raise BadInput(entry.problem, field="edits")
    refs = [ref for ref in base.edits if ref.edit != entry.id]
    recipe = _with_ref(base.model_copy(update={"edits": tuple(refs)}), entry.id, strength)
    name = f"{entry.name or entry.id} at {strength:g}"
    return Row(
        name=name[:MAX_NAME_CHARS], recipe=Recipe.load(recipe.model_dump(mode="json")), source=f"edit {entry.id}"
    )


def with_training(base: Recipe, job_id: str, name: str, strength: float = 1.0) -> Row:
    """A recipe with the edit that a job is training, as it is whenever a cell is drawn."""
    recipe = _with_ref(base, f"{LIVE}{job_id}", strength)
    return Row(name=f"{name}, so far"[:MAX_NAME_CHARS], recipe=recipe, source="a training under way")


def with_model(base: Recipe, model: str, sources: Sources) -> Row:
    """A recipe drawn by another model, in that one's own size and with its sampler; without edits, which are not its.

    Raises NotFound, AssetError.
    """
    card = sources.card(model)
    own_values = {"width": card.default_size_px, "height": card.default_size_px, "sampler": card.sampler}
    recipe = base.model_copy(update={"model": model, "edits": (), "sampler_params": {}, **own_values})
    return Row(name=model[:MAX_NAME_CHARS], recipe=recipe, source=f"model {model}"[:300])


def strengths(base: Recipe, entry: EditEntry, values: Sequence[float]) -> tuple[Row, ...]:
    """An edit at several strengths, 0 among them as the recipe without it."""
    return tuple(with_edit(base, entry, value) for value in values)


def _with_ref(base: Recipe, edit: str, strength: float) -> Recipe:
    values = base.model_dump(mode="json")
    return Recipe.load({**values, "edits": [*values["edits"], {"edit": edit, "strength": strength}]})
