"""The Tune by votes part without a browser: what can be tuned, what is refused, started, shown, taken over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.components.base import FormComponent

from studio.core.recipe import EditRef
from studio.services.presets import GuidancePresets
from studio.services.tunings.simulated import ANNOTATOR, answer_next, voter_of
from studio.services.tunings.tuning import Tuning
from studio.ui.edit_stack import EditRow, Stack
from studio.ui.label.collector import Collector
from studio.ui.label.parts.tuning import _layout
from studio.ui.label.tuning import form
from studio.ui.label.tuning.curves import panels
from studio.ui.label.tuning.handlers import Handlers
from studio.ui.label.tuning.list_html import EMPTY
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file

STRENGTH, SCALE = "edits.0.strength", "guidance.params.guidance_scale"
FIELDS: dict[str, Any] = {
    "model": "stencil",
    "tuning_preset": "",
    "tuning_form": "pair",
    "tuning_prompts": "a red ring\na blue star",
    "tuning_name": "",
    "tuning_most": 60,
    "tuning_seed": "3",
}
ROW = {"slider": STRENGTH, "low": 0, "high": 1.5}


@pytest.fixture
def refs(fake: FakeStudio, tmp_path: Path) -> tuple[EditRef, ...]:
    """A stack of one edit, which tints sketches by its strength; guidance changes none of them."""
    fake.sketcher.step_s = 0
    edit = fake.edits.import_file(edit_file(tmp_path / "tint.safetensors", "tint"))
    return (EditRef(edit=edit.id, strength=0.5),)


def started(fake: FakeStudio, do: Handlers, refs: tuple[EditRef, ...], *rows: dict[str, Any]) -> Tuning:
    """A tuning of the page's, whose first questions can be answered."""
    assert "has been started" in do.start(FIELDS, refs, list(rows))["tuning_message"]
    (campaign,) = fake.tunings.list()
    until(lambda: fake.campaigns.standing(campaign.id).counts.is_settled)
    return fake.tunings.get(campaign.id)


def handlers(fake: FakeStudio) -> Handlers:
    return Handlers(fake, GuidancePresets(fake.settings.workspace))


def test_what_can_be_tuned_follows_the_stack_and_the_preset(fake: FakeStudio, refs: tuple[EditRef, ...]) -> None:
    do = handlers(fake)
    html = do.rows(FIELDS, refs)["tuning_rows"]
    assert "Strength of tint" in html and f'data-path="{STRENGTH}"' in html and "now 0.5" in html
    assert html.count("checked") == 1 and 'aria-label="Guidance scale, from"' in html
    bare = do.rows({**FIELDS, "tuning_preset": "apg"}, ())["tuning_rows"]
    assert "Strength of" not in bare and "guidance.params.eta" in bare and "Edits that are on" in bare
    assert "no guidance preset named" in do.rows({**FIELDS, "tuning_preset": "nothing"}, refs)["tuning_rows"]
    choices = do.preset_choices("apg")["tuning_preset"]
    assert "value" not in choices.constructor_args and "apg" in [value for _, value in choices.choices]
    assert do.preset_choices("gone")["tuning_preset"].value == form.USUAL


def test_what_cannot_be_started_is_said_and_nothing_is_drawn(fake: FakeStudio, refs: tuple[EditRef, ...]) -> None:
    do = handlers(fake)
    wrong: list[tuple[dict[str, Any], Any, str]] = [
        ({}, [], "needs something to tune"),
        ({}, None, "needs something to tune"),
        ({}, [{"slider": "edits.3.strength", "low": 0, "high": 1}], "is not in the recipe any more"),
        ({}, [{**ROW, "high": None}], "needs two numbers"),
        ({}, [{**ROW, "low": 2}], "is empty"),
        ({"tuning_seed": "many"}, [ROW], "A seed is a whole number"),
        ({"tuning_most": 2.5}, [ROW], "How many questions"),
        ({"tuning_form": "triple"}, [ROW], "must be one of pair, best"),
    ]
    for values, rows, message in wrong:
        answer = do.start({**FIELDS, **values}, refs, rows)
        assert message in answer["tuning_message"] and "tunings" not in answer
    assert fake.jobs.newest() == [] and do.look()["tunings"] == EMPTY


