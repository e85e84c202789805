"""Erasures side by side: which figures go on the page, what a record keeps, and what is made only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.cli import main
from studio.core.errors import BadInput
from studio.evidence.erasure import arms, record
from studio.evidence.erasure.page import PLACES, page
from studio.evidence.erasure.trial import FIGURES, UNEDITED, figures_of, tried, unedited_of
from studio.training.erase.card.budget import budget_named
from studio.training.erase.card.card import card as build_card
from studio.training.erase.concept import WORLD
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import read_plan
from tests.training.erase.card.making import answers, facts


def row(value: float, n: int = 64) -> dict[str, Any]:
    return {"n": n, "value": value, "low": value - 0.05, "high": value + 0.05}


def card(ua: float = 1.0) -> dict[str, Any]:
    lines = [
        {"key": "ua_valid", "edit": row(ua), "beside": row(0.97), "apart": row(ua - 0.97)},
        {"key": "ira_object", "edit": row(0.9), "beside": row(0.95), "apart": row(0.947)},
        {"key": "cra_style", "edit": row(0.1), "beside": row(0.1), "apart": row(1.0)},
        {"key": "near", "edit": row(0.0, 0), "beside": None, "apart": None},
        {"key": "negative_ua_valid", "edit": row(0.25, 32), "beside": row(1.0, 32), "apart": row(-0.75, 32)},
        {"key": "nag_ua_valid", "edit": row(0.0, 0), "beside": row(1.0, 32), "apart": row(-0.75, 0)},
    ]
    return {"lines": lines, "verdict": {"headline": "Gone.", "light": "good"}}


def result(**changes: Any) -> dict[str, Any]:
    values = {"concept": "star", "substitute": "heart", "kind": "object", "arm": "UCE", "method": "uce", "seed": 0}
    values |= {
        "why": "",
        "base": "b" * 64,
        "figures": figures_of(card()),
        "unedited": unedited_of(card()),
        "verdict": "Gone.",
        "light": "good",
    }
    return {**values, "budget": "standard", "seconds": 0.4, "bytes": 300_000, "date": "2026-11-30", **changes}


def test_figures_are_those_of_the_card_and_what_was_not_drawn_is_none() -> None:
    figures = figures_of(card())
    assert figures["ua_valid"].keys() == {"edit", "beside", "apart"} and figures["ira"]["apart"]["value"] == 0.947
    assert figures["near"] == {} and "cra_style" not in figures


def test_every_figure_of_the_page_is_a_line_of_cards() -> None:
    drawn = [facts("heart")] * 8
    lines = build_card(answers(drawn, keep=[facts("circle")] * 8), budget_named("full"))["lines"]
    keys = {"ira" if line["key"].startswith("ira_") else line["key"] for line in lines}
    assert FIGURES.keys() <= keys and UNEDITED.keys() <= keys
    assert {key for key, _ in PLACES.values()} <= FIGURES.keys()
    assert all(row in FIGURES[key] for key, row in PLACES.values())


def test_every_trial_can_be_asked_for_once() -> None:
    trials = [*arms.gold_trials(), *arms.trials()]
    for trial in trials:
        assert {trial.erased.words, trial.erased.substitute} <= WORLD[trial.erased.kind].keys()
        plan = read_plan(trial.plan)
        METHODS.get(trial.arm.method).check(plan.concepts[0].in_world())
        budget_named(trial.arm.budget)
    names = [trial.plan["name"] for trial in trials]
    assert len(set(names)) == len(names), "the edit of one would be taken for that of another"
    assert {trial.erased.words for trial in trials if trial.arm is arms.INSTANT} == {one.words for one in arms.TWELVE}
    assert len(arms.TWELVE) == 12 and all(one.words != "flat" for one in arms.TWELVE)
    further = [trial for trial in trials if trial.seed]
    assert trials[-len(further) :] == further and {trial.erased.kind for trial in further} == {"object"}


def test_of_several_seeds_the_page_has_the_mean_and_its_range() -> None:
    def seeded(seed: int, ua: float) -> dict[str, Any]:
        return result(arm="Concept Ablation", seed=seed, figures=figures_of(card(ua)))

    text = page([result(), seeded(2, 0.98), seeded(0, 0.80), seeded(1, 0.95)], "erasures.json")
    assert "| Concept Ablation (3 seeds) |  | 0.91 [0.80, 0.98] | 0.97 |" in text
    assert "| Concept Ablation (1 of 1) |  | 0.91 |" in text and "| UCE |  | 1.00 [0.95, 1.05] | 0.97 |" in text
    assert "twelve" not in text


def test_the_closed_form_on_twelve_concepts_is_a_table_of_its_own() -> None:
    label = arms.INSTANT.label
    ones = [
        result(arm=label, concept=name, figures=figures_of(card(ua))) for name, ua in (("star", 0.96), ("fish", 0.9))
    ]
    text = page([result(), *ones], "erasures.json")
    before, after = text.split(f"## {label}")
    assert "## fish" not in before and f"| {label}" not in before
    assert "median 0.93, lowest 0.90; 1 of 2 are no more than 5 points below" in after
    assert "| fish to heart |  | 0.90 [0.85, 0.95] | 0.97 |" in after


def test_erasures_of_the_family_stand_beside_the_member_that_never_met_the_concept(tmp_path: Path) -> None:
    fades = [
        {"key": "fade", "edit": row(6.0), "beside": row(4.0), "apart": row(1.5)},
        {"key": "fade_floor", "edit": row(2.0), "beside": None, "apart": None},
    ]
    figures = figures_of({"lines": [*card()["lines"], *fades]})
    of_family = result(model=arms.FAMILY, base="f" * 64, figures=figures)
    kept = record.with_result(record.with_result({"results": []}, result()), of_family)
    assert len(kept["results"]) == 2, "another model's weights are no other weights of this one"
    before, after = page(kept["results"], "erasures.json").split("## Beside a model that never met the concept")
    assert before.count("| UCE |") == 1 and "(1 of 1)" in before
    cells = [cell.strip() for cell in next(line for line in after.splitlines() if line.startswith("| UCE")).split("|")]
    assert cells[-6:] == ["6.00 [5.95, 6.05]", "4.00 [3.95, 4.05]", "1.50 [1.45, 1.55]", "2.00 [1.95, 2.05]", "", ""]
    plans = [trial.plan for trial in arms.gold_trials()]
    assert {plan["model"] for plan in plans} == {arms.FAMILY} and {plan["method"] for plan in plans} > {"uce", "ca"}


def test_a_distance_stands_over_its_floor_and_without_one_is_left_out() -> None:
    line = {"key": "fd_keep", "edit": row(24.0), "beside": row(20.0), "apart": None}
    figures = figures_of({"lines": [line]})
    text = page([result(figures=figures), result(arm="ESD", figures={"fd_keep": {"edit": row(24.0)}})], "erasures.json")
    assert "| 1.20 [1.20, 1.20] |" in text and "24.0" not in text


def test_the_page_says_what_is_on_record_and_no_more() -> None:
    other = result(
        concept="red",
        kind="colour",
        arm="All but One",
        why="Careful does not erase red.",
        figures={},
        unedited={},
        base="",
    )
    text = page([result(), other], "erasures.json")
    assert "| UCE | 1.00" not in text  # UA was not on this card: its cell is empty
    assert "| UCE |  | 1.00 [0.95, 1.05] | 0.97 |" in text and "## red (colour), to heart" in text
    assert "All but One: Careful does not erase red." in text and "| All but One |  |" in text
    assert "| UCE (1 of 2) |" in text
    # Of ways without an edit what was drawn, once for a concept; nothing where nothing was.
    assert text.count("negative prompt, UA valid: negative prompt 0.25 [0.20, 0.30], n = 32.") == 1


def test_a_result_is_replaced_and_those_of_other_weights_are_dropped(tmp_path: Path) -> None:
    kept = record.with_result({"results": []}, result())
    kept = record.with_result(kept, result(arm="ESD"))
    kept = record.with_result(kept, result(seconds=9.0))
    assert [(one["arm"], one["seconds"]) for one in kept["results"]] == [("ESD", 0.4), ("UCE", 9.0)]
    refused = result(arm="All but One", base="", why="No.")
    assert len(record.with_result(kept, refused)["results"]) == 3
    anew = record.with_result(record.with_result(kept, refused), result(base="c" * 64))
    assert [one["arm"] for one in anew["results"]] == ["All but One", "UCE"]
    out = tmp_path / "docs" / "erasures.md"
    record.write(anew, out)
    assert record.read(out.with_suffix(".json")) == anew and not record.is_stale(tmp_path)
    out.write_text("another")
    assert record.is_stale(tmp_path)
    out.with_suffix(".json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        record.read(out.with_suffix(".json"))


def test_the_page_in_docs_says_what_its_numbers_say() -> None:
    assert not record.is_stale(Path(__file__).parents[3])


@dataclass
class FakeStudio:
    """Makes and cards edits by taking note of it."""

    workspace: Path
    made: list[str] = field(default_factory=list[str])
    carded: list[str] = field(default_factory=list[str])
    plans: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.settings = SimpleNamespace(workspace=self.workspace)
        self.erasures = SimpleNamespace(check=self._check, start=self._start)
        self.edits = SimpleNamespace(list=self._list, show=self._show)
        self.cards = SimpleNamespace(card=self._card, start=self._card_of)
        self.jobs = SimpleNamespace(wait=self._wait)

    def _check(self, plan: dict[str, Any]) -> Any:
        checked = read_plan(plan)
        concepts = tuple(concept.in_world() for concept in checked.concepts)
        for concept in concepts:
            METHODS.get(checked.method).check(concept)
        return checked.model_copy(update={"concepts": concepts, "in_world": True})

    def _start(self, plan: dict[str, Any]) -> str:
        self.made.append(plan["name"])
        self.plans[plan["name"]] = plan
        return f"erase:{plan['name']}"

    def _wait(self, job: str, on_event: Callable[[Any], None]) -> None:
        if job.startswith("erase:"):
            on_event(SimpleNamespace(kind="edit", data={"edit": job.removeprefix("erase:")}))

    def _list(self) -> list[Any]:
        return [self._show(name) for name in self.plans]

    def _show(self, name: str) -> Any:
        plan = json.loads(json.dumps(self.plans[name]))  # as a file gives it back
        return SimpleNamespace(id=name, provenance={"erasure": plan}, base={"unet": "b"}, nbytes=1000, problem="")

    def _card(self, edit: str, budget: str) -> Any:
        return card() if edit in self.carded else None

    def _card_of(self, edit: str, budget: str) -> str:
        self.carded.append(edit)
        return f"card:{edit}"


def test_what_was_made_and_measured_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harmful = replace(METHODS.get("abo"), refused={"colour": "other colours suffer."})
    monkeypatch.setitem(METHODS._entries, "abo", harmful)
    studio: Any = FakeStudio(tmp_path)
    chosen = [trial for trial in arms.trials((arms.ARMS[0], replace(arms.ARMS[3], object_seeds=1)))]
    chosen = [trial for trial in chosen if trial.erased.words in ("star", "red")]
    results = list(tried(studio, chosen))
    assert [(one["concept"], one["arm"], bool(one["why"])) for one in results] == [
        ("star", "UCE", False),
        ("star", "All but One", False),
        ("red", "UCE", False),
        ("red", "All but One", True),
    ]
    assert len(studio.made) == len(studio.carded) == 3 and all(one["date"] for one in results)
    again = list(tried(studio, chosen))
    assert len(studio.made) == len(studio.carded) == 3
    assert [one.get("seconds") for one in again] == [one.get("seconds") for one in results]


def test_what_cannot_be_tried_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--json"]
    assert main(["reproduce", "--erasures", "--quick", "--out", str(tmp_path / "e.md"), *place]) == 2
    assert "not recorded" in json.loads(capsys.readouterr().out)["error"]
    assert main(["reproduce", "magic", "--erasures", *place]) == 2
    assert "No way of erasing" in json.loads(capsys.readouterr().out)["error"]
