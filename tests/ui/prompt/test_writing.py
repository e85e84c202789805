from __future__ import annotations

from dataclasses import replace

from studio.services.wording import words
from studio.ui.components import words as shown
from studio.ui.prompt import writing
from tests.ui.fake_studio import FakeStudio


def reports(fake: FakeStudio, prompt: str, negative: str = "", **given: object) -> tuple[str, str]:
    values = {"styles": [], "syntax": "a1111", "model": "stencil", "seed": "-1"} | given
    return writing.reports(fake, words(fake.settings.workspace), prompt, negative, *values.values())  # type: ignore[arg-type]


def test_both_prompts_are_counted(fake: FakeStudio) -> None:
    first, second = reports(fake, "a red star", "a blue ring and a fish")
    assert "3 of 30 tokens" in first and "6 of 30 tokens" in second
    assert reports(fake, "") == ("", "")


def test_weights_are_counted_out_and_shown_in_their_syntax(fake: FakeStudio) -> None:
    first, _ = reports(fake, "a (red:1.3) <b>star</b>")
    assert '<b class="up">red<sub>1.3</sub></b>' in first and "<b>star" not in first
    assert "weighed" not in reports(fake, "a (red:1.3) star", syntax="plain")[0]
    assert "weighed" in reports(fake, "a red++ star", syntax="compel")[0]


def test_what_styles_and_wildcards_make_of_it_is_shown(fake: FakeStudio) -> None:
    first, second = reports(fake, "a star", "", styles=["neon"])
    assert "Reads: <q>a star" in first and "neon" in first and "watercolor" in second
    assert "Reads, for example" in reports(fake, "a __colours__ star")[0]
    assert "Reads: <q>" in reports(fake, "a __colours__ star", seed="7")[0]


def test_what_cannot_be_read_is_told_where_it_is_typed(fake: FakeStudio) -> None:
    assert (
        "wildcard list" in reports(fake, "a __<b>nothing__ star")[0]
        or "named with letters" in reports(fake, "__<b>__")[0]
    )
    assert "There is no wildcard list" in reports(fake, "a __nothing__ star")[0]
    assert "sum to 0" in reports(fake, '("a", "b").blend(1, -1)', syntax="compel")[0]
    assert "3 of 30" in reports(fake, "a red star", seed="seven")[0]


def test_wildcards_are_buttons_that_say_what_they_hold() -> None:
    html = shown.wildcards_html({"colours": ("red", "<b>")}, ["It <broke>."])
    assert 'data-put="__colours__"' in html and "One of 2: red, &lt;b&gt;" in html and "It &lt;broke&gt;." in html


def test_a_model_chosen_brings_its_size_its_sampler_and_its_spacing(fake: FakeStudio) -> None:
    card = replace(fake.sources.card("stencil"), sampler="euler", default_size_px=512)
    fake.sources.card = lambda model="stencil": card  # type: ignore[method-assign]
    own = writing.models_own(fake, "stencil")  # type: ignore[arg-type]
    assert own == {"width": 512, "height": 512, "sampler": "euler", "spacing": "auto"}
