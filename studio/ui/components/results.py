"""Pictures side by side, in rows and columns: picked, zoomed as one, flipped against a pinned one, subtracted from it.

A cell holds a picture, or the place of one that is being drawn, failed, or was refused. What a cell is called comes
from the recipe of its picture, never from a form, which may have moved on since. Whatever shows several pictures is
drawn here: as a sheet, as cards, as a table, as a filmstrip. results.js has what is done in the browser; the host's
script is `script(event)`, and the event tells {id} of the picture that was picked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.core.recipe import Recipe
from studio.ui.components.caption import prompt_of
from studio.ui.components.curves.marks import class_of, swatch
from studio.ui.markup import facts, image, png_uri, tag, text

_VIEWER, _SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("viewer.js", "results.js"))
TOOLS = (  # what is done, on the button, in words, and whether only where a reference is pinned
    ("full", "Full screen", "Larger, one after the other, with its numbers (V, or a double click)", False),
    ("out", "−", "Zoom out, all pictures alike", False),
    ("fit", "100 %", "Whole pictures again", False),
    ("in", "+", "Zoom in, all pictures alike; drag to move them", False),
    ("pin", "Pin", "Compare the others with the picture that is picked", False),
    ("flip", "Flip", "Hold to see the pinned picture in the place of each (or hold R)", True),
    ("difference", "Difference", "What differs from the pinned picture, four times as strong", True),
)


@dataclass(frozen=True)
class Drawn:
    """A finished picture of a job.

    id: its number in the history.
    src: its address.
    recipe: what it was made with.
    """

    id: int
    src: str
    recipe: Recipe


@dataclass(frozen=True)
class Cell:
    """A picture, or the place of one.

    picture: None as long as nothing was drawn.
    name: what it is called, by its recipe.
    facts: (name, value) beneath it.
    job: that draws it, "" for none.
    place: in that job, from 0.
    preview: how far it is, as PNG; b"" for nothing to see yet.
    busy: whether it is the one that is being drawn.
    problem: why there is none, a sentence.
    size: (width, height) in pixels that it will have; (0, 0) while that is unknown.
    mark: its colour and line, see curves/marks.py.
    hint: what the picture is picked for.
    note: a sentence beneath, where it is no more what one would take it for.
    """

    picture: Drawn | None = None
    name: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    job: str = ""
    place: int = 0
    preview: bytes = b""
    busy: bool = False
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    mark: int | None = None
    hint: str = "Show alone"
    note: str = ""


@dataclass(frozen=True)
class Head:
    """What stands over a row or beside it.

    name: of the row.
    mark: its colour and line.
    fact: what is the same for all of its pictures.
    row: its number, where others are compared with it (`Results.reference`); 0 for none.
    detail: HTML in the place of the name, where there is more to a row than that.
    training: of which its pictures show a step, "" for none.
    step: that step.
    """

    name: str
    mark: int | None = None
    fact: str = ""
    row: int = 0
    detail: str = ""
    training: str = ""
    step: int = 0


@dataclass(frozen=True)
class Results:
    """Rows of cells.

    cells: each row as long as `columns`, where there are any.
    rows: heads of rows, as many as these; none for a sheet.
    columns: what stands over each column.
    picked: number of the picture that is picked, 0 for none.
    label: what all of it is, for those who do not see it.
    reference: number of the row whose pictures the others are compared with, each with the one of its column; 0 where
        a picture is pinned by whoever looks.
    """

    cells: tuple[tuple[Cell, ...], ...]
    rows: tuple[Head, ...] = ()
    columns: tuple[str, ...] = ()
    picked: int = 0
    label: str = "Pictures"
    reference: int = 0

    @property
    def pictures(self) -> list[Drawn]:
        """Those that are drawn, row after row."""
        return [cell.picture for row in self.cells for cell in row if cell.picture is not None]


def script(event: str) -> str:
    """What the host of results does. event: what a click on a picture triggers, with {id}."""
    return f"const PICKED = {event!r};\n{_VIEWER}\n{_SCRIPT}"


def viewer_script() -> str:
    """What looks at pictures closely, for a host that is none of results (views.py)."""
    return _VIEWER


# -- as a whole -----------------------------------------------------------------------------------------------------


def sheet_html(results: Results, alone: bool = False) -> str:
    """All cells in a square of columns. alone: a single picture, which is picked no further."""
    cells = [cell for row in results.cells for cell in row]
    columns = 1 if len(cells) == 1 else 2 if len(cells) <= 4 else 3 if len(cells) <= 9 else 4
    frames = "".join(frame_html(cell, results.picked, alone=alone) for cell in cells)
    return tag("div", frames, class_="sheet", style=f"--columns:{columns}")


def cards_html(results: Results) -> str:
    """Each cell with its name above and its facts beneath, beside each other as there is room."""
    cards = "".join(
        tag("div", _name(cell.name, cell.mark) + _figure(cell, results.picked), class_=f"card {class_of(cell.mark)}")
        for row in results.cells
        for cell in row
    )
    return tag("div", cards, class_="cards", role="group", aria_label=results.label)


def table_html(results: Results) -> str:
    """A table with the columns' heads on top; a row's head is above its pictures."""
    head = tag("tr", "".join(tag("th", text(column), scope="col") for column in results.columns))
    body = ""
    for row, cells in zip(results.rows, results.cells, strict=True):
        fact = tag("span", text(row.fact), class_="cost") if row.fact else ""
        title = tag("th", _name(row.name, row.mark, "span") + fact, colspan=len(cells), scope="rowgroup")
        pictures = "".join(tag("td", _figure(cell, results.picked)) for cell in cells)
        body += tag("tbody", tag("tr", title) + tag("tr", pictures), class_=class_of(row.mark))
    table = tag("table", tag("thead", head) + body, style=f"--count:{len(results.columns)}")
    return _scrolls(table, "rows-of-pictures", results.label)


def grid_html(results: Results) -> str:
    """A table with the rows' heads at the left; without any, of a single row. Facts stand beneath pictures that have
    some.
    """
    corner = tag("td", "") if results.rows else ""
    head = tag("tr", corner + "".join(tag("th", text(column), scope="col") for column in results.columns))
    rows = ""
    for k, cells in enumerate(results.cells):
        row = results.rows[k] if results.rows else None
        title = tag("th", row.detail or text(row.name), scope="row") if row else ""
        pictures = (
            _figure(cell, results.picked) if cell.facts or cell.note else frame_html(cell, results.picked)
            for cell in cells
        )
        rows += tag("tr", title + "".join(tag("td", picture) for picture in pictures), **_about(row))
    table = tag(
        "table",
        tag("thead", head) + tag("tbody", rows),
        style=f"--count:{len(results.columns)};--rows:{len(results.cells)}",
        data_reference=str(results.reference) if results.reference else None,
    )
    return _scrolls(table, "table", results.label)


def _about(row: Head | None) -> dict[str, str | None]:
    """What the views know a row by (views.js)."""
    if row is None or not row.row:
        return {}
    step = {"data_training": row.training, "data_step": str(row.step)} if row.training else {}
    return {
        "data_row": str(row.row),
        "data_name": row.name,
        "class_": None if row.mark is None else class_of(row.mark),
        **step,
    }


def film_html(results: Results, beneath: str = "") -> str:
    """One row of pictures, the columns' names beneath each. beneath: HTML below them, as wide."""
    (cells,) = results.cells
    figures = "".join(
        tag("figure", frame_html(cell, results.picked) + tag("figcaption", text(column)))
        for cell, column in zip(cells, results.columns, strict=True)
    )
    return _scrolls(tag("div", figures, class_="film") + beneath, "film-scroll", results.label, len(cells))


