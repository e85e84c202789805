"""Why a picture is as it is: its rule as a formula, what it did at each step, and what the model had in mind there."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.services import account
from studio.services.account import Account
from studio.ui.components import rule
from studio.ui.components.curves import svg
from studio.ui.components.curves.marks import class_of, marks, swatch
from studio.ui.components.curves.panel import Panel, Series
from studio.ui.components.results import Drawn
from studio.ui.errors import sentence
from studio.ui.guidance import measures, results
from studio.ui.guidance.board import MAX_ROWS, Board
from studio.ui.markup import alert, facts, image, png_uri, tag, text, typeset
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_PANELS = 14
FACTS = ("NFE", "steps", "saturation", "brightness", "contrast", "clipped")


@dataclass(frozen=True)
class Line:
    """A picture that has a line in the curves. mark: of its row, None if it is of none."""

    id: int
    mark: int | None = None


def curves(studio: Studio, id: int, lines: Sequence[Line] = ()) -> tuple[list[Panel], list[Panel]]:
    """The curves of a picture among those of others: three that tell the story, and all the rest.

    lines: in the order of the legend, with or without the picture itself. Raises NotFound without an account of it.
    """
    main_account = account.of(studio, id)
    if id not in [line.id for line in lines]:
        lines = (Line(id), *lines)
    line_accounts = [(line, line_account) for line in lines if (line_account := _account(studio, line.id)) is not None]
    names = [curve.name for curve in main_account.curves]
    first = [next((name for name in either if name in names), None) for either in measures.MAIN]
    main = [name for name in first if name is not None]
    labels = {line.id: _label(studio, line.id) for line, _ in line_accounts}

    def panel(name: str) -> Panel:
        curve = next(curve for curve in main_account.curves if curve.name == name)
        words = measures.words(name, curve.label, curve.unit)
        series = tuple(
            Series(_values(line_account, name), labels[line.id], line.mark, main=line.id == id)
            for line, line_account in line_accounts
            if line.id == id or name in main or any(curve.name == name for curve in line_account.curves)
        )
        return Panel(words.title, series, curve.plot, (), words.formula, words.hint, words.level, words.log)

    rest = [name for name in names if name not in main]
    return [panel(name) for name in main], [panel(name) for name in rest[:MAX_PANELS]]


def beside(address: str) -> list[Line]:
    """Read the lines of an address, "12.0,13.1": number of a picture, a dot, its mark. Raises BadInput."""
    pairs = re.findall(r"(\d{1,18})\.([0-7])(?:,|$)", address)
    if ",".join(f"{id}.{mark}" for id, mark in pairs) != address or len(pairs) > MAX_ROWS:
        raise BadInput(f"The pictures to compare with are like 12.0,13.1, up to {MAX_ROWS}, not {shown(address)}.")
    return [Line(int(id), int(mark)) for id, mark in pairs]


def why_html(studio: Studio, board: Board, pictures: Mapping[tuple[int, str], Drawn]) -> str:
    """The panel of the picture that is shown, without its thumbnails. "" for none."""
    id = board.picture_id
    if not id:
        return ""
    try:
        generation = studio.history.get(id)
        steps_account = account.of(studio, id)
        marks_by_row, seed = marks(row.id for row in board.rows), str(generation.recipe.seed)
        lines = [
            Line(pictures[row.id, seed].id, marks_by_row[row.id]) for row in board.rows if (row.id, seed) in pictures
        ]
        main, rest = curves(studio, id, lines)
        picture = Drawn(id, address(id, generation.sha256), generation.recipe)
        mark = next((line.mark for line in lines if line.id == id), None)
        left = _picture(studio, picture, steps_account, mark, lines)
    except StudioError as error:
        return alert(sentence(error))
    title = tag("h2", "Why this picture")
    if not main:
        nothing = (
            "Nothing to measure: the model was asked for its prediction with the prompt alone, and nothing pushed it."
        )
        right = tag("p", nothing, class_="hint")
    else:
        right = svg.legend(main[0].series) if len(main[0].series) > 1 else ""
        right += "".join(svg.figure(panel) for panel in main)
    both = tag("div", left + tag("div", right, class_="why-curves"), class_="why-pair")
    return tag("section", title + both + (_all(rest) if main else ""), class_="why curves")


def strip_html(studio: Studio, id: int) -> str:
    """What the model had in mind at some of the steps, decoded now."""
    if not id:
        return ""
    try:
        png, steps = account.strip(studio, id)
    except StudioError as error:
        return alert(sentence(error))
    frames = "".join(
        tag(
            "figure",
            image(png_uri(frame), f"Guided prediction at step {step}") + tag("figcaption", text(f"step {step}")),
        )
        for frame, step in zip(_cut(png, len(steps)), steps, strict=True)
    )
    title = tag("h3", "Predicted picture along the way")
    hint = tag("p", "The guided prediction of the finished picture, as it stood at these steps.")
    return tag("div", title + hint + tag("div", frames, class_="frames", style=f"--count:{len(steps)}"), class_="strip")


def _picture(studio: Studio, picture: Drawn, steps_account: Account, mark: int | None, lines: Sequence[Line]) -> str:
    recipe = picture.recipe
    alt = f"{recipe.prompt or 'without a prompt'}: {_label(studio, picture.id)}, seed {recipe.seed}"
    frame = tag("div", image(picture.src, alt, width=recipe.width, height=recipe.height), class_="frame")
    name = tag("p", swatch(mark) + tag("span", text(_label(studio, picture.id))), class_="card-name")
    formula = tag("p", text(typeset(steps_account.describe)), class_="formula")
    numbers = facts([("seed", recipe.seed), *results.measures(studio, picture, FACTS).items()], "facts measures")
    beside = ",".join(f"{line.id}.{line.mark}" for line in lines)
    links = (("csv", "Numbers (CSV)", ""), ("png", "Curves (PNG)", f"?beside={beside}" if beside else ""))
    files = "".join(
        tag(
            "a",
            label,
            href=f"/accounts/{picture.id}.{kind}{query}",
            class_="action",
            download=f"palimpsest-{picture.id:05d}-steps.{kind}",
        )
        for kind, label, query in links
    )
    inner = frame + name + formula + numbers + tag("div", files, class_="actions")
    return tag("div", inner, class_=f"why-picture {class_of(mark)}")


def _all(panels: Sequence[Panel]) -> str:
    """The other curves, out of the way."""
    figures = tag("div", "".join(svg.figure(panel) for panel in panels), class_="plots")
    symbols = tag("p", text(measures.SYMBOLS), class_="hint")
    return tag(
        "details", tag("summary", "All measures") + symbols + figures, class_="all-measures", data_keep="measures"
    )


def _cut(png: bytes, count: int) -> list[bytes]:
    from PIL import Image

    frames: list[bytes] = []
    with Image.open(io.BytesIO(png)) as strip:
        wide = strip.width // count
        for k in range(count):
            written = io.BytesIO()
            strip.crop((k * wide, 0, (k + 1) * wide, strip.height)).save(written, format="png")
            frames.append(written.getvalue())
    return frames


def _label(studio: Studio, id: int) -> str:
    return rule.label(studio.history.get(id).recipe.guidance)


def _values(steps_account: Account, name: str) -> tuple[float, ...]:
    """Of a number that is not told, nothing: a line without points, of which the plot says that it is not there."""
    return next((curve.values for curve in steps_account.curves if curve.name == name), ())


def _account(studio: Studio, id: int) -> Account | None:
    try:
        return account.of(studio, id)
    except NotFound:
        return None
