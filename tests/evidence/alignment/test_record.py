"""Results on record: figures over trainings, goals and questions, and a page that says no more than there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.evidence.alignment import arms, record
from studio.evidence.alignment.people import CLEAN, STYLE
from studio.evidence.alignment.questions import GOALS, QUESTIONS, UNTRIED
from studio.evidence.alignment.summary import difference, summary
from studio.evidence.alignment.tradeoff import curves, drawing
from studio.services.sources import LOSSES
from studio.training.align.objectives import OBJECTIVES
from studio.training.align.plan import read_plan
from studio.training.lora.losses import build_loss
from tests.evidence.alignment.making import training


def test_every_arm_can_be_trained_and_costs_what_it_says() -> None:
    for trial in arms.TRIALS:
        plan = read_plan(trial.arm.plan(trial.person, "labels", 0))
        objective = OBJECTIVES.get(plan.method)
        count = {"count": arms.LIST} if objective.takes == "lists" else {}
        needs = build_loss(objective.loss, {**objective.in_world.params, **plan.params, **count}, LOSSES).needs
        learning, frozen = (sum(need.by == by for need in needs) for by in ("student", "frozen"))
        assert arms.ROWS.get(plan.method, (2, 2)) == (learning, frozen), trial.arm.label
        retained = arms.RETAINED * (arms.LEARNING + 1) if plan.protect else 0
        cost = trial.arm.steps * (plan.batch * (learning * arms.LEARNING + frozen) + retained)
        assert cost == pytest.approx(arms.BUDGET, rel=0.01) and plan.steps == trial.arm.steps


def test_what_is_asked_is_tried_and_once() -> None:
    names = [(trial.person.name, trial.arm.label) for trial in arms.TRIALS]
    assert len(set(names)) == len(names)
    asked = {(question.person.name, arm.label) for question in QUESTIONS for arm in (question.arm, question.against)}
    assert asked | {(goal.person.name, goal.arm.label) for goal in GOALS} <= set(names)
    # Arms that differ in strength alone are one training; what is held against alike pairs has all its steps.
    assert arms.MAPO.plan(STYLE, "s", 1) == arms.CHOSEN_MAPO.plan(STYLE, "s", 1) != arms.ALIKE_MAPO.plan(STYLE, "s", 1)
    assert arms.ALIKE.plan(STYLE, "s", 1)["stop_rise"] is None


def test_figures_are_means_over_trainings_with_their_spread() -> None:
    parts = [training(arms.DPO, seed, win) for seed, win in enumerate((0.6, 0.7, 0.8))]
    values = summary(parts)
    win = values["win"]
    assert win["value"] == pytest.approx(0.7) and win["trainings"] == pytest.approx((0.6, 0.7, 0.8))
    assert win["sd"] == pytest.approx(0.1) and 0.57 < win["low"] < 0.65 and 0.75 < win["high"] < 0.83
    assert values["diversity"]["value"] == pytest.approx(1) and values["ceiling"] == 0.9
    # Where no prompt differs, the rule of three says how sure that is, of three captions not at all.
    assert values["broken"]["value"] == 0 and (values["accuracy"]["low"], values["accuracy"]["high"]) == (-1, 1)
    assert values["drift"]["value"] == 2 and (values["won"], values["pictures"]) == (18, 48)
    assert summary(parts[:1])["win"]["sd"] is None


def test_differences_are_paired_by_seed_and_prompt() -> None:
    first = [training(arms.MAPO, seed, 0.7) for seed in range(3)]
    second = [training(arms.DPO, seed, 0.6) for seed in (1, 2)]
    figure = difference(first, second, "open", "win")
    assert figure is not None and figure["value"] == pytest.approx(0.1) and len(figure["trainings"]) == 2
    assert figure["low"] == pytest.approx(figure["high"]), "prompts differ alike in both"
    assert difference(first, [], "open", "win") is None


def verdicts(*results: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Of goals and of questions, in their order."""
    completed = record.complete({"results": list(results)})
    goals, questions = (completed[part] for part in ("goals", "questions"))
    return [goal["verdict"] for goal in goals], [question["verdict"] for question in questions]


