"""A sweep: one parameter of the chosen row over a range, as a filmstrip and as curves of what it does to colours."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound
from studio.core.params import ParamSpec, shown
from studio.core.recipe import GuidanceSpec, Recipe
from studio.services import account
from studio.ui.components import canvas, results
from studio.ui.components.curves.panel import Panel, Series, number
from studio.ui.components.curves.svg import plot
from studio.ui.components.progress import progress, time_left
from studio.ui.components.results import Cell, Drawn, Results
from studio.ui.guidance.board import Sweep
from studio.ui.guidance.results import HINT
from studio.ui.markup import tag, text
from studio.ui.methods import declarations

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_VALUES = 12
MEASURES = {
    "saturation": "Saturation",
    "contrast": "Contrast",
    "clipped": "Clipped, %",
}


def parameters(guidance: GuidanceSpec) -> list[tuple[str, str]]:
    """(label, name) of what can be swept in a row: its numbers."""
    method = declarations().guidance.get(guidance.method)
    return [(spec.label, spec.name) for spec in (method.params if method else ()) if spec.kind in ("float", "int")]


def bounds(guidance: GuidanceSpec, name: str) -> tuple[float, float]:
    """A range to begin with."""
    spec = _spec(guidance, name)
    return float(spec.low if spec.low is not None else 0), float(spec.high if spec.high is not None else 10)


def values(guidance: GuidanceSpec, name: str, low: Any, high: Any, count: Any) -> list[float]:
    """The values of a sweep, evenly. Raises BadInput for what cannot be swept so."""
    spec = _spec(guidance, name)
    for field, value in (("from", low), ("to", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInput(f"The sweep goes {field} a number, not {shown(value)}.", field=name)
        if (spec.low is not None and value < spec.low) or (spec.high is not None and value > spec.high):
            raise BadInput(f"{spec.label} is a number from {spec.low:g} to {spec.high:g}, not {value:g}.", field=name)
    if isinstance(count, bool) or not isinstance(count, int | float) or not 2 <= count <= MAX_VALUES or count % 1:
        raise BadInput(f"A sweep has 2 to {MAX_VALUES} pictures, not {shown(count)}.", field="count")
    sweep_values = [low + (high - low) * k / (int(count) - 1) for k in range(int(count))]
    if spec.kind == "int":
        sweep_values = [float(round(value)) for value in sweep_values]
    sweep_values = list(dict.fromkeys(round(value, 6) for value in sweep_values))
    if len(sweep_values) < 2:
        raise BadInput("A sweep needs two different values.", field=name)
    return sweep_values


def recipes(base: Recipe, name: str, chosen: Sequence[float]) -> list[Recipe]:
    """One recipe per value."""
    spec = _spec(base.guidance, name)
    kind = int if spec.kind == "int" else float
    return [
        base.model_copy(
            update={
                "guidance": base.guidance.model_copy(update={"params": {**base.guidance.params, name: kind(value)}})
            }
        )
        for value in chosen
    ]


def measured(studio: Studio, job: str, name: str) -> list[tuple[float, int, dict[str, float]]]:
    """(value, number of the picture, its colours) of what is drawn of a sweep. Raises NotFound."""
    points: list[tuple[float, int, dict[str, float]]] = []
    for _, picture in canvas.view(studio.jobs.events(job)).pictures:
        value = picture.recipe.guidance.params.get(name)
        if isinstance(value, int | float):
            points.append((float(value), picture.id, account.colours(studio, picture.id)))
    return sorted(points, key=lambda point: point[0])


def panels(
    points: Sequence[tuple[float, int, dict[str, float]]], name: str, values: Sequence[float] = ()
) -> list[Panel]:
    """A curve per measure. values: those that have a place, also where nothing was drawn; without, those drawn."""
    colours_by_value = {round(value, 6): colours for value, _, colours in points}
    places = [round(value, 6) for value in values] or list(colours_by_value)
    names = tuple(number(value) for value in places)

    def series(measure: str) -> Series:
        factor = 100 if measure == "clipped" else 1  # a share, in the unit that stands under the pictures
        at_places = [colours_by_value.get(value, {}).get(measure, math.nan) for value in places]
        return Series(tuple(value * factor for value in at_places))

    return [
        Panel(f"{title} over {words(name)}", (series(measure),), names=names) for measure, title in MEASURES.items()
    ]


def to_csv(points: Sequence[tuple[float, int, dict[str, float]]], name: str) -> str:
    """A line per picture."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    names = list(points[0][2]) if points else list(MEASURES)
    writer.writerow([name, "picture", *names])
    for value, id, colours in points:
        writer.writerow([f"{value:g}", id, *(f"{colours[measure]:.6f}" for measure in names)])
    return written.getvalue()


