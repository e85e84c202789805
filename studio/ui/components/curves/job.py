"""The measures of a job as curves, while it runs and afterwards: its `measure` events, and those kept of a training."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.services import trainings
from studio.ui.components.curves import paper, svg
from studio.ui.components.curves.panel import Panel, Series, thinned
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.studio import Studio

Point = Mapping[str, Any]  # {"step": 1.., "values": name -> number}
# For a host of buttons [data-curves]: they open a window of `window_html`.
SCRIPT = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
# For a host of `inline_html`.
INLINE = Path(__file__).with_name("inline.js").read_text(encoding="utf-8")
OF_BASE = (" of the base", ", base")  # how a measure ends that is the base's
FIRST = "loss"  # where there is one, it is what one looks at first


def points(studio: Studio, job_id: str) -> list[Point]:
    """The measures of a job so far, by step. Raises NotFound for the job.

    Those of a training that was gone on with begin in its file; what was measured again since counts.
    """
    job = studio.jobs.get(job_id)
    stored = studio.trainings.curves(job) if job.kind == trainings.KIND else []
    return merged(stored, studio.jobs.events(job_id))


def merged(stored: Sequence[Point], events: Sequence[Event]) -> list[Point]:
    """The points of a file, and those that were told since."""
    measured = [event.data for event in events if event.kind == "measure"]
    first = measured[0]["step"] if measured else math.inf
    return [*(point for point in stored if point["step"] < first), *measured]


def panels(measured: Sequence[Point]) -> list[Panel]:
    """A plot for each name, in the order in which they came up, the loss before all others.

    What is measured of the base too has its line beside it.
    """
    names = list(dict.fromkeys(name for point in measured for name in point["values"]))
    names.sort(key=lambda name: name != FIRST)
    base_of = {name.removesuffix(ending): name for name in names for ending in OF_BASE if name.endswith(ending)}
    pairs = {name: base_of[name] for name in names if name in base_of}
    plotted: list[Panel] = []
    for name in names:
        if name in pairs.values():
            continue
        lines = (_series(measured, name),)
        if name in pairs:
            beside = replace(_series(measured, pairs[name]), label="of the base", mark=1, main=False)
            lines = (replace(lines[0], label="now", mark=0), beside)
        plotted.append(Panel(name[:1].upper() + name[1:], lines))
    return plotted


def curves_html(measured: Sequence[Point], job_id: str) -> str:
    """The plots, and where their numbers can be had; a sentence before there is anything to plot."""
    plotted = panels(measured)
    if not plotted:
        return tag("p", "The first measures come with the first steps.", class_="empty-line")
    plots = tag("div", "".join(svg.figure(panel) for panel in plotted), class_="plots")
    beside = next((panel for panel in plotted if len(panel.series) > 1), None)
    legend = svg.legend(beside.series) if beside is not None else ""
    return tag("section", legend + plots + files_html(job_id), class_="curves")


def files_html(job_id: str) -> str:
    """Links to the numbers and to the picture of a job's curves."""
    kinds = (("csv", "Numbers (CSV)"), ("png", "Curves (PNG)"))
    links = "".join(
        tag("a", label, href=f"/curves/{job_id}.{kind}", download=f"palimpsest-{job_id}.{kind}", class_="action")
        for kind, label in kinds
    )
    return tag("div", links, class_="actions")


def to_csv(measured: Sequence[Point]) -> str:
    """A line per point, a column per name; empty where a point does not tell."""
    names = list(dict.fromkeys(name for point in measured for name in point["values"]))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["step", *names])
    for point in measured:
        writer.writerow(
            [point["step"], *(f"{point['values'][name]:.6g}" if name in point["values"] else "" for name in names)]
        )
    return table.getvalue()


def to_png(measured: Sequence[Point], title: str) -> bytes:
    """The same plots on paper."""
    main, *rest = panels(measured)
    return paper.png([main], rest, title=title)


def window_html(studio: Studio, job_id: str) -> str:
    """The curves of a job under its name, as they are now. Raises NotFound."""
    job = studio.jobs.get(job_id)
    head = tag("h2", text(job.description), data_over=job.over)
    return head + curves_html(points(studio, job_id), job_id)


def inline_html(studio: Studio, job_id: str) -> str:
    """The curves of a job in a place of their own, which are drawn anew while it runs. Raises NotFound."""
    return tag("div", window_html(studio, job_id), class_="curves-inline", data_curves_of=job_id)


def _series(measured: Sequence[Point], name: str) -> Series:
    values = [(float(point["step"]), float(point["values"][name])) for point in measured if name in point["values"]]
    return thinned(Series(tuple(y for _, y in values), name, x=tuple(x for x, _ in values)))