def test_goals_are_reached_by_what_was_measured() -> None:
    goals, questions = verdicts(*(training(arms.DPO, seed, 0.62) for seed in range(3)))
    assert goals[0] == "reached on average; intervals reach beyond"
    assert goals[1] == UNTRIED and set(questions) == {UNTRIED}
    assert verdicts(*(training(arms.DPO, seed, 0.52) for seed in range(3)))[0][0] == "missed"
    sure: Any = {"stated": {"accuracy": [1.0, 1.0], "accuracy_base": [1.0, 0.98]}}
    goals, _ = verdicts(*(training(arms.CHOSEN_MAPO, seed, 0.9, broken=0.12, **sure) for seed in range(3)))
    assert goals[1] == "reached" == goals[3] and goals[4] == UNTRIED
    goals, _ = verdicts(*(training(arms.ANCHORED, seed, 0.6, person=CLEAN, broken=0.2) for seed in range(3)))
    assert goals[2] == "missed", "it breaks more"


def test_questions_have_the_verdicts_of_claims() -> None:
    wins = ((arms.MAPO, 0.75), (arms.DPO, 0.6), (arms.SFT, 0.6))
    trainings = [training(arm, seed, win) for seed in range(3) for arm, win in wins]
    assert verdicts(*trainings)[1][:2] == ["holds", "inconclusive"]
    assert verdicts(*trainings[:3])[1][0] == "inconclusive", "one training says little"
    rises = ((arms.ALIKE, 9.0), (arms.UNLIKE, 4.0), (arms.ALIKE_POSITIVE, 8.9))
    trainings = [training(arm, seed, 0.6, rise=rise + seed / 10) for seed in range(3) for arm, rise in rises]
    assert [question.measure for question in QUESTIONS[5:8]] == ["rise"] * 3
    assert verdicts(*trainings)[1][5:8] == ["holds", "does not hold", UNTRIED]


def test_the_page_says_what_is_on_record_and_what_is_not(tmp_path: Path) -> None:
    curve = [{"strength": s, "win": 0.6 + s / 10, "broken": s / 20, "diversity": 1.0} for s in (0.5, 1.0)]
    kept = record.with_result({"results": []}, training(arms.DPO, 0, 0.6))
    kept = record.with_result(kept, training(arms.CHOSEN_MAPO, 0, 0.7, curve=curve, strength=0.5))
    kept = record.with_result(kept, training(arms.DPO, 0, 0.65))
    assert [result["arm"] for result in kept["results"]] == ["MaPO, strength chosen", "Diffusion-DPO"]
    out = tmp_path / "docs" / "alignment.md"
    record.write(kept, out)
    text = out.read_text()
    assert "| Diffusion-DPO | 1 | 0.65 [0.6" in text and "Ceiling 0.90. Of the base 10 in a hundred" in text
    assert "style, Diffusion-DPO (1 of 3 trainings)" in text and "style, SFT on winners (not tried)" in text
    assert "| MaPO, strength chosen | 0 | 0.5 | 0.65 | +2 | 1.00 | chosen |" in text
    assert "### clean" not in text and "**not tried**" in text
    assert curves(kept["results"]) == {"MaPO, strength chosen": [(0.5, 0.025, 0.65), (1.0, 0.05, 0.7)]}
    svg = out.with_suffix(".svg").read_text()
    assert svg.count("<circle") == 2 and "MaPO, strength chosen" in svg and svg == drawing(kept["results"])
    assert json.loads(out.with_suffix(".json").read_text())["summaries"][0]["win"]["value"] == 0.65
    assert [result["arm"] for result in record.read(out.with_suffix(".json"))["results"]][0] == "Diffusion-DPO"
    assert not record.is_stale(tmp_path)
    out.write_text("another")
    assert record.is_stale(tmp_path)
    anew = record.with_result(kept, training(arms.SFT, 0, 0.5, base="c" * 64))
    assert [result["arm"] for result in anew["results"]] == ["SFT on winners"], "those of other weights are dropped"
    out.with_suffix(".json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        record.read(out.with_suffix(".json"))


def test_the_page_in_docs_says_what_its_numbers_say() -> None:
    assert not record.is_stale(Path(__file__).parents[3])
