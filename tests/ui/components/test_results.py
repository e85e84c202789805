"""Pictures side by side: every state of a cell, in every layout."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from PIL import Image

from studio.core.recipe import Recipe
from studio.ui.components import canvas, results
from studio.ui.components.canvas import JobView
from studio.ui.components.results import Cell, Drawn, Head, Results
from studio.ui.markup import png_size

EVIL = "<b>x</b>"


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "png")
    return file.getvalue()


def drawn(id: int, **recipe: object) -> Drawn:
    return Drawn(id, f"/pictures/{id}.png", Recipe.load({"prompt": EVIL, **recipe}))


DONE = Cell(drawn(3, width=64, height=96), EVIL, (("NFE", EVIL),), mark=1)
DRAWING = Cell(name="b", facts=(("NFE", "–"),), job="j", place=4, preview=png(32, 48))
WAITING = Cell(name="c", job="j", place=5, size=(64, 96))
REFUSED = Cell(name="d", problem=f"Not with {EVIL}.")
NOTHING = Cell(name="e")
EVERY = (DONE, DRAWING, WAITING, REFUSED, NOTHING)


def tree(html: str) -> ET.Element:
    """Well formed but for attributes without a value and tags without an end."""
    whole = re.sub(r"<img([^>]*)>", r"<img\1/>", html)
    return ET.fromstring(re.sub(r" (hidden|disabled|selected)(?=[ >])", r' \1=""', f"<div>{whole}</div>"))


LAYOUTS = {
    "sheet": results.sheet_html(Results((EVERY,), picked=3)),
    "cards": results.cards_html(Results((EVERY,), picked=3)),
    "table": results.table_html(Results((EVERY,), (Head(EVIL, 0, EVIL),), results.names(range(5)), picked=3)),
    "grid": results.grid_html(Results((EVERY,), (Head(EVIL),), results.names(range(5)), picked=3)),
    "film": results.film_html(Results((EVERY,), columns=results.names(range(5)), picked=3)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_state_of_a_cell_is_told_apart_and_by_name(layout: str) -> None:
    html = LAYOUTS[layout]
    frames = [one for one in tree(html).iter() if "frame" in str(one.get("class")).split()]
    assert [one.tag for one in frames] == ["button", "div", "div", "div", "div"]
    done, drawing, waiting, refused, nothing = frames
    assert done.get("data-pick") == "3" and done.get("aria-pressed") == "true" and done.get("data-name") == EVIL
    assert done[0].get("alt") == f"{EVIL}: {EVIL}" and done[0].get("width") == "64"
    assert (drawing.get("data-watch"), drawing.get("data-place")) == ("j", "4") and len(drawing) == 1
    assert (waiting.get("aria-label"), waiting.get("style")) == ("To be drawn", "--shape:64/96")
    assert "".join(refused.itertext()) == f"Not with {EVIL}." and nothing.get("aria-label") == "Not drawn"
    assert EVIL not in html


def test_a_table_names_its_rows_and_columns_for_everybody() -> None:
    table = tree(LAYOUTS["table"])
    assert [one.get("scope") for one in table.iter("th")] == ["col"] * 5 + ["rowgroup"]
    grid = tree(LAYOUTS["grid"])
    assert [one.get("scope") for one in grid.iter("th")] == ["col"] * 5 + ["row"]
    for html in (LAYOUTS["table"], LAYOUTS["grid"], LAYOUTS["film"]):
        assert 'tabindex="0" role="group" aria-label="Pictures"' in html


def test_nothing_moves_when_a_picture_comes() -> None:
    before = results.cards_html(Results(((replace(DONE, picture=None),),)))
    assert "<dt>NFE</dt>" in before and 'aria-hidden="true" class="yet"' in before
    assert results.cards_html(Results(((DONE,),))).count("<dt>NFE</dt>") == 1


def test_a_picture_alone_is_no_button() -> None:
    assert "<button" not in results.sheet_html(Results(((DONE,),)), alone=True)


def test_what_needs_a_reference_is_hidden_until_one_is_pinned() -> None:
    tools = tree(results.tools_html()).iter("button")
    assert {str(one.get("data-tool")) for one in tools if one.get("hidden") is not None} == {"flip", "difference"}


def test_a_preview_keeps_the_shape_of_its_picture() -> None:
    assert png_size(png(32, 48)) == (32, 48) and png_size(b"") == png_size(b"\x89PNG") == (0, 0)
    job = JobView("running", images=2, image=0, step=1, steps=4, preview=png(32, 48))
    assert canvas.job_html(job, "j").count("--shape:32/48") == 1
    assert canvas.job_html(replace(job, preview=b""), "j", (64, 96)).count("--shape:64/96") == 2


def test_from_one_of_a_batch_one_gets_to_the_next_and_to_all() -> None:
    class Picture:
        id, sha256, recipe, job_id = 5, "ab" * 32, Recipe(), "j"

    four, five, nine = (drawn(id, seed=id, width=96, height=64) for id in (4, 5, 9))
    html = canvas.picture_html(Picture(), (four, five, nine))  # type: ignore[arg-type]
    assert re.findall(r'data-pick="(\d)"', html) == ["4", "9"] and "2 of 3" in html and 'data-all="4,5,9"' in html
    walk = next(part for part in tree(html).iter() if part.get("class") == "walk")
    batch = json.loads(walk.get("data-batch") or "")  # what the viewer goes through
    assert [picture["id"] for picture in batch] == ["4", "5", "9"]
    assert batch[2]["src"] == "/pictures/9.png" and batch[2]["alt"] == f"{EVIL}: seed 9" and EVIL not in html
    assert (batch[2]["name"], batch[2]["size"]) == ("seed 9", "96x64")
    assert "data-walk" not in canvas.picture_html(Picture(), (five,))  # type: ignore[arg-type]
    assert "data-walk" not in canvas.picture_html(Picture(), (four, nine))  # type: ignore[arg-type]
