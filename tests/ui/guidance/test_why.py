"""The panel that explains a picture, and the file of its curves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.guidance import diagnostics
from studio.services.studio import Studio
from studio.ui.components.results import Drawn
from studio.ui.guidance import board as boards
from studio.ui.guidance import files, measures, results, run, view, why
from studio.ui.guidance.why import Line
from tests.tiny_model import build_once

GIVEN = {"prompt": "a red star", "negative": "", "seed": "7", "seeds": 1, "steps": 3, "sampler": "dpmpp_2m"}
Compared = tuple[Studio, boards.Board, Mapping[tuple[int, str], Drawn]]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    """The first visitor's rows and PAG, drawn on two seeds."""
    folder = tmp_path_factory.mktemp("why") / "workspace"
    settings = Settings(workspace=folder, model_dir=build_once(tmp_path_factory), device="cpu", threads=1)
    with Studio(settings, backend="inline") as studio:
        board = boards.add(boards.new(), {"method": "pag", "params": {"guidance_scale": 1.0, "pag_scale": 2.0}})
        board = run.compare(studio, board, run.base_of(studio, "stencil", GIVEN, []), 2, equal=False)
        studio.pictures.finish(board.cells[0].job)
        yield studio, board, results.show(studio, board).pictures


def shown(compared: Compared, row: int, seed: str = "7", **changed: Any) -> str:
    studio, board, drawn = compared
    return why.why_html(studio, replace(board, picture_id=drawn[row, seed].id, **changed), drawn)


def titles(html: str) -> list[str]:
    return re.findall(r"<h3>([^<]*)</h3>", html.split("<details")[0])


def test_the_picture_stands_beside_its_rule_and_three_curves(compared: Compared) -> None:
    html = shown(compared, 2)
    assert "6·(c − u)" in html and "/pictures/" in html and 'class="why-picture mark-b"' in html
    assert titles(html) == [
        "How far prompt and no prompt disagree",
        "How hard guidance pushes",
        "How much the prediction grows",
    ]
    assert html.split("<details")[1].count('class="measured"') >= 6
    assert "has no account" in why.why_html(*_elsewhere(compared))
    assert why.why_html(compared[0], boards.new(), {}) == ""


def _elsewhere(compared: Compared) -> tuple[Studio, boards.Board, Mapping[tuple[int, str], Drawn]]:
    studio, board, drawn = compared
    (made,) = studio.pictures.draw([run.base_of(studio, "stencil", {**GIVEN, "prompt": "drawn elsewhere"}, [])])
    return studio, replace(board, picture_id=made.id), drawn


def test_the_panel_opens_by_itself_when_the_pictures_are_there_and_stays_with_the_one_that_is_chosen(
    compared: Compared,
) -> None:
    studio, board, drawn = compared
    session = boards.BoardSession()
    session.put(replace(board, rows=board.rows.choose(3)))
    answer = view.pictures(studio, session)
    assert session.value.picture_id == drawn[3, "7"].id and "Why this picture" in answer["why"]
    assert answer["results"].count('aria-pressed="true"') == 1 and answer["board"]["shown"] == drawn[3, "7"].id
    session.put(replace(session.value, picture_id=drawn[2, "8"].id))
    assert "why" not in view.pictures(studio, session) and session.value.picture_id == drawn[2, "8"].id
    session.put(replace(session.value, picture_id=10**6))  # a picture that was drawn anew since
    assert "why" in view.pictures(studio, session)


def test_all_rows_of_the_seed_are_in_the_legend_and_the_chosen_one_is_strong(compared: Compared) -> None:
    html = shown(compared, 3, "8")
    legend = html[html.index('class="legend"') : html.index("</ul>")]
    assert re.findall(r"<span>([^<]*)</span>", legend) == ["CFG 1.5", "CFG 6", "APG 6", "CFG 6, interval", "PAG 2"]
    assert re.findall(r'<li class="([^"]*)"', legend) == ["mark-a", "mark-b", "main mark-c", "mark-d", "mark-e"]