def sweep_html(studio: Studio, sweep: Sweep | None, picked: int = 0) -> tuple[str, bool]:
    """The filmstrip and the curves; whether it is still drawn."""
    if sweep is None:
        return "", False
    try:
        view = canvas.view(studio.jobs.events(sweep.job))
        points = measured(studio, sweep.job, sweep.name)
    except NotFound:  # of another workspace, or its pictures are gone
        return "", False
    numbers = {round(value, 6): id for value, id, _ in points}
    pictures = {picture.id: picture for _, picture in view.pictures}
    cells = tuple(
        Cell(
            pictures.get(numbers.get(round(value, 6), 0)),
            f"{words(sweep.name)} {number(value)}",
            hint=HINT,
            job="" if view.over else sweep.job,
            place=place,
        )
        for place, value in enumerate(sweep.values)
    )
    first, last = number(sweep.values[0]), number(sweep.values[-1])
    parts = [tag("h3", text(f"{words(sweep.name).capitalize()} from {first} to {last}"))]
    if not view.over:
        count, left = len(points), time_left(view.left_s)
        parts.append(progress(f"{count} of {len(cells)} pictures", count, len(cells), left, sweep.job, count))
    whole = view.over and len(points) > 1
    if view.over and points:
        parts.append(results.tools_html())
    curves = ""
    if whole:
        both = zip(panels(points, sweep.name, sweep.values), MEASURES.values(), strict=True)
        curves = "".join(_curve(panel, title) for panel, title in both)
    film = Results(
        (cells,), columns=results.names(map(number, sweep.values)), picked=picked, label="Pictures of the sweep"
    )
    parts.append(results.film_html(film, curves))
    if whole:
        parts.append(_files(sweep.job, sweep.name))
    return tag("section", "".join(parts), class_="sweep"), not view.over


def pictures(studio: Studio, sweep: Sweep | None) -> list[Drawn]:
    """What is drawn of a sweep."""
    if sweep is None:
        return []
    try:
        return [picture for _, picture in canvas.view(studio.jobs.events(sweep.job)).pictures]
    except NotFound:
        return []


def words(name: str) -> str:
    """A parameter's name as words."""
    return name.replace("_", " ")


def _curve(panel: Panel, title: str) -> str:
    """A curve beneath the pictures, each point beneath its own; the values stand there already."""
    return tag("div", tag("h4", text(title)) + plot(panel), class_="film-curve")


def _files(job: str, name: str) -> str:
    links = "".join(
        tag("a", label, href=f"/sweeps/{job}/{name}.{kind}", download=f"palimpsest-{name}.{kind}", class_="action")
        for kind, label in (("csv", "Numbers (CSV)"), ("png", "Curves (PNG)"))
    )
    return tag("div", links, class_="actions")


def _spec(guidance: GuidanceSpec, name: str) -> ParamSpec:
    method = declarations().guidance.get(guidance.method)
    for spec in method.params if method else ():
        if spec.name == name and spec.kind in ("float", "int"):
            return spec
    raise BadInput(f"The method {shown(guidance.method)} has no number {shown(name)} to sweep.", field=name)
