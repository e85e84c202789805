"""Reports: one file that opens anywhere, holds no text that acts, and is drawn again to the bit by whoever gets it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_of_folder
from studio.services.comparisons.comparison import Column, Comparison, Row
from studio.services.comparisons.share.file import read
from studio.services.comparisons.share.sheet import KEY
from studio.services.studio import Studio
from tests.engine.edits.making import make_edit
from tests.services.waiting import wait_for

Draw = Callable[..., Recipe]
ATTACKS = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '<img src="data:image/png;base64,AAAA" alt="" data-image="' + "0" * 64 + '">',
    "<!-- ]]> &lt; \u2028 ' \\u003c/script>",
)


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


@pytest.fixture
def fresh(settings: Settings, tmp_path: Path) -> Iterator[Studio]:
    """Another workspace, of somebody else."""
    with Studio(settings.model_copy(update={"workspace": tmp_path / "theirs"}), backend="inline") as made:
        yield made


def drawn(studio: Studio, draw: Draw, with_edit: bool = True) -> Comparison:
    rows = [Row(name=ATTACKS[0], recipe=draw(), source=ATTACKS[1]), Row(recipe=draw(steps=4))]
    if with_edit:
        shapes = layout_of_folder(studio.settings.model_dir).components["unet"]
        edit = make_edit({path: shape for path, shape in shapes.items() if ".attn2." in path}, seed=1, name="No stars")
        stored = studio.archive.edits.put(edit.name, edit.sha256, to_bytes(edit))
        rows.append(Row(recipe=draw(edits=[EditRef(edit=stored.id).model_dump()])))
    rows.append(Row(name="gone", recipe=draw(model="nowhere")))
    columns = tuple(Column(prompt=f"a red star {prompt}"[:200], seed=k) for k, prompt in enumerate(ATTACKS))
    comparison = Comparison(name=ATTACKS[3], rows=tuple(rows), columns=columns)
    for job in studio.comparisons.draw(comparison):
        wait_for(studio, job, "done")
    return comparison


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_report_is_drawn_again_to_the_bit_in_a_fresh_workspace(
    studio: Studio, fresh: Studio, draw: Draw, tmp_path: Path
) -> None:
    comparison = drawn(studio, draw)
    wait_for(studio, studio.comparisons.read(comparison), "done")
    path = tmp_path / "report.html"
    path.write_bytes(studio.shares.html(comparison))
    result = fresh.shares.replay(path)
    assert result.identical and len(result.cells) == 12
    assert result.sentence() == "Bit-identical: all 12 pictures are the same to the last pixel."
    (entry,) = fresh.edits.list()
    assert entry.id == studio.edits.list()[0].id
    restored = fresh.shares.restore(path)
    assert restored.comparison == comparison and restored.edits == () and restored.remarks == ()
    assert [cell.state for cell in fresh.comparisons.cells(comparison)[2]] == ["drawn"] * 4


def test_what_differs_is_counted_and_told_with_its_cause(
    studio: Studio, fresh: Studio, draw: Draw, tmp_path: Path
) -> None:
    comparison = drawn(studio, draw, with_edit=False)
    report = studio.shares.report(comparison)
    cell = report.contents.cells[0][0]
    assert cell is not None
    batch = report.contents.batches[cell.batch]
    other = batch.recipes[cell.place].model_copy(update={"seed": 77})
    recipes = tuple(other if place == cell.place else recipe for place, recipe in enumerate(batch.recipes))
    contents = report.contents.model_copy(
        update={
            "batches": (batch.model_copy(update={"recipes": recipes}),),
            "made_by": tuple({**values, "torch": "0.1"} for values in report.contents.made_by),
        }
    )
    replayed = fresh.shares._restorer.replay(type(report)(contents, report.pictures))
    assert not replayed.identical and [cell.identical for cell in replayed.cells].count(False) == 1
    assert "7 of 8 pictures are the same" in replayed.sentence() and "the version of torch (0.1" in replayed.sentence()


def test_no_text_of_a_user_acts_in_a_report(studio: Studio, draw: Draw) -> None:
    comparison = drawn(studio, draw)
    page = studio.shares.html(comparison).decode()
    tags = Page(page).tags
    scripts = [attributes for name, attributes in tags if name == "script"]
    assert scripts == [{"type": "application/json", "id": "palimpsest-comparison"}]
    assert {attributes["src"][:22] for name, attributes in tags if name == "img" and attributes["src"]} == {
        "data:image/png;base64,"
    }
    assert sum(name == "img" for name, _ in tags) == 12
    for _, attributes in tags:
        assert not any(attribute.startswith("on") or attribute in ("href", "action") for attribute in attributes)
    assert not [name for name, _ in tags if name in ("link", "iframe", "object", "a", "form", "base")]
    policy = next(values for name, values in tags if values.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'") and "http:" not in page and "https:" not in page
    assert read(page.encode()).contents.comparison == comparison


def test_a_report_says_numbers_with_their_n_and_what_is_missing(studio: Studio, draw: Draw) -> None:
    comparison = drawn(studio, draw)
    wait_for(studio, studio.comparisons.read(comparison), "done")
    page = studio.shares.html(comparison).decode()
    for words in ("n = 4", "Prompt accuracy", "the reference", "steps: 3 → 4", "No stars".lower().replace(" ", "-")):
        assert words in page
    assert "nowhere" in page  # why the last row has no pictures
    facts = read(page.encode()).contents.facts
    assert [row["pictures"] for row in facts["rows"]] == [4, 4, 4, 0] and facts["unit"] == "prompts"


def altered(page: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    pattern = r'(<script type="application/json" id="palimpsest-comparison">)([^<]*)(</script>)'
    match = re.search(pattern, page)
    assert match is not None
    values = json.loads(match[2])
    change(values)
    plain = json.dumps(values).replace("<", "\\u003c")
    return (page[: match.start(2)] + plain + page[match.end(2) :]).encode()


def test_bad_reports_are_refused_in_one_sentence_and_leave_nothing(
    studio: Studio, fresh: Studio, draw: Draw, tmp_path: Path
) -> None:
    comparison = drawn(studio, draw)
    page = studio.shares.html(comparison).decode()

    def other_edit(values: dict[str, Any]) -> None:
        values["edits"][0]["sha256"] = "ab" * 32

    def not_an_edit(values: dict[str, Any]) -> None:
        values["edits"][0]["data"] = base64.b64encode(b"\x80\x04pickle").decode()

    def broken_edit(values: dict[str, Any]) -> None:
        data = bytearray(base64.b64decode(values["edits"][0]["data"]))
        data[-1] ^= 1
        values["edits"][0]["data"] = base64.b64encode(bytes(data)).decode()

    def no_model(values: dict[str, Any]) -> None:
        for recipe in values["batches"][0]["recipes"]:
            recipe["model"] = "elsewhere"

    cases: list[tuple[bytes, str]] = [
        (page[: len(page) // 2].encode(), "was cut short"),
        (page.encode()[:-9], "was cut short"),
        (b"<!doctype html><html><body>hello</body></html>", "holds no comparison of ours"),
        (b"", "holds no comparison of ours"),
        (b"\xff\xfe\x00", "holds no comparison of ours"),
        (page.replace('id="palimpsest-comparison"', 'id="x"').encode(), "is damaged"),
        (re.sub(r"(base64,iVBOR)", r"\1AAAA", page, count=1).encode(), "one of its pictures is not the one"),
        (re.sub(r"<figure>.*?</figure>", "", page, count=1).encode(), "a picture that it speaks of is not in it"),
        (altered(page, lambda values: values.update(version=2)), "is of version 2"),
        (altered(page, lambda values: values.update(format="x")), "holds no comparison of ours"),
        (altered(page, lambda values: values.update(more=1)), "has no field 'more'"),
        (altered(page, lambda values: values["comparison"]["rows"][0]["recipe"].update(steps=0)), "steps must be"),
        (altered(page, lambda values: values["cells"].pop()), "cells are not 4 rows of 4"),
        (altered(page, lambda values: values.update(batches=[])), "drawn in nothing that it tells of"),
        (altered(page, other_edit), "another than it says"),
        (altered(page, not_an_edit), "is damaged, or no edit of ours"),
        (altered(page, broken_edit), "is damaged, or no edit of ours"),
        (altered(page, no_model), "elsewhere"),
    ]
    for number, (data, sentence) in enumerate(cases):
        path = tmp_path / f"case-{number}.html"
        path.write_bytes(data)
        with pytest.raises((BadInput, NotFound)) as refused:
            fresh.shares.replay(path)
        assert sentence in str(refused.value) and "\n" not in str(refused.value), (number, str(refused.value))
        assert fresh.edits.list() == [], number
    assert fresh.jobs.newest() == []
    with pytest.raises(BadInput, match="There is no file"):
        fresh.shares.restore(tmp_path / "none.html")
    empty = Comparison(rows=(Row(recipe=draw()),))
    with pytest.raises(BadInput, match="Nothing of this comparison is drawn yet"):
        fresh.shares.html(empty)


def test_sheets_show_every_picture_and_carry_the_comparison(studio: Studio, draw: Draw) -> None:
    comparison = drawn(studio, draw)
    report = studio.shares.report(comparison)
    with Image.open(io.BytesIO(studio.shares.png(comparison))) as sheet:
        assert Comparison.from_json(sheet.text[KEY]) == comparison  # type: ignore[attr-defined]
        pixels = sheet.convert("RGB").tobytes()
        cell = report.contents.cells[2][3]
        assert cell is not None
        with Image.open(io.BytesIO(report.pictures[cell.image])) as picture:
            row = picture.convert("RGB").crop((0, 5, picture.width, 6)).tobytes()
        assert row in pixels
    further = tuple(Column(seed=seed) for seed in range(8))  # not drawn: their places are blank
    many = comparison.model_copy(update={"columns": (comparison.columns[0], *further)})
    pdf = studio.shares.pdf(many)
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", pdf)) == 2
