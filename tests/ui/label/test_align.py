"""The Align part without a browser: what is in the labels, what is refused, what is started, shown and tested."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
import pytest
from gradio.components.base import FormComponent

from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.ui.edit_stack import Stack
from studio.ui.label.align import form, outcome, past
from studio.ui.label.align.handlers import Handlers
from studio.ui.label.parts.align import _layout
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio
from tests.ui.label.campaigns import campaign

FIELDS: dict[str, Any] = {
    "labels": [],
    "objective": "",
    "align_name": "",
    "align_minutes": None,
    "align_seed": "3",
    "align_beta": "",
    "model": "stencil",
}
OTHERS: dict[str, Any] = {  # of each control another value, and what it changes
    "objective": ("mapo", "method"),
    "align_name": ("warm", "name"),
    "align_seed": ("4", "seed"),
    "align_beta": ("auto", "params"),
    "model": ("mine", "model"),
}


def labelled(studio: FakeStudio, count: int = 8, name: str = "stars") -> int:
    """A campaign of pairs that were drawn here, each answered; its number."""
    made = campaign(studio, items=count, name=name)
    studio.labels.annotator("ann")
    for number, question in enumerate(studio.labels.lease(made.id, "ann", count)):
        answer = Answer.pair("first" if number % 2 else "second")
        studio.labels.vote(f"{name}-{number}", question.token, question.answer_of_item(answer))
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
        ({"align_beta": "strong"}, "Beta is a number above 0, or auto"),
        ({"align_beta": "-1"}, "Beta is a number above 0, or auto"),
        ({"labels": [campaign_id + 1]}, "no campaign"),
    ):
        assert said in do.train({**FIELDS, **wrong})["align_message"]
    assert fake.labels.snapshots() == [] and {job.kind for job in fake.jobs.newest()} == {"generate"}
    assert form.limit_s(None) is form.limit_s(0) is None and form.limit_s(0.5) == 30
    for wrong in (True, False, "1", -1):
        with pytest.raises(BadInput, match="A time in minutes"):
            form.limit_s(wrong)


def test_labels_are_frozen_trained_and_the_edit_goes_on_the_stack(fake: FakeStudio) -> None:
    campaign_id = labelled(fake)
    do = Handlers(fake)
    looked = do.looked({**FIELDS, "labels": [campaign_id, campaign_id + 7]})
    assert looked["labels"].value == [campaign_id]  # what is not there any more is not chosen
    # What was marked is left to the page: something else may be marked by the time this arrives.
    again = do.looked({**FIELDS, "labels": [campaign_id]})["labels"]
    assert "value" not in again.constructor_args and [value for _, value in again.choices] == [campaign_id]
    assert "8 pairs with a winner, about 3 prompts" in looked["contents"]
    assert "Diffusion-DPO</b> fits them" in looked["contents"] and "about 24 more answers" in looked["contents"]
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


def test_every_control_of_the_form_is_read(fake: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one sets changes what is started: the plan, how long it may take, or which labels are frozen."""

    async def lay_out() -> set[str]:
        # In a running event loop: without one, Gradio makes loops of its own, which it never closes.
        with gr.Blocks():
            return {name for name, part in _layout().items() if isinstance(part, FormComponent)}

    inputs = asyncio.run(lay_out())
    assert inputs == set(FIELDS) - {"model"} == {*OTHERS, "labels", "align_minutes"} - {"model"}
    first, second = labelled(fake), labelled(fake, name="moons")
    started: list[tuple[dict[str, Any], float | None]] = []
    monkeypatch.setattr(fake.alignments, "check", lambda plan: plan)
    monkeypatch.setattr(fake.alignments, "start", lambda plan, limit: started.append((plan, limit)) or "job")
    do = Handlers(fake)

    def asked(**values: Any) -> tuple[dict[str, Any], float | None]:
        assert do.train({**FIELDS, "labels": [first], **values})["align_message"] == ""
        return started[-1]

    plan, limit = asked()
    for name, (value, field) in OTHERS.items():
        other, _ = asked(**{name: value})
        assert {key for key in {*plan, *other} if plan.get(key) != other.get(key)} - {"snapshot"} >= {field}, name
    assert asked(align_minutes=2.0)[1] == 120 and limit is None
    asked(labels=[second])
    assert fake.labels.snapshots()[0].campaigns == ("moons",)


