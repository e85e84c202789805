"""Blind tests of two rows: one prompt and seed on both sides, and nobody told who is ahead before it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.preference.answer import BOTH_GOOD, FIRST, SECOND, Answer
from studio.services.comparisons.blind import plain
from studio.services.comparisons.comparison import Column, Comparison, Row
from studio.services.studio import Studio
from studio.storage.search import HistoryFilter
from tests.services.waiting import until

Draw = Callable[..., Recipe]
LOW, HIGH = {"params": {"guidance_scale": 1.0}}, {"params": {"guidance_scale": 4.0}}
COLUMNS = (Column(prompt="a red star"), Column(prompt="a blue square"))


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def compared(draw: Draw, **values: object) -> Comparison:
    rows = (Row(name="low", recipe=draw(guidance=LOW)), Row(name="high", recipe=draw(guidance=HIGH)))
    return Comparison(rows=rows, columns=COLUMNS).model_copy(update=values)


def test_it_ends_where_the_answers_tell_and_tells_only_then(studio: Studio, draw: Draw) -> None:
    test = studio.comparisons.blind_test(compared(draw), 1, pairs=10)
    number = test.campaign.id
    until(lambda: studio.campaigns.standing(number).counts.is_settled)
    pictures = studio.history.newest(100, only=HistoryFilter(origins=("campaign",)))
    recipe_of = {picture.sha256: picture.recipe for picture in pictures}
    studio.labels.annotator("ann")
    questions = studio.labels.lease(number, "ann", 10)
    told: list[bool] = []
    for k, question in enumerate(questions):
        sides = [recipe_of[studio.labels.picture(question.token, place).stem] for place in (0, 1)]
        assert len({recipe.seed for recipe in sides}) == 1 and {recipe.prompt for recipe in sides} == {question.prompt}
        scales = [recipe.guidance.params["guidance_scale"] for recipe in sides]
        assert sorted(scales) == [1.0, 4.0]  # type: ignore[type-var]
        choice = BOTH_GOOD if k == 0 else FIRST if scales[0] == 4.0 else SECOND
        studio.labels.vote(f"vote-{k}", question.token, question.answer_of_item(Answer.pair(choice)))
        test = studio.comparisons.tests.get(number)
        told.append(test.is_over)
        assert ("wins" in plain(test)) == test.is_over
        assert ("preferred" in test.verdict) == test.is_over
    # 2^n / (n + 1) of n answers alike is 20 and more from 8 on; one tie decides nothing.
    assert told == [False] * 8 + [True, True]
    values = plain(test)
    assert (values["wins"], values["losses"], values["ties"], values["decided"]) == (9, 0, 1, True)
    assert values["verdict"] == "high is preferred to low."


def test_ending_it_tells_how_it_went_and_names_are_never_taken(studio: Studio, draw: Draw) -> None:
    first = studio.comparisons.blind_test(compared(draw), 1, pairs=2)
    second = studio.comparisons.blind_test(compared(draw), 1, pairs=2)
    assert {first.campaign.name, second.campaign.name} == {"Blind test: high", "Blind test: high (2)"}
    assert not first.is_over and "at most 2 pairs" in first.verdict
    ended = studio.comparisons.tests.end(first.campaign.id)
    assert ended.is_over and ended.verdict == "Nothing was answered." and plain(ended)["win_rate"] is None
    assert studio.labels.campaign(first.campaign.id).paused


def test_what_cannot_be_tested_is_refused(studio: Studio, draw: Draw) -> None:
    def refused(comparison: Comparison, row: int, sentence: str, pairs: int = 3) -> None:
        with pytest.raises(BadInput) as error:
            studio.comparisons.blind_test(comparison, row, pairs)
        assert sentence in error.value.message

    comparison = compared(draw)
    refused(comparison, 0, "one row against the reference")
    refused(comparison, 7, "one row against the reference")
    refused(comparison, 1, "A blind test has 1 to", pairs=0)
    alike = compared(draw, rows=(Row(recipe=draw(seed=1)), Row(recipe=draw(seed=2))))
    refused(alike, 1, "differ in nothing but prompt or seed")
    refused(compared(draw, rows=(Row(recipe=draw()), Row(recipe=draw(model="nowhere")))), 1, "cannot be drawn")
    live = draw(edits=[{"edit": "live:abc"}])
    refused(compared(draw, rows=(Row(recipe=draw()), Row(recipe=live))), 1, "still in training")
    own_prompts = (Row(recipe=draw(guidance=LOW)), Row(recipe=draw(guidance=HIGH, prompt="a heart")))
    refused(compared(draw, rows=own_prompts, columns=(Column(seed=1),)), 1, "prompts of their own")
    assert studio.labels.campaigns() == []
