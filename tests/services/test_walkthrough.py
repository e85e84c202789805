"""How far the walkthrough is, read off a workspace; and the pairs it has made to be labelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.preference.answer import Answer
from studio.services import walkthrough
from studio.services.studio import Studio
from studio.ui.walkthrough import WORDS, standing
from tests.services.waiting import until


@pytest.fixture
def studio(stencil_dir: Path, tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(workspace=tmp_path / "w", model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


def done(studio: Studio) -> list[str]:
    return [step.id for step in walkthrough.steps(studio) if step.is_done]


def test_a_step_is_done_when_the_workspace_has_what_it_makes(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough, "PAIRS", 3)
    monkeypatch.setattr(walkthrough, "ENOUGH_LABELS", 3)
    assert [step.id for step in walkthrough.steps(studio)] == list(WORDS) and done(studio) == []
    studio.jobs.wait(studio.pictures.submit([Recipe(prompt="a star", steps=1)]))
    assert done(studio) == ["generate"]
    concept = {"words": "star", "substitute": "heart"}
    studio.jobs.wait(studio.erasures.start({"name": "no-star", "model": "stencil", "concepts": [concept]}))
    assert done(studio) == ["generate", "erase"]

    campaign = walkthrough.prepare_labels(studio)
    assert walkthrough.prepare_labels(studio) == campaign  # one, however often it is asked for
    studio.jobs.wait(studio.jobs.newest(1)[0].id)
    assert done(studio) == ["generate", "erase"]  # pictures to be labelled are none that somebody drew
    until(lambda: studio.labels.counts(campaign).items == 3)  # what was drawn becomes a question a moment later
    person = studio.labels.annotator("me")
    for count in range(1, walkthrough.ENOUGH_LABELS + 1):
        lease = studio.labels.lease(campaign, person.alias)
        assert lease
        studio.labels.vote(f"vote-{count}", lease[0].token, Answer.pair("first"))
        step = next(step for step in walkthrough.steps(studio) if step.id == "label")
        assert (step.count, step.is_done) == (count, count == walkthrough.ENOUGH_LABELS)
    assert done(studio) == ["generate", "erase", "label"]
    assert [step["id"] for step in standing(studio)["steps"] if not step["done"]] == ["compare", "align"]
