"""X/Y/Z grids: the form's recipe, varied along up to three axes. Their place on the page: grid_panel.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError, WorkspaceError
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.services.estimate import seconds_for
from studio.services.grids.grid import Grid
from studio.services.pairing import caveat
from studio.services.wording import words
from studio.ui.components import axes, sheet
from studio.ui.components.form import recipes
from studio.ui.components.progress import seconds
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

AXIS_PARTS = tuple(f"{part}_{letter}" for letter in "XYZ" for part in ("axis", "values"))


def base_for(values: Mapping[str, Any], edits: Sequence[EditRef], wording: Any, paths: Sequence[str | None]) -> Recipe:
    """The recipe of the form, one picture of it. Raises BadInput.

    Parameters of a method are left to their defaults where the axes change the method itself: no other would take them.
    """
    recipe = recipes({**values, "count": 1}, edits, wording)[0]
    changed: dict[str, Any] = recipe.model_dump(mode="json")
    if "sampler" in paths:
        changed["sampler_params"] = {}
    if "guidance.method" in paths:
        scale = recipe.guidance.params.get("guidance_scale")
        changed["guidance"]["params"] = {} if scale is None else {"guidance_scale": scale}
    return Recipe.load(changed)


def forecast(
    studio: Studio, values: Mapping[str, Any], edits: Sequence[EditRef], axis_texts: Sequence[str | None]
) -> str:
    """How many pictures there will be, and how long they take; or what is wrong."""
    if not any(axis_texts[::2]):
        return tag("p", text(axes.HELP), class_="hint")
    try:
        base = base_for(values, edits, words(studio.settings.workspace), axis_texts[::2])
        plan = studio.grids.plan(base, axes.read(studio, base, axis_texts))
    except StudioError as error:
        return tag("p", text(sentence(error)), class_="hint wrong", role="status")
    takes = seconds_for(studio.jobs, plan.recipes)
    shape = " × ".join(str(len(axis.values)) for axis in plan.axes)
    time = "time known after a first picture" if takes is None else seconds(takes)
    count = f"{shape} = {len(plan.recipes)} pictures" if len(plan.axes) > 1 else f"{len(plan.recipes)} pictures"
    line = tag("p", text(f"{count}, {time}."), class_="forecast", role="status")
    return line + alert(_caveat(plan.recipes), kind="note")


def _caveat(cells: Sequence[Recipe]) -> str:
    """What to know of the first cell whose guidance method does not go with its sampler."""
    pairs = dict.fromkeys((recipe.guidance, recipe.sampler, tuple(recipe.sampler_params.items())) for recipe in cells)
    sentences = (caveat(guidance, sampler, dict(params)) for guidance, sampler, params in pairs)
    return next((sentence for sentence in sentences if sentence), "")


def start(
    studio: Studio, values: Mapping[str, Any], edits: Sequence[EditRef], axis_texts: Sequence[str | None]
) -> tuple[int | None, str]:
    """Begin a grid; its number and how it looks, or None and why not."""
    try:
        base = base_for(values, edits, words(studio.settings.workspace), axis_texts[::2])
        number = studio.grids.start(base, axes.read(studio, base, axis_texts))
    except StudioError as error:
        return None, alert(sentence(error))
    return number, show(studio, number)[0]


def show(studio: Studio, number: int | None) -> tuple[str, bool]:
    """How a grid looks now, and whether it is being drawn; "" for none."""
    if not number:
        return "", False
    try:
        grid = studio.grids.get(number)
    except NotFound:  # the browser remembers a grid of another workspace
        return "", False
    except WorkspaceError as error:  # this one cannot be read, and the page is there for the others
        return alert(sentence(error)), False
    return sheet.grid_html(grid, _progress(studio, grid)), grid.job_id is not None


def act(studio: Studio, action: str, number: int) -> tuple[str, bool]:
    """Press a button of a grid. Raises NotFound, BadInput."""
    grid = studio.grids.get(number)
    if action == "resume":
        studio.grids.resume(number)
    elif action == "stop":
        if grid.job_id:
            studio.jobs.stop(grid.job_id)
    else:
        raise BadInput(f"There is nothing to do with a grid called {shown(action)}.")
    return show(studio, number)


def refilled(studio: Studio, number: int | None) -> dict[str, str]:
    """The axes of a grid as they are typed, by AXIS_PARTS; {} for no grid."""
    try:
        grid_axes = studio.grids.get(number).axes if number else ()
    except (NotFound, WorkspaceError):
        return {}
    typed = [text for axis in grid_axes for text in (axis.path, axes.typed(axis))]
    return dict(zip(AXIS_PARTS, typed + [""] * (len(AXIS_PARTS) - len(typed)), strict=True)) if typed else {}


def earlier(studio: Studio) -> list[tuple[str, int]]:
    """(label, number) of the newest grids."""
    return [(f"Grid {number}", number) for number in studio.grids.newest()]


def _progress(studio: Studio, grid: Grid) -> Mapping[str, float]:
    if not grid.job_id:
        return {}
    events = studio.jobs.events(grid.job_id)
    newest = next((event.data for event in reversed(events) if event.kind == "progress"), {})
    return {**newest, "drawn": sum(event.kind == "image" for event in events)}