def tools_html(leading: str = "") -> str:
    """What can be done with all pictures at once. leading: HTML before it."""
    buttons = "".join(
        tag(
            "button",
            label,
            type="button",
            class_="small",
            data_tool=tool,
            title=title,
            aria_label=None if label.isalpha() or " " in label else title,
            hidden=pinned,
            aria_pressed="false" if tool in ("pin", "difference") else None,
        )
        for tool, label, title, pinned in TOOLS
    )
    reference = tag("span", "", class_="reference", role="status")
    return tag(
        "div",
        leading + tag("div", reference + buttons, class_="tools", role="group", aria_label="Look closer"),
        class_="result-tools",
    )


# -- one picture ----------------------------------------------------------------------------------------------------


def frame_html(cell: Cell, picked: int = 0, alone: bool = False) -> str:
    """A cell without its facts: a button where it is a picture, unless it stands alone."""
    if cell.picture is None:
        return _place(cell)
    picture, recipe = cell.picture, cell.picture.recipe
    alt = ": ".join(part for part in (prompt_of(recipe), cell.name) if part)
    picture_html = image(picture.src, alt, width=recipe.width, height=recipe.height, loading="lazy")
    about = {"data_picture": str(picture.id), "data_name": cell.name or f"seed {recipe.seed}"}
    if alone:
        return tag("div", picture_html, class_="frame done", **about)
    return tag(
        "button",
        picture_html,
        type="button",
        class_="frame done",
        data_pick=str(picture.id),
        title=cell.hint,
        aria_pressed=str(picture.id == picked).lower(),
        **about,
    )


