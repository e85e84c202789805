"""Blind tests of edits: the same prompts and seeds with and without, answered, told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_at
from studio.preference.answer import BOTH_GOOD, FIRST, SECOND, Answer
from studio.preference.blind_test import Outcome
from studio.services.labels.blind_tests import plain
from studio.services.labels.design import Arm, CampaignDesign
from studio.services.labels.plan import CampaignPlan
from studio.services.studio import Studio
from studio.storage.search import HistoryFilter
from tests.engine.edits.making import make_edit
from tests.services.waiting import until


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as opened:
        yield opened


@pytest.fixture
def edit(studio: Studio, tmp_path: Path) -> str:
    """The id of an edit that changes pictures."""
    layers = layout_at(studio.settings.model_dir).components["unet"]
    shapes = {path: shape for path, shape in layers.items() if "attn2.to_k" in path}
    path = tmp_path / "taste.safetensors"
    path.write_bytes(to_bytes(make_edit(shapes, size=1.0, name="taste")))
    return studio.edits.import_file(path).id


def test_a_test_is_answered_and_tells_who_won(studio: Studio, edit: str) -> None:
    test = studio.blind_tests.start(edit, pairs=3, strength=0.5, prompts=["a red star", "a blue square"])
    number = test.campaign.id
    until(lambda: studio.campaigns.standing(number).counts.is_settled)
    items = [studio.labels.item(id) for id in studio.labels.queued(number)]
    assert len(items) == 3 and all(item.purpose == "eval" for item in items)
    pictures = studio.history.newest(100, only=HistoryFilter(origins=("campaign",)))
    recipe_of = {picture.sha256: picture.recipe for picture in pictures}
    studio.labels.annotator("ann")
    wanted = [FIRST, SECOND, BOTH_GOOD]
    won = 0
    for k, question in enumerate(studio.labels.lease(number, "ann", 3)):
        recipes = [recipe_of[studio.labels.picture(question.token, place).stem] for place in (0, 1)]  # on the screen
        assert {recipe.prompt for recipe in recipes} == {question.prompt}
        assert len({recipe.seed for recipe in recipes}) == 1
        with_edit = [bool(recipe.edits) for recipe in recipes]
        assert sorted(with_edit) == [False, True]
        assert recipes[with_edit.index(True)].edits[0].strength == 0.5
        studio.labels.vote(f"vote-{k}", question.token, question.answer_of_item(Answer.pair(wanted[k])))
        if wanted[k] != BOTH_GOOD:
            won += with_edit[0] == (wanted[k] == FIRST)
    outcome = studio.blind_tests.get(number).outcome
    assert outcome == Outcome(wins=won, losses=2 - won, ties=1)
    (again,) = studio.blind_tests.of_edit(edit)
    values = plain(again)
    assert values["edit"] == edit and values["ties"] == 1 and values["low"] < values["win_rate"] < values["high"]
    with pytest.raises(BadInput, match="no label to learn from"):
        studio.labels.snapshot("mine", [number])  # what was asked to test an edit is not learned from


def test_what_cannot_be_tested_is_refused(studio: Studio, edit: str) -> None:
    with pytest.raises(NotFound):
        studio.blind_tests.start("nothing")
    with pytest.raises(BadInput, match="At a strength of 0"):
        studio.blind_tests.start(edit, strength=0.0, prompts=["a star"])
    for pairs in (0, 10**6, 2.5):
        with pytest.raises(BadInput, match="A blind test has 1 to"):
            studio.blind_tests.start(edit, pairs=pairs, prompts=["a star"])  # type: ignore[arg-type]
    other = studio.campaigns.make(
        CampaignPlan("taste", source="planned"),
        CampaignDesign(count=1, prompts=("a star",), checks=0.0, arms=(Arm(recipe=Recipe(steps=2)),)),
    )
    with pytest.raises(BadInput, match="'taste' is no blind test"):
        studio.blind_tests.get(other.id)
    assert studio.labels.campaigns() == [other] and studio.blind_tests.of_edit(edit) == []
