"""The Align part without a browser: what is in the labels, what is refused, what is started, shown and tested."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.ui.edit_stack import Stack
from studio.ui.label.align import form, past
from studio.ui.label.align.handlers import Handlers
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio
from tests.ui.label.campaigns import campaign

FIELDS: dict[str, Any] = {
    "labels": [],
    "objective": "",
    "align_name": "",
    "align_minutes": None,
    "align_seed": "3",
    "model": "stencil",
}


def labelled(studio: FakeStudio, count: int = 8) -> int:
    """A campaign of pairs that were drawn here, each answered; its number."""
    made = campaign(studio, items=count, name="stars")
    studio.labels.annotator("ann")
    for number, question in enumerate(studio.labels.lease(made.id, "ann", count)):
        answer = Answer.pair("first" if number % 2 else "second")
        studio.labels.vote(f"vote-{number}", question.token, question.answer_of_item(answer))
    return made.id


def test_without_labels_it_says_what_to_do_and_starts_nothing(fake: FakeStudio) -> None:
    do = Handlers(fake)
    answer = do.train(FIELDS)
    assert "There is no answer to learn from yet" in answer["align_message"]
    assert "Make a campaign" in do.looked(FIELDS)["contents"] and do.looked(FIELDS)["past"] == past.EMPTY
    assert fake.jobs.newest() == [] and fake.labels.snapshots() == []


def test_what_cannot_be_is_said_and_nothing_is_frozen(fake: FakeStudio) -> None:
    campaign_id = labelled(fake)
    do = Handlers(fake)
    for wrong, said in (
        ({"align_seed": "many"}, "A seed is a whole number"),
        ({"align_minutes": -1}, "A time in minutes"),
        ({"labels": [campaign_id + 1]}, "no campaign"),
    ):
        assert said in do.train({**FIELDS, **wrong})["align_message"]
    assert fake.labels.snapshots() == [] and {job.kind for job in fake.jobs.newest()} == {"generate"}
    with pytest.raises(BadInput):
        form.limit_s(True)


def test_labels_are_frozen_trained_and_the_edit_goes_on_the_stack(fake: FakeStudio) -> None:
    campaign_id = labelled(fake)
    do = Handlers(fake)
    looked = do.looked({**FIELDS, "labels": [campaign_id, campaign_id + 7]})
    assert looked["labels"].value == [campaign_id]  # what is not there any more is not chosen
    assert "8 pairs with a winner, about 3 prompts" in looked["contents"]
    assert "Diffusion-DPO</b> fits them" in looked["contents"] and "6 more would do" in looked["contents"]
    # As the page asks for it, but for fewer steps than anybody would take.
    started = do.train({**FIELDS, "objective": "sft", "align_name": "warm"})
    assert started["align_message"] == ""
    (snapshot,) = fake.labels.snapshots()
    assert snapshot.name == "stars, 1" and len(snapshot.training) + len(snapshot.held_out) == 8
    (job,) = [job for job in fake.jobs.newest() if job.kind == "train"]
    assert job.payload["plan"]["seed"] == 3 and 'data-op="stop"' in started["past"]
    do.stop(FIELDS)
    until(lambda: fake.jobs.get(job.id).over)
    after = do.looked(FIELDS)["past"]
    assert "warm" in after and ('data-op="resume"' in after or 'data-op="stack"' in after)


def test_an_edit_goes_on_the_stack_once(fake: FakeStudio) -> None:
    do = Handlers(fake)
    stack, message = do.on_stack(Stack(), "nothing")
    assert stack == Stack() and "no edit" in message.lower()
    answer = do.act("fly", "", "", FIELDS)
    assert "There is nothing to do with an alignment" in answer["align_message"]
    assert "no edit" in do.act("test", "nothing", "", FIELDS)["align_message"].lower()