def viewed(cell: Cell) -> dict[str, str]:
    """A picture that is not on the page, as viewer.js shows it. Its address is as of those that are."""
    assert cell.picture is not None
    picture, recipe = cell.picture, cell.picture.recipe
    return {
        "id": str(picture.id),
        "name": cell.name,
        "src": picture.src,
        "alt": f"{prompt_of(recipe)}: {cell.name}",
        "size": f"{recipe.width}x{recipe.height}",
        "caption": "",
    }


def _place(cell: Cell) -> str:
    """A place for a picture, in its shape. What draws it fills it in: see studio.ui.watch."""
    about = {"data_watch": cell.job, "data_place": str(cell.place)} if cell.job else {}
    shape = f"--shape:{cell.size[0]}/{cell.size[1]}" if all(cell.size) else None
    if cell.preview:
        preview = image(png_uri(cell.preview), "Preview of the picture being drawn")
        return tag("div", preview, class_="frame live", style=shape, **about)
    if cell.problem:
        return tag("div", tag("p", text(cell.problem)), class_="frame blank ruled problem", style=shape)
    label = "To be drawn" if cell.job else "Not drawn"
    inner = "" if cell.job else tag("span", "not drawn")
    return tag(
        "div",
        inner,
        class_="frame blank ruled" + " busy" * cell.busy,
        style=shape,
        role="img",
        aria_label=label,
        **about,
    )


def _figure(cell: Cell, picked: int) -> str:
    """A picture with its facts; where there is none yet, the room for them is kept, so that nothing moves later."""
    facts_html = facts(cell.facts, "facts measures")
    note = tag("p", text(cell.note), class_="note") if cell.note else ""
    if cell.picture is None:
        return tag("figure", frame_html(cell) + tag("div", facts_html, aria_hidden="true", class_="yet"))
    return tag("figure", frame_html(cell, picked) + tag("figcaption", facts_html + note))


def _name(name: str, mark: int | None, element: str = "p") -> str:
    return tag(element, swatch(mark) + tag("span", text(name)), class_="card-name")


def _scrolls(inner: str, class_: str, label: str, count: int = 0) -> str:
    """Wider than its place, it scrolls there; so keys must be able to get at it."""
    style = f"--count:{count}" if count else None
    return tag("div", inner, class_=class_, style=style, tabindex="0", role="group", aria_label=label)


def names(values: Iterable[object]) -> tuple[str, ...]:
    """Values as the names of columns."""
    return tuple(map(str, values))
