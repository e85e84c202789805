"""Under the stack: what is said of erasures that act together, and the one solve that takes their place."""

from __future__ import annotations

import re

import pytest

from studio.core.errors import BadInput
from studio.ui import edit_stack, stack_panel, together
from studio.ui.edit_stack import EditRow, Stack, read
from tests.ui.fake_studio import FakeStudio

MODEL = "stencil"
MEASURING = "Reads how they act together"


def erasures(fake: FakeStudio) -> Stack:
    """Two of one concept each, on the stack, with an edit between them that is none."""
    names = []
    for words, completeness in (("star", 0.999), ("fish", 0.99)):
        concept = {"words": words, "substitute": "heart"}
        plan = {"name": f"no-{words}", "model": MODEL, "concepts": [concept], "completeness": completeness}
        job = fake.ended(fake.erasures.start(plan))
        names.append(next(event.data["edit"] for event in fake.jobs.events(job) if event.kind == "edit"))
    return Stack((EditRow(names[0]), EditRow("gone-0123456789ab", 0.5), EditRow(names[1])))


def shown(fake: FakeStudio, stack: Stack) -> str:
    """What is said of it once it has been measured."""
    if job := re.search(r'data-watch="(\w+)"', stack_panel.show(fake, stack, MODEL)):
        fake.ended(job[1])
    return stack_panel.show(fake, stack, MODEL)


def solved(fake: FakeStudio, stack: Stack) -> tuple[Stack, str]:
    assert f'data-watch="{stack.solving}"' in together.solving_html(fake, stack)
    with pytest.raises(BadInput, match="already"):
        stack_panel.change(fake, stack, "together", "", None, MODEL)
    fake.ended(stack.solving)
    return together.advanced(fake, read(stack.plain()))  # as the browser has it, after a reload


def test_two_erasures_say_how_they_act_together_and_one_says_nothing(fake: FakeStudio) -> None:
    stack = erasures(fake)
    first = stack_panel.show(fake, stack, MODEL)
    assert MEASURING in first or "act together" in first
    html = shown(fake, stack)
    assert (
        "2 erasures act together" in html
        and "together they send “star” 86% of the way to “heart”, its own edit alone 95%" in html
        and ">interferes<" not in html
    )
    weak = edit_stack.change(stack, "strength", stack.rows[0].edit, 0.5)  # known at any strength: nothing is read again
    jobs = fake.jobs.newest(1)
    assert "send “star” 67% of the way" in stack_panel.show(fake, weak, MODEL) and fake.jobs.newest(1) == jobs
    for alone in (
        edit_stack.change(stack, "toggle", stack.rows[0].edit),
        edit_stack.change(stack, "strength", stack.rows[0].edit, 0),
    ):
        assert "together" not in stack_panel.show(fake, alone, MODEL)
    assert "together" not in stack_panel.show(fake, stack, "another-model")


def test_one_that_the_others_disturb_is_marked_with_its_figures(fake: FakeStudio) -> None:
    fake.sketcher.crosstalk = 0.6
    html = shown(fake, erasures(fake))
    assert html.count(">interferes<") == 2
    sentence = "Together they send “fish” 58% of the way to “heart”, its own edit alone 95%"
    assert html.count(sentence) == 3  # beneath, and on the row to point at and to be read


def test_solved_together_one_edit_takes_their_place_and_undo_brings_them_back(fake: FakeStudio) -> None:
    before = erasures(fake)
    stack, message = solved(fake, stack_panel.change(fake, before, "together", "", None, MODEL))
    assert not stack.solving and "no-star + no-fish" in message and "star 0.90, fish 0.90" in message
    joint, other = stack.rows
    assert other == before.rows[1] and fake.edits.show(joint.edit).name == "no-star + no-fish"
    assert "together" not in stack_panel.show(fake, stack, MODEL)
    assert edit_stack.change(stack, "undo").rows == before.rows


def test_where_they_act_differently_each_concept_keeps_a_row_of_its_own(fake: FakeStudio) -> None:
    before = edit_stack.change(erasures(fake), "strength", erasures(fake).rows[2].edit, 0.4)
    html = shown(fake, before)
    assert 'data-op="together_sliders"' in html and 'data-op="together"' not in html
    stack, _ = solved(fake, stack_panel.change(fake, before, "together_sliders", "", None, MODEL))
    star, fish, other = stack.rows
    assert [fake.edits.show(row.edit).name.rpartition(": ")[2] for row in (star, fish)] == ["star", "fish"]
    assert (star.strength, fish.strength) == (1.0, 0.4) and other == before.rows[1]
    assert "shares of one joint solution" in stack_panel.show(fake, stack, MODEL)


def test_a_solve_that_ends_early_or_comes_too_late_changes_no_row(fake: FakeStudio) -> None:
    before = erasures(fake)
    fake.sketcher.hold = True
    stack = stack_panel.change(fake, before, "together", "", None, MODEL)
    assert together.advanced(fake, stack) == (stack, "")
    fake.jobs.stop(stack.solving)
    fake.sketcher.hold = False
    stopped, message = solved(fake, stack)
    assert stopped.rows == before.rows and not stopped.solving and "message error" in message
    late = stack_panel.change(fake, before, "together", "", None, MODEL)
    for row in (before.rows[0], before.rows[2]):
        late = edit_stack.change(late, "remove", row.edit)
    late, message = solved(fake, late)
    assert late.rows == before.rows[1:2] and "has left the stack" in message
    lost = read({**late.plain(), "solving": "nowhere"})
    assert together.advanced(fake, lost)[0].solving == ""
