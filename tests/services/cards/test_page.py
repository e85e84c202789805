"""The page of a card: whatever a user or a file wrote means itself, and a row without a number says why."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio.services.cards.page import fragment, page
from studio.services.cards.table import figure
from studio.training.erase.card.budget import BUDGETS
from studio.training.erase.card.card import card
from tests.training.erase.card.making import answers, facts, subject

EVIL = "<script>alert(1)</script>\"'&"


def made(**changes: Any) -> dict[str, Any]:
    return {
        **card(answers([facts("heart")] * 60, keep=[facts("circle")] * 60), BUDGETS["standard"]),
        "edit": {"id": "no-star-0123", "name": "no-star", "sha256": "0" * 64},
        "method": "uce",
        "measures": {},
        "made_at": "2026-11-30T00:00:00+00:00",
        "model_hash": "f" * 64,
        "protocol": {"steps": 12, "sampler": "dpmpp_2m", "guidance": {"method": "cfg", "params": {}}},
        "sights": [{"kind": "forget", "prompts": {"base": "a star", "edit": "a star"}, "seed": 1, "pictures": {}}],
        **changes,
    }


def test_the_verdict_comes_first_and_every_figure_with_its_n() -> None:
    html = page(made(), {})
    assert html.index("Suppressed") < html.index("Before and after") < html.index("UA, valid")
    assert "Suppressed, not proven removed" in html and html.count("<html") == 1
    rows = re.findall(r"<tr>.*?</tr>", html.partition("The concept")[2].partition("</section>")[0])
    assert len(rows) == 9 and all(re.search(r'class="number">60</td>', row) for row in rows[1:])


def test_a_method_has_the_field_s_name() -> None:
    assert "by Unified Concept Editing · on" in page(made(), {})
    assert "by magic · on" in page({**made(), "method": "magic"}, {})


@pytest.mark.parametrize("place", ["name", "id", "method", "words", "prompt", "sentence", "sampler", "model"])
def test_whatever_was_written_elsewhere_is_text(place: str) -> None:
    values = made()
    if place in ("name", "id"):
        values["edit"][place] = EVIL
    elif place == "words":
        values["subject"]["concepts"][0] |= {"words": EVIL, "substitute": EVIL}
    elif place == "prompt":
        values["sights"][0]["prompts"] = {"base": EVIL, "edit": EVIL}
    elif place == "sentence":
        values["verdict"]["sentences"] = [EVIL]
    elif place == "sampler":
        values["protocol"]["sampler"] = EVIL
    elif place == "model":
        values["subject"]["model"] = EVIL
    else:
        values[place] = EVIL
    html = page(values, {1: b"png"})
    assert "<script" not in html and "&lt;script&gt;" in html


def test_a_section_that_was_not_measured_is_a_sentence() -> None:
    html = fragment(made(), {})
    assert "Retain drift, unconditional drift, FADE, FADE of two seeds: not measured for this card." in html
    unread = answers([facts("heart")] * 3, keep=[facts("circle")])
    lines = card(unread, BUDGETS["preview"])["lines"]
    assert "No text was named that was to stay." in fragment(made(lines=lines), {})


def test_figures_are_written_as_what_they_are() -> None:
    share = {"value": 0.5, "low": 0.25, "high": 0.75, "hits": 5, "n": 10}
    assert re.sub("<.*?>", " ", figure(share)).split() == "50 % 25 to 75".split()
    difference = {**share, "hits": None, "unit": "difference"}
    assert re.sub("<.*?>", " ", figure(difference, True, True)).split() == "+50 pts +25 to +75".split()
    assert re.sub("<.*?>", " ", figure({**difference, "unit": "ratio"})).split() == "50 % 25 to 75".split()
    assert re.sub("<.*?>", " ", figure({**difference, "value": 12.345}, True)).split() == "+12.3 0.25 to 0.75".split()


def test_several_concepts_and_nothing_in_their_place_are_named() -> None:
    about = subject({"words": "star", "kind": "object"}, {"words": "red", "substitute": "blue", "kind": "colour"})
    assert "star → nothing, red → blue · by Unified Concept Editing · on stencil" in fragment(
        made(subject=about.plain()), {}
    )
