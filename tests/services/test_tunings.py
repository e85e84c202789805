"""Tunings: started, asked on from the votes alone, refused where there is nothing to tune, taken over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.preference.answer import Answer
from studio.services.presets import GuidancePresets
from studio.services.tunings.reading import idle_sliders
from studio.services.tunings.service import AHEAD
from studio.services.tunings.simulated import ANNOTATOR, answer_next, voter_of
from studio.services.tunings.sliders import Slider, placed, point_of, tunable
from studio.services.tunings.tuning import Tuning
from studio.services.tunings.values import plain, text
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file

SCALE, STRENGTH = "guidance.params.guidance_scale", "edits.0.strength"
PROMPTS = ("a red ring", "a blue star")


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeStudio]:
    with FakeStudio(tmp_path / "workspace", step_s=0) as studio:
        yield studio


@pytest.fixture
def edit(fake: FakeStudio, tmp_path: Path) -> str:
    """The id of an edit, which tints sketches by its strength; guidance changes none of them."""
    return fake.edits.import_file(edit_file(tmp_path / "tint.safetensors", "tint")).id


def recipe(edit: str, strength: float = 0.5) -> Recipe:
    return Recipe(width=32, height=32, steps=2, edits=(EditRef(edit=edit, strength=strength),))


def sliders(studio: FakeStudio, base: Recipe, *paths: str) -> list[Slider]:
    return [slider for slider in tunable(base, studio.sources, studio.edits) if slider.path in paths]


def started(studio: FakeStudio, base: Recipe, *paths: str, **values: Any) -> Tuning:
    tuning = studio.tunings.start(
        base, sliders(studio, base, *paths), **{"prompts": PROMPTS, "seed": 3, "name": "mine", **values}
    )
    return drawn(studio, tuning)


def drawn(studio: FakeStudio, tuning: Tuning) -> Tuning:
    """The tuning once all that it asks so far is drawn and can be answered."""
    until(lambda: studio.campaigns.standing(tuning.campaign.id).counts.is_settled)
    return studio.tunings.get(tuning.campaign.id)


def answer_all(studio: FakeStudio, tuning: Tuning, best: float, most: int = 100) -> Tuning:
    """Somebody clear about the strength answers until nothing more is asked, or so often."""
    voter, rng = voter_of(tuning, {STRENGTH: best}, clarity=16.0), np.random.default_rng(0)
    for _ in range(most):
        if not answer_next(studio.archive, studio.labels, tuning, voter, rng):
            drawn(studio, tuning)
            if not answer_next(studio.archive, studio.labels, tuning, voter, rng):
                break
    return studio.tunings.get(tuning.campaign.id)


@pytest.mark.parametrize("form", ["pair", "best"])
def test_votes_find_a_strength_which_becomes_the_stack(fake: FakeStudio, edit: str, form: Any) -> None:
    tuning = started(fake, recipe(edit), STRENGTH, form=form, most=14)
    assert len(tuning.reading.pending) == AHEAD and tuning.best is None and not tuning.is_over
    records = fake.archive.planned.every(tuning.campaign.id)
    for record in records:  # nothing but the slider differs within a question
        assert len({placed(made, tuning.plan.sliders, (0.0,)).digest() for made in record.recipes}) == 1
        assert len({point_of(made, tuning.plan.sliders) for made in record.recipes}) == tuning.plan.size
    assert len({record.recipes[0].seed for record in records}) == len(records)
    assert [record.recipes[0].prompt for record in records] == [PROMPTS[0], PROMPTS[1], PROMPTS[0]]
    tuning = answer_all(fake, tuning, best=1.2)
    standing = tuning.reading.standing
    assert standing is not None and tuning.is_over
    values = plain(tuning)
    assert values["state"] in ("enough", "asked") and (standing.is_enough == ("within the noise" in values["verdict"]))
    (row,) = values["sliders"]
    assert abs(row["best"] - 1.2) < 0.5 and row["best_low"] <= row["best"] <= row["best_high"]
    assert "Strength of" in text(tuning) and "against the start" in text(tuning)
    accepted = fake.tunings.accept(tuning.campaign.id, GuidancePresets(fake.settings.workspace))
    assert [(ref.edit, ref.strength) for ref in accepted.stack] == [(edit, row["best"])]
    assert accepted.preset == "" and bool(accepted.caveat) != standing.is_better
    with pytest.raises(BadInput, match="no label to learn from"):
        fake.labels.snapshot("mine", [tuning.campaign.id])


def test_what_is_known_follows_from_the_votes_alone(tmp_path: Path) -> None:
    with FakeStudio(tmp_path / "workspace", step_s=0) as studio:
        edit = studio.edits.import_file(edit_file(tmp_path / "tint.safetensors", "tint")).id
        tuning = answer_all(studio, started(studio, recipe(edit), STRENGTH), best=1.2, most=5)
        before = plain(tuning)
        standing = tuning.reading.standing
    with FakeStudio(tmp_path / "workspace", step_s=0) as studio:  # what was in memory is gone
        again = studio.tunings.find("mine")
        assert again.reading.standing == standing and again.reading.votes == tuning.reading.votes
        drawing = {"trouble": "", "state": "", "missing": 0}  # which the closing has interrupted
        assert {**plain(again), **drawing} == {**before, **drawing}
        # A vote taken back is none, and what was known before it is known again.
        question = studio.labels.lease(again.campaign.id, ANNOTATOR, 1) or drawn(studio, again) and []
        for assignment in question:
            answer = assignment.answer_of_item(Answer.pair("first"))
            studio.labels.vote("one-more", assignment.token, answer)
            assert studio.tunings.get(again.campaign.id).reading.standing != standing
            studio.labels.undo("back", again.campaign.id, ANNOTATOR)
        assert studio.tunings.get(again.campaign.id).reading.standing == standing


def test_a_slider_without_effect_is_left_out_and_said(fake: FakeStudio, edit: str) -> None:
    tuning = started(fake, recipe(edit), STRENGTH, SCALE)
    assert [tuning.plan.sliders[place].path for place in tuning.reading.idle] == [SCALE]
    fake.tunings.prepare(tuning.campaign.id)  # as when somebody asks for a question
    tuning = drawn(fake, tuning)
    for record in fake.archive.planned.every(tuning.campaign.id):
        if record.number >= 2:  # what was planned once that was known
            scales = {made.guidance.params["guidance_scale"] for made in record.recipes}
            assert record.number < AHEAD or scales == {tuning.plan.recipe.guidance.params["guidance_scale"]}
    queued = [fake.labels.item(item).images for item in fake.labels.queued(tuning.campaign.id)]
    idle = [record for record in fake.archive.planned.every(tuning.campaign.id) if record.number == 1]
    assert idle[0].images not in queued and queued
    assert plain(tuning)["without_effect"] == [SCALE] and "without effect" in text(tuning)


def test_where_no_slider_changes_a_picture_there_is_nothing_to_ask(fake: FakeStudio, edit: str) -> None:
    tuning = started(fake, recipe(edit), SCALE)
    fake.tunings.prepare(tuning.campaign.id)
    tuning = fake.tunings.get(tuning.campaign.id)
    assert tuning.reading.standing is None and tuning.is_over and plain(tuning)["state"] == "idle"
    assert "at all its values they are equal" in tuning.verdict
    fake.labels.annotator("ann")
    assert fake.labels.lease(tuning.campaign.id, "ann", 1) == []
    with pytest.raises(BadInput, match="Nothing that is tuned"):
        fake.tunings.accept(tuning.campaign.id, GuidancePresets(fake.settings.workspace))
    # Of pictures that are gone nothing is known.
    records = fake.archive.planned.every(tuning.campaign.id)
    assert idle_sliders(tuning.plan, records, lambda sha256: None) == ()


def test_a_tuned_scale_is_saved_as_a_preset(fake: FakeStudio, edit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.services.tunings.reading._are_equal", lambda files: False)
    tuning = started(fake, recipe(edit), SCALE, name="A tuning: 1")
    voter, rng = voter_of(tuning, {"guidance_scale": 3.5}, clarity=12.0), np.random.default_rng(0)
    with pytest.raises(BadInput, match="Nothing has been answered"):
        fake.tunings.accept(tuning.campaign.id, GuidancePresets(fake.settings.workspace))
    for _ in range(3):
        assert answer_next(fake.archive, fake.labels, tuning, voter, rng)
    presets = GuidancePresets(fake.settings.workspace)
    accepted = fake.tunings.accept(tuning.campaign.id, presets)
    assert accepted.preset == "A tuning 1" and presets.load("A tuning 1").spec == accepted.recipe.guidance
    assert float(accepted.recipe.guidance.params["guidance_scale"]) > 2
    assert "is not certain" in accepted.caveat and "3 votes" in presets.load("A tuning 1").note
    assert fake.tunings.accept(tuning.campaign.id, presets, "by me").preset == "by me"


def test_what_cannot_be_tuned_is_refused_and_nothing_is_written(fake: FakeStudio, edit: str) -> None:
    base = recipe(edit)
    (slider,) = sliders(fake, base, STRENGTH)
    counted = base.model_copy(update={"guidance": GuidanceSpec(method="zero_star")})
    zero_steps = {"path": "guidance.params.zero_steps", "low": 0.0, "high": 1.5, "step": 0.5}
    changed: list[tuple[dict[str, Any], str]] = [
        ({"high": 0.0, "low": 0.0}, "range of Strength of .* is empty"),
        ({"low": 0.6}, "starts at 0.5"),
        ({"high": 20.0}, "from -10 to 10"),
        ({"step": 2.0}, "has 1 value; here it takes 2"),
        ({"step": 1e-5}, "takes 2 to 1,001"),
        ({"path": "edits.1.strength"}, "nothing to tune called 'edits.1.strength'"),
        ({"path": "steps"}, "nothing to tune called 'steps'"),
        (zero_steps, "is a whole number"),
    ]
    several: list[tuple[list[Slider], dict[str, Any], str]] = [
        ([], {}, "needs something to tune"),
        ([slider, slider], {}, "tuned twice"),
        ([slider], {"form": "triple"}, "form must be one of pair, best"),
        ([slider], {"most": 0}, "most must be a whole number from 1"),
        ([slider], {"seed": -1}, "seed must be"),
        *(([slider.model_copy(update=change)], {}, message) for change, message in changed),
    ]
    for chosen, values, message in several:
        with pytest.raises(BadInput, match=message):
            fake.tunings.start(counted, chosen, **{"prompts": PROMPTS, **values})
    with pytest.raises(NotFound):
        fake.tunings.start(recipe("nothing"), [slider], prompts=PROMPTS)
    assert fake.labels.campaigns() == [] and fake.jobs.newest() == []


def test_a_tuning_is_a_campaign_that_plans_its_own_questions(fake: FakeStudio, edit: str) -> None:
    tuning = started(fake, recipe(edit), STRENGTH)
    with pytest.raises(BadInput, match="is a tuning, which plans its questions"):
        fake.campaigns.more(tuning.campaign.id, 3)
    with pytest.raises(BadInput, match="no blind test"):
        fake.blind_tests.get(tuning.campaign.id)
    with pytest.raises(BadInput, match="already"):
        started(fake, recipe(edit), STRENGTH)
    assert fake.campaigns.design(tuning.campaign.id) is None and len(fake.tunings.list()) == 1
