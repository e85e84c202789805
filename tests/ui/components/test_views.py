"""Further views of a table of results: what they are made of, and that every control has a name."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from studio.ui.components import results, views
from studio.ui.components.results import Cell, Head, Results
from tests.ui.components.test_results import DONE, EVIL, NOTHING, REFUSED, drawn, tree


def test_a_table_names_its_rows_their_reference_and_the_steps_of_a_training() -> None:
    heads = (Head(EVIL, row=4, detail="<b>mine</b>"), Head("b", row=7, training="t", step=20), Head("c"))
    cells = ((DONE, NOTHING), (REFUSED, Cell(drawn(9), note=EVIL)), (NOTHING, NOTHING))
    table = tree(results.grid_html(Results(cells, heads, ("x", "y"), reference=7)))
    (inner,) = table.iter("table")
    assert inner.get("data-reference") == "7" and inner.get("style") == "--count:2;--rows:3"
    rows = [row for row in table.iter("tr")][1:]
    assert [(row.get("data-row"), row.get("data-name")) for row in rows] == [("4", EVIL), ("7", "b"), (None, None)]
    assert [row.get("data-training") for row in rows] == [None, "t", None] and rows[1].get("data-step") == "20"
    first = rows[0].find("th")
    assert first is not None and first.find("b") is not None and first.get("scope") == "row"
    # Facts stand beneath a picture that has some, and the room for them where one is to come.
    assert len(list(rows[0].iter("figcaption"))) == 1 and len(list(rows[1].iter("figcaption"))) == 1
    assert "data-reference" not in results.grid_html(Results(((DONE,),), columns=("x",)))


def test_every_view_has_a_button_a_key_and_whatever_can_be_told_it_has_a_name() -> None:
    html = views.views_html()
    page = ET.fromstring(re.sub(r" (hidden)(?=[ >])", r' \1=""', re.sub(r"<input([^>]*)>", r"<input\1/>", html)))
    radios = [one for one in page.iter() if one.get("role") == "radio"]
    assert [one.get("data-view") for one in radios] == [view.id for view in views.VIEWS]
    assert [one.get("aria-checked") for one in radios].count("true") == 1
    assert [one.get("tabindex") for one in radios].count("0") == 1
    assert list(views.keys()) == [str(number) for number in range(1, len(views.VIEWS) + 1)]
    ids = {view.id for view in views.VIEWS}
    for one in page.iter():
        if (shown_in := one.get("data-for")) is not None:
            assert set(shown_in.split()) <= ids
        if one.tag in ("input", "button"):
            assert one.get("aria-label") or "".join(one.itertext()).strip()[0].isalnum(), ET.tostring(one)
        if one.tag == "label":
            assert "".join(one.itertext()).strip()


def test_the_script_speaks_of_the_parts_that_are_there() -> None:
    html, script = views.views_html(), views.script("#some-table")
    for attribute in ("choice", "range", "do"):
        named = set(re.findall(rf"part\('{attribute}', '(\w+)'\)", script))
        assert named and named <= set(re.findall(rf'data-{attribute}="(\w+)"', html))
    assert "'#some-table'" in script
