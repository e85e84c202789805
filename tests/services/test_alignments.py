"""Labels before a model learns from them: what there is, what fits them, and what teaches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.preference.answer import Answer
from studio.preference.label import Label, Picture
from studio.services.alignments import AlignmentService, agreement, contents_of
from tests.training.align.making import image, label

WON, LOST, TIE = Answer.pair("first"), Answer.pair("second"), Answer.pair("tie")


class Snapshots:
    """The labels of one snapshot."""

    def __init__(self, learning: Sequence[Label], held_out: Sequence[Label] = ()) -> None:
        self._parts = learning, held_out

    def snapshot_labels(self, name: str) -> tuple[Iterator[Label], Iterator[Label]]:
        if name != "mine":
            raise NotFound(f"There is no snapshot {name!r}.")
        return iter(self._parts[0]), iter(self._parts[1])


class Trainings:
    """Takes note of what is started."""

    def __init__(self) -> None:
        self.plans: list[dict[str, Any]] = []

    def start(self, plan: dict[str, Any], **beside: Any) -> str:
        self.plans.append(plan)
        return "job"


def service(learning: Sequence[Label], held_out: Sequence[Label] = ()) -> tuple[AlignmentService, Trainings]:
    trainings = Trainings()
    settings = SimpleNamespace(models_dir=None)
    card = SimpleNamespace(sampler="ddim")
    sources: Any = SimpleNamespace(
        card=lambda model: card, is_of_world=lambda model: model == "stencil", settings=settings
    )
    labels: Any = Snapshots(learning, held_out)
    return AlignmentService(labels, sources, trainings), trainings  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "objective"),
    [
        ([label(number, WON) for number in range(8)], "dpo"),
        ([label(number, TIE if number < 4 else WON) for number in range(8)], "dpo-ties"),
        ([label(number, Answer.thumb(True), count=1) for number in range(8)], "kto"),
        ([label(number, Answer("ranking", (1, 2, 3, 4)), count=4) for number in range(8)], "plackett-luce"),
    ],
)
def test_the_objective_follows_from_the_kinds_of_labels(labels: list[Label], objective: str) -> None:
    contents = contents_of(labels, 8)
    assert contents.objective == objective and contents.why.endswith(".")
    assert contents.decided + contents.ties + contents.thumbs + contents.lists == len(labels) == contents.labels


def test_what_is_in_a_snapshot_is_counted() -> None:
    pictures = (Picture(image(1), foreign=True, model="sd"), Picture(image(2), model="stencil"))
    foreign = Label("f", 9, "taste", "ann", "A Star 1", pictures, LOST, order=(1, 0))
    contents = contents_of([label(1, WON), label(2, TIE), foreign], 3)
    assert (contents.labels, contents.prompts, contents.decided, contents.ties) == (3, 2, 2, 1)
    assert contents.first_side == 1.0 and contents.foreign == pytest.approx(1 / 6)
    assert contents.models == {"stencil": pytest.approx(5 / 6), "sd": pytest.approx(1 / 6)}
    sentences = contents.warnings("stencil")
    assert sentences[0].startswith("17% of the pictures were not drawn by stencil")
    assert sentences[1].startswith("3 of the answers are held out") and "about 20 more answers" in sentences[1]
    assert contents_of([label(number, WON) for number in range(9)], 9).warnings("stencil") == []


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([label(number, TIE) for number in range(9)], "All 9 answers of 'mine' are ties"),
        ([label(number, WON, prompt="a star") for number in range(9)], "are of one prompt"),
        ([label(number, WON) for number in range(20)], "the picture on the left won"),
        ([label(number, LOST) for number in range(20)], "the picture on the right won"),
        ([label(number, WON) for number in range(2)], "there are 2 of them"),
    ],
)
def test_labels_that_teach_nothing_are_refused_before_anything_runs(labels: list[Label], sentence: str) -> None:
    aligning, trainings = service(labels)
    for attempt in (aligning.check, aligning.start):
        for method in ("dpo", "dpo-ties"):
            with pytest.raises(BadInput, match=sentence):
                attempt({"name": "taste", "snapshot": "mine", "method": method})
    assert trainings.plans == []


def test_pictures_of_held_out_prompts_are_drawn_and_judged_by_what_the_model_has() -> None:
    learning = [label(number, WON if number % 2 else LOST) for number in range(9)]
    held_out = [label(number, WON, prompt=f"a moon {number // 2}") for number in range(20, 26)]
    aligning, trainings = service(learning, held_out)
    for model, method in (("stencil", "dpo"), ("sd", "dpo"), ("stencil", "mapo")):
        params = {"params": {"beta": "auto"}} if method == "dpo" else {}
        aligning.start({"name": "taste", "snapshot": "mine", "model": model, "method": method, **params})
    in_world, elsewhere, mapo = (plan["judged"] for plan in trainings.plans)
    assert in_world["prompts"] == ["a moon 10", "a moon 11", "a moon 12"] == elsewhere["prompts"]
    assert (in_world["features"], in_world["in_world"], in_world["every"]) == ("oracle", True, 20)
    assert (elsewhere["features"], elsewhere["in_world"]) == ("tones", False)
    assert elsewhere["protocol"]["sampler"] == "ddim" and len(elsewhere["prompts"]) * elsewhere["seeds"] <= 9
    assert (
        trainings.plans[0]["auto"] == {"param": "beta", "scale": 13.0}
        and "beta" not in (trainings.plans[0]["loss_params"])
    )
    assert "auto" not in trainings.plans[2] and mapo == in_world
    aligning.start({"name": "taste", "snapshot": "mine", "pictures": 0})
    assert "judged" not in trainings.plans[-1]


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("mapo", {"beta": "auto"}, "MaPO is not held against the base by its beta"),
        ("sft", {"beta": "auto"}, "SFT on winners is not held against the base"),
        ("dpo", {"beta": "auto", "form": "ipo"}, "With the form ipo beta has no effect"),
    ],
)
def test_a_beta_that_cannot_be_found_or_has_no_effect_is_refused(
    method: str, params: dict[str, Any], sentence: str
) -> None:
    aligning, _ = service([label(number, WON if number % 2 else LOST) for number in range(9)])
    with pytest.raises(BadInput, match=sentence):
        aligning.start({"name": "taste", "snapshot": "mine", "method": method, "params": params})


def test_pairs_count_by_how_far_people_agree_and_where_all_do_that_says_nothing() -> None:
    alone = [label(number, WON if number % 2 else LOST) for number in range(8)]
    aligning, trainings = service(alone)
    with pytest.raises(BadInput, match="nobody disagrees in 'mine'"):
        aligning.start({"name": "taste", "snapshot": "mine", "method": "smpo"})
    others = [replace(label(1, answer), id=f"other-{k}") for k, answer in enumerate((WON, LOST, TIE))]
    assert agreement([*alone, *others])[1] == pytest.approx(2.5 / 4) and agreement(alone) == [1.0] * 8
    aligning, trainings = service([*alone, *others])
    aligning.start({"name": "taste", "snapshot": "mine", "method": "smpo"})
    assert sorted(set(trainings.plans[0]["numbers"]["p"])) == pytest.approx([0.375, 0.625, 1.0])


def test_what_is_asked_for_and_not_there_is_named() -> None:
    aligning, _ = service([label(number, WON) for number in range(9)])
    with pytest.raises(NotFound, match="no snapshot 'other'"):
        aligning.start({"name": "taste", "snapshot": "other"})
    with pytest.raises(NotFound, match="objective of preference"):
        aligning.start({"name": "taste", "snapshot": "mine", "method": "ppo"})


def test_a_training_is_started_of_rows_with_what_is_held_out_behind_them() -> None:
    learning = [label(number, WON if number % 2 else LOST) for number in range(9)]
    aligning, trainings = service(learning, [label(number, WON) for number in range(20, 23)])
    assert aligning.start({"name": "taste", "snapshot": "mine", "method": "mapo"}) == "job"
    (plan,) = trainings.plans
    assert len(plan["prompts"]) == 12 and plan["held_out"]["rows"] == 3
    assert plan["pictures"]["images"][9:] == [[image(10 * number)] for number in range(20, 23)]
    assert plan["provenance"]["labels"] == 9 and plan["provenance"]["held_out_labels"] == 3
    assert aligning.contents("mine").held_out == 3