def test_a_method_without_an_unprompted_prediction_has_curves_of_its_own(compared: Compared) -> None:
    html = shown(compared, 5)
    assert titles(html) == [
        "How far the model and its degraded twin disagree",
        "How far guidance moves the prediction",
        "How much the prediction grows",
    ]
    assert "Only PAG 2 has this" in html
    assert "No line: PAG 2" in shown(compared, 1)


def test_a_picture_of_no_row_is_in_ink_before_the_rows(compared: Compared) -> None:
    html = shown(compared, 2, cells=(), rows=compared[1].rows.remove(2))
    assert 'class="why-picture mark-ink"' in html
    legend = html[html.index('class="legend"') : html.index("</ul>")]
    assert re.findall(r'<li class="([^"]*)"', legend)[0] == "main mark-ink"


def test_the_file_of_the_curves_has_the_same_rows(compared: Compared) -> None:
    studio, _, drawn = compared
    html = shown(compared, 2)
    query = re.findall(rf"/accounts/{drawn[2, '7'].id}\.png\?beside=([0-9.,]*)", html)[0]
    lines = why.beside(query)
    assert lines == [Line(drawn[row, "7"].id, row - 1) for row in (1, 2, 3, 4, 5)]
    main, rest = why.curves(studio, drawn[2, "7"].id, lines)
    assert [one.label for one in main[0].series if one.main] == ["CFG 6"] and len(main[0].series) == 5
    assert len(main) == 3 and {panel.title for panel in main}.isdisjoint(panel.title for panel in rest)
    alone, _ = why.curves(studio, drawn[2, "7"].id, why.beside(""))
    assert len(alone[0].series) == 1


def test_the_files_can_be_fetched_and_bad_addresses_are_refused_in_words(compared: Compared) -> None:
    studio, _, drawn = compared
    id = drawn[2, "7"].id
    client = TestClient(Starlette(routes=files.routes(studio)))
    alone = client.get(f"/accounts/{id}.png")
    among = client.get(f"/accounts/{id}.png", params={"beside": f"{id}.1,{drawn[3, '7'].id}.2"})
    assert alone.status_code == among.status_code == 200 and among.headers["content-type"] == "image/png"
    assert alone.content != among.content
    assert client.get(f"/accounts/{id}.csv").text.startswith("step,sigma,t,rows,")
    refused = client.get(f"/accounts/{id}.png", params={"beside": "1.9"})
    assert refused.status_code == 404 and "12.0,13.1" in refused.text
    gone = client.get(f"/accounts/{id}.png", params={"beside": "999999999.0"})
    assert gone.status_code == 200  # a picture that was deleted since leaves no line, and the rest is there


@pytest.mark.parametrize("told", ["1", "1.8", "1.0,", "x", "1.0;2.0", "9" * 19 + ".0", ",".join(["1.0"] * 9)])
def test_addresses_of_no_lines_are_refused(told: str) -> None:
    with pytest.raises(BadInput, match=r"12\.0,13\.1"):
        why.beside(told)


def test_the_strip_has_a_picture_and_a_name_for_each_of_its_steps(compared: Compared) -> None:
    studio, _, drawn = compared
    html = why.strip_html(studio, drawn[2, "7"].id)
    assert re.findall(r"<figcaption>([^<]*)", html) == ["step 1", "step 2", "step 3"], html[:400]
    assert len(set(re.findall(r'src="(data:image/png[^"]*)"', html))) == 3
    assert "Guided prediction at step 2" in html


def test_every_shared_number_has_plain_words() -> None:
    assert set(diagnostics.SHARED) <= set(measures.WORDS)
    for told in measures.WORDS.values():
        assert told.title and told.formula and told.hint.endswith(".")
    own = measures.words("step", "Length of the damped step: |s|", "px")
    assert (own.title, own.formula, own.hint) == ("Length of the damped step (px)", "|s|", "")
