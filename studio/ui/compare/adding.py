"""Where rows come from: pictures, presets, strengths of an edit, steps of a training, models, values of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.core.recipe import LIVE, EditRef, Recipe
from studio.services.comparisons import rows
from studio.services.comparisons.comparison import MAX_NAME_CHARS, Column
from studio.services.comparisons.comparison import Row as Compared
from studio.services.grids.axes import Axis, parse_axis
from studio.services.grids.grid import recipes_of
from studio.services.presets import GuidancePresets
from studio.services.trainings import KIND as TRAINING
from studio.ui.compare import board as boards
from studio.ui.compare.board import Board
from studio.ui.compare.columns import OWN
from studio.ui.components import axes, sheet

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio

Choices = list[tuple[str, str]]
PROMPT, SEED = "a striped purple star on a meadow background", 7  # of a first row that nothing else says
LIVE_STEP = 10**9  # where a training under way stands among its versions: last


class Picture(Protocol):
    """A picture of the history, or one that was sent."""

    @property
    def id(self) -> int: ...
    @property
    def recipe(self) -> Recipe: ...


def basis(studio: Studio, board: Board, model: str, edits: Sequence[EditRef]) -> Recipe:
    """What a further row is made from: a row that is there, else plain settings of the model in the sidebar."""
    if board.basis is not None:
        return board.basis
    side = studio.sources.card(model).default_size_px
    return Recipe(model=model, prompt=PROMPT, seed=SEED, width=side, height=side, edits=tuple(edits))


# -- pictures -------------------------------------------------------------------------------------------------------


def pictures(board: Board, chosen: Sequence[Picture]) -> Board:
    """A row for each way in which pictures were made.

    Those that differ in their seed alone are one row, and where several rows have the same seeds, or the same prompts
    and seeds, these become columns, as long as the columns say nothing yet. Raises BadInput for too many.
    """
    if not chosen:
        raise BadInput("No picture is chosen.", "Click some of them first.")
    if board.columns == OWN and not board.rows:
        for fields in (("seed",), ("prompt", "seed")):
            columns, groups = _crossed(chosen, fields)
            if columns:
                return boards.with_rows(replace(board, columns=columns), [_row(group) for group in groups])
    apart = () if board.columns == OWN else _fields_of(board.columns)
    return boards.with_rows(board, [_row(group) for group in _grouped(chosen, apart)])


def _crossed(chosen: Sequence[Picture], fields: Sequence[str]) -> tuple[tuple[Column, ...], list[list[Picture]]]:
    """The columns of pictures that are several ways by the same seeds (or prompts and seeds); () where they are not."""
    groups = _grouped(chosen, fields)
    places = [
        dict.fromkeys(tuple(getattr(picture.recipe, field) for field in fields) for picture in group)
        for group in groups
    ]
    if len(places[0]) < 2 or any(place.keys() != places[0].keys() for place in places):
        return (), groups
    if len(groups) < 2 and "prompt" in fields:  # so many prompts of one recipe are to be compared with each other
        return (), groups
    return tuple(Column(**dict(zip(fields, place, strict=True))) for place in places[0]), groups


def _grouped(chosen: Iterable[Picture], fields: Sequence[str]) -> list[list[Picture]]:
    """Pictures by what they are besides what columns say, in the order of the first of each."""
    groups: dict[Recipe, list[Picture]] = {}
    nothing: dict[str, Any] = {
        "batching": "isolated",
        **{field: Recipe.model_fields[field].default for field in fields},
    }
    for picture in chosen:
        groups.setdefault(picture.recipe.model_copy(update=nothing), []).append(picture)
    return list(groups.values())


def _fields_of(columns: Sequence[Column]) -> list[str]:
    """What every column says."""
    return [field for field in ("prompt", "seed") if all(getattr(column, field) is not None for column in columns)]


def _row(group: Sequence[Picture]) -> Compared:
    numbers = ", ".join(str(picture.id) for picture in group[:4]) + (", ..." if len(group) > 4 else "")
    return Compared(recipe=group[0].recipe, source=f"picture{'s' * (len(group) > 1)} {numbers}")


def file(studio: Studio, board: Board, path: Path, model: str) -> tuple[Board, tuple[str, ...]]:
    """A row of a picture file's settings, and what of them could not be taken over.

    model: taken where the file names none that is here. Raises BadInput.
    """
    usable = [source.name for source in studio.sources.listing() if not source.problem]
    row, settings = rows.of_file(path, studio.sources, Recipe(model=model if model in usable else "stencil"))
    return boards.with_rows(board, [row]), settings.left_out


# -- what a row can be instead ---------------------------------------------------------------------------------------


def preset(board: Board, presets: GuidancePresets, name: str, recipe: Recipe) -> Board:
    """A guidance preset. Raises NotFound, BadInput."""
    return _with_basis(board, recipe, [rows.with_preset(recipe, presets.load(name))])


def edit(studio: Studio, board: Board, id: str, strengths: str, recipe: Recipe) -> Board:
    """An edit at some strengths, 0 without it. Raises NotFound, BadInput."""
    entry = studio.edits.show(id)
    alone = Recipe(edits=(EditRef(edit=entry.id),))
    values = [float(value) for value in parse_axis(alone, "edits.0.strength", strengths).values]
    return boards.with_rows(board, rows.strengths(recipe, entry, values))


def models(studio: Studio, board: Board, names: Sequence[str], recipe: Recipe) -> Board:
    """Other models, each in its own size. Raises NotFound, BadInput."""
    if not names:
        raise BadInput("No model is chosen.", "Choose one or several.")
    return _with_basis(board, recipe, [rows.with_model(recipe, name, studio.sources) for name in names])


def along(studio: Studio, board: Board, axis_texts: Sequence[str | None], recipe: Recipe) -> Board:
    """A row for each value of a parameter, or for each of several crossed. axis_texts: as of `axes.read`.

    Raises BadInput, NotFound.
    """
    read = axes.read(studio, recipe, axis_texts)
    if not read:
        raise BadInput("No parameter is chosen.", "Choose what is to be varied, and its values.", field="axis")
    paths = [axis.path for axis in read]
    if len(set(paths)) < len(paths):
        raise BadInput("The same parameter is varied twice.", "Choose another one.", field="axis")
    base = recipe
    if "guidance.method" in paths:  # no other method takes the parameters of this one
        scale = recipe.guidance.params.get("guidance_scale")
        params = {} if scale is None else {"guidance_scale": scale}
        base = recipe.model_copy(update={"guidance": recipe.guidance.model_copy(update={"params": params})})
    if "sampler" in paths:
        base = base.model_copy(update={"sampler_params": {}})
    if (count := _count(read)) > 256:
        raise BadInput(
            f"These values come to {count} rows.", "Take fewer, or the X/Y/Z grid of the Prompt tab.", field="axis"
        )
    names = ", ".join(axis.name for axis in read)
    values = [
        Compared(name=_short(", ".join(labels)), recipe=varied, source=f"values of {names}"[:300])
        for varied, labels in zip(recipes_of(base, read), _labels(read), strict=True)
    ]
    return boards.with_rows(board, values)


def _count(read: Sequence[Axis]) -> int:
    count = 1
    for axis in read:
        count *= len(axis.values)
    return count


def _labels(read: Sequence[Axis]) -> list[list[str]]:
    """What each recipe of `recipes_of` is called; x runs fastest."""
    label_rows: list[list[str]] = [[]]
    for axis in reversed(read):
        words = sheet.axis_labels(axis)
        label_rows = [[word, *labels] for labels in label_rows for word in words]
    return label_rows


# -- trainings ------------------------------------------------------------------------------------------------------


def trainings(studio: Studio) -> Choices:
    """(label, id) of trainings of which there are several versions, or one that is under way."""
    choices: Choices = []
    for job in studio.jobs.unfinished():
        if job.kind == TRAINING:
            choices.append((f"{job.description}, under way", f"{LIVE}{job.id}"))
    for name, versions in _versions(studio):
        if len(versions) > 1:
            choices.append((f"{name}: {len(versions)} steps of it", name))
    return choices


def steps(studio: Studio, board: Board, id: str, recipe: Recipe) -> Board:
    """A row for each step of a training that was kept; of one under way, as it is when it is drawn.

    Raises NotFound, BadInput.
    """
    if id.startswith(LIVE):
        job = studio.jobs.get(id.removeprefix(LIVE))
        return _with_basis(board, recipe, [rows.with_training(recipe, job.id, job.description)])
    versions = dict(_versions(studio)).get(id)
    if not versions:
        raise NotFound(f"There is no training named {shown(id)}.")
    ids = {entry.id for entry in versions}
    plain = recipe.model_copy(update={"edits": tuple(ref for ref in recipe.edits if ref.edit not in ids)})
    steps_of_it = [
        rows.with_edit(plain, entry).model_copy(update={"name": _short(f"{id}, step {step_of(entry)}")})
        for entry in versions
    ]
    return boards.with_rows(board, steps_of_it)


def step_of(entry: EditEntry) -> int:
    """The steps an edit was trained for; of one that does not say, its version."""
    step = entry.provenance.get("steps")
    return step if isinstance(step, int) and not isinstance(step, bool) else entry.version


def training_of(studio: Studio, recipes: Sequence[Recipe]) -> list[tuple[str, int]]:
    """Of each recipe, the training of which its last edit is a step, and that step; ("", 0) for none."""
    refs = {ref.edit for recipe in recipes for ref in recipe.edits if ref.strength}
    entries = studio.edits.known(ref for ref in refs if not ref.startswith(LIVE)) if refs else {}
    under_way = {f"{LIVE}{job.id}": job.description for job in studio.jobs.unfinished()} if refs else {}
    places: list[tuple[str, int]] = []
    for recipe in recipes:
        ref = next((ref.edit for ref in reversed(recipe.edits) if ref.strength), "")
        if ref in entries and entries[ref].name and "training" in entries[ref].provenance:
            places.append((entries[ref].name, step_of(entries[ref])))
        else:
            places.append((under_way[ref], LIVE_STEP) if ref in under_way else ("", 0))
    return places


def _versions(studio: Studio) -> list[tuple[str, list[EditEntry]]]:
    """Trained edits by their name, each's versions in the order of their steps."""
    trained = [
        entry for entry in studio.edits.list() if entry.name and not entry.problem and "training" in entry.provenance
    ]
    trained.sort(key=lambda entry: (entry.name, step_of(entry), entry.version))
    return [(name, list(entries)) for name, entries in groupby(trained, key=lambda entry: entry.name)]


# -- inside ---------------------------------------------------------------------------------------------------------


def _with_basis(board: Board, recipe: Recipe, further: Sequence[Compared]) -> Board:
    """Further rows; the first ones have what they are made from before them, to be compared with."""
    first = [] if board.rows else [Compared(name="as it was", recipe=recipe, source="plain settings")]
    return boards.with_rows(board, [*first, *further])


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 3]}..."