def test_a_tuning_is_shown_answered_and_taken_over(fake: FakeStudio, refs: tuple[EditRef, ...]) -> None:
    do = handlers(fake)
    tuning = started(fake, do, refs, ROW)
    html = do.look()["tunings"]
    assert "Tuning of strength of tint" in html and 'data-op="answer"' in html and 'data-op="accept"' not in html
    assert "Nothing has been answered yet" in do.accept(Stack(), tuning.campaign.id, "")[1]
    voter, rng = voter_of(tuning, {"strength": 1.3}, clarity=20.0), np.random.default_rng(0)
    for _ in range(3):
        assert answer_next(fake.archive, fake.labels, tuning, voter, rng)
    html = do.look()["tunings"]
    (panel,) = panels(fake.tunings.get(tuning.campaign.id))
    line, start, best = panel.series
    assert panel.names[0] == "0" and panel.names[-1] == "1.5" and all(0 <= y <= 100 for y in (*line.low, *line.high))
    assert start.y == (50.0,) and best.y[0] == pytest.approx(max(line.y), abs=2)
    assert "3 votes of at most 60" in html and 'aria-label="Strength of tint' in html and 'data-op="accept"' in html
    before = Stack((EditRow(refs[0].edit, 0.5),))
    stack, message = do.accept(before, tuning.campaign.id, "")
    assert stack.rows[0].strength > 0.5 and stack.undo == (before.rows,) and "in the sidebar" in message
    assert 'data-op="go_on"' in do.act("pause", tuning.campaign.id)["tunings"]
    assert 'data-op="pause"' in do.act("go_on", tuning.campaign.id)["tunings"]
    assert "nothing to do with a tuning" in do.act("fly", tuning.campaign.id)["tuning_message"]
    assert "drawn, or about to be" in do.act("draw", tuning.campaign.id)["tuning_message"]
    assert do.act("archive", tuning.campaign.id)["tunings"] == EMPTY


def test_what_changes_no_picture_is_said(fake: FakeStudio, refs: tuple[EditRef, ...]) -> None:
    do = handlers(fake)
    tuning = started(fake, do, refs, {"slider": SCALE, "low": 1, "high": 4})
    html = do.look()["tunings"]
    assert "nothing to tune" in html and "without effect: its pictures are equal from 1 to 4" in html
    assert 'data-op="answer"' not in html and "Nothing that is tuned" in do.accept(Stack(), tuning.campaign.id, "")[1]


def test_the_pad_waits_for_what_is_drawn_and_says_when_nothing_further_is_asked(
    fake: FakeStudio, refs: tuple[EditRef, ...]
) -> None:
    do, collector = handlers(fake), Collector(fake, "/label")
    tuning = started(fake, do, refs, ROW)
    whose = {"annotator": ANNOTATOR, "campaign": str(tuning.campaign.id)}
    voter, rng = voter_of(tuning, {}), np.random.default_rng(0)
    for _ in range(2):
        assert answer_next(fake.archive, fake.labels, tuning, voter, rng)
    fake.sketcher.hold = True
    assert answer_next(fake.archive, fake.labels, tuning, voter, rng)
    answer = collector.next(whose)
    assert (answer["items"], answer["state"]) == ([], "waiting") and "being drawn" in answer["message"]
    assert 'data-watch="' in do.look()["tunings"]
    fake.sketcher.hold = False
    short = do.start({**FIELDS, "tuning_most": 1, "tuning_name": "short"}, refs, [ROW])
    assert "short has been started" in short["tuning_message"]
    short_one = fake.tunings.find("short")
    until(lambda: fake.campaigns.standing(short_one.campaign.id).counts.is_settled)
    assert answer_next(fake.archive, fake.labels, short_one, voter, rng)
    answer = collector.next({**whose, "campaign": str(short_one.campaign.id)})
    assert (answer["items"], answer["state"]) == ([], "done")
    assert "asks nothing further" in answer["message"] and answer["progress"]["taste"] == ""


def test_every_control_is_labelled_and_explained() -> None:
    async def parts() -> dict[str, Any]:  # Gradio asks for a loop, which it does not close
        with gr.Blocks():
            return _layout()

    controls = [part for part in asyncio.run(parts()).values() if isinstance(part, FormComponent)]
    assert len(controls) == 6 and all(control.label and control.info for control in controls)  # type: ignore[attr-defined]