def test_three_seeds_are_trained_on_one_snapshot_and_stand_beside_each_other(fake: FakeStudio) -> None:
    labelled(fake, 24)
    do = Handlers(fake)
    fake.sketcher.hold = True
    answer = do.train({**FIELDS, "objective": "sft"}, form.SEEDS)
    assert answer["align_message"] == "" and len(fake.labels.snapshots()) == 1
    jobs = [job for job in fake.jobs.newest() if job.kind == "train"]
    plans = [job.payload["plan"] for job in jobs]
    assert sorted(plan["seed"] for plan in plans) == [3, 4, 5] and len({plan["name"] for plan in plans}) == 3
    assert "3 seeds of stars, 1" in answer["past"] and "0 of 3 are done. One says little" in answer["past"]
    assert answer["past"].count("Not done yet.") == 3
    for job in jobs:
        fake.jobs.stop(job.id)
    fake.sketcher.hold = False
    assert outcome.spread([0.6, 0.8, 0.7], 3) == "Preferred in 60% to 80%, 70% on the mean."
    assert outcome.spread([0.6, 0.8], 3).startswith("Preferred in 60% to 80% of the 2 that are done")


def test_held_out_prompts_are_drawn_before_and_after_and_again_while_it_learns(fake: FakeStudio) -> None:
    labelled(fake, 24)
    do = Handlers(fake)
    fake.sketcher.hold = True
    do.train({**FIELDS, "objective": "sft"})
    (job,) = [job for job in fake.jobs.newest() if job.kind == "train"]
    until(lambda: fake.jobs.get(job.id).status == "running")
    html = do.looked(FIELDS)["pairs"]
    prompts = job.payload["plan"]["judged"]["prompts"]
    assert prompts and all(prompt in html for prompt in prompts[:4]) and 'data-next="0.1250"' in html
    fake.sketcher.hold = False
    until(lambda: "after" in do.looked(FIELDS)["pairs"] and fake.jobs.get(job.id).over)
    until(lambda: "differs by" in do.looked(FIELDS)["pairs"])
    done = do.looked(FIELDS)
    assert "data-next" not in done["pairs"] and 'data-op="show"' not in done["past"]
    assert "What is in “stars, 1”" in done["past"]
    again = Handlers(fake)  # as after a restart: nothing is drawn unless it is asked for
    assert again.looked(FIELDS)["pairs"] == "" and 'data-op="show"' in again.looked(FIELDS)["past"]
    (entry,) = [entry for entry in fake.edits.list() if "alignment" in entry.provenance]
    assert prompts[0] in again.act("show", entry.id, "", FIELDS)["pairs"]


POINT = {"step": 60, "strength": 0.7, "won": 0.66, "broken": 0.1, "diversity": 0.95, "change": 8.0}


def test_both_ends_of_the_trade_off_are_told_and_what_has_no_effect_says_so() -> None:
    further = {**POINT, "strength": 1.0, "won": 0.74, "broken": 0.31}
    provenance = {"steps": 60, "labels": 24, "chosen": POINT, "furthest": further, "base_broken": 0.1, "looked_at": 24}
    html = outcome.outcome_html({**provenance, "outcome": "Kept step 60.", "taste": {"right": 9, "tried": 12}})
    assert "Kept: step 60, strength 0.7" in html and "Furthest: step 60" in html and "31%" in html
    assert "at a strength of 1.4 on the stack" in html and "right about 9 of 12 held-out pairs" in html
    alone = outcome.outcome_html({**provenance, "furthest": POINT})
    assert "Furthest" not in alone and "on the stack" not in alone
    silent = outcome.outcome_html({**provenance, "outcome": "No effect: the 24 held-out pictures are as they were."})
    assert "No effect" in silent and "<table" not in silent
    assert "Trained for 60 steps" in outcome.outcome_html({"steps": 60})
