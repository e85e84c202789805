"""Looks at a training: when it is over for what is seen, that looking changes nothing, and that it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.core.errors import BadInput, Cancelled
from studio.engine.runner import Engine
from studio.training.lora import files, looks, measures
from studio.training.lora.looks import at_ceiling
from studio.training.lora.plan import Plan
from studio.world.reading import Reading, SeenThing
from tests.tiny_model import build_once
from tests.training.lora.test_trainer import PLAN, Job, engine_of

STEPS = 10


def case(place: int, wanted: str) -> dict[str, Any]:
    return {"prompt": f"a red {wanted} {place}", "seed": place, "wanted": {"things": [[wanted, None]]}}


def looked_at(pictures: int = 6, **values: Any) -> dict[str, Any]:
    """Hearts are expected of the edit that learns, circles of the base."""
    cases, ceiling = ([case(place, wanted) for place in range(pictures)] for wanted in ("heart", "circle"))
    protocol = {"steps": 1, "side_px": 32}
    return {"name": "hearts", "every": 2, "cases": cases, "ceiling": ceiling, "protocol": protocol, **values}


class Eye:
    """Reads a circle in every picture, and a heart beside it from the step `hearts_from` of the training on."""

    def __init__(self, hearts_from: int) -> None:
        self.hearts_from, self.is_blind = hearts_from, False
        self.sizes: list[int] = []  # of what was read together
        self.job: Job | None = None

    def read(self, pictures: np.ndarray[Any, Any]) -> list[Reading]:
        self.sizes.append(len(pictures))
        assert self.job is not None
        names = ["circle", "heart"] if self.job.of("progress")[-1]["step"] >= self.hearts_from else ["circle"]
        things = tuple(SeenThing(name, "red") for name in names)
        return [Reading(things, "one", "flat", "white", "medium", "center", self.is_blind, 0.0) for _ in pictures]

    def at(self, job: Job) -> Job:
        self.job = job
        return job


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture
def engine(model: Path) -> Engine:
    return engine_of(model)


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Eye:
    made = Eye(hearts_from=4)
    monkeypatch.setattr(looks, "oracle", lambda: made)
    return made


@pytest.mark.parametrize(
    ("hits", "ceiling", "is_over"),
    [
        ([], 10, False),
        ([10], 10, False),
        ([10, 10], 10, True),
        ([9, 10, 10], 10, True),
        ([10, 9], 10, False),
        ([10, 10, 9], 10, False),
        ([12, 11], 11, True),
        ([6, 6], 6, True),
        ([12, 12], 5, False),  # the base shows it in fewer than half: blends would pass for it
        ([0, 0], 0, False),
    ],
)
def test_it_is_over_at_two_looks_in_a_row_at_the_ceiling(hits: list[int], ceiling: int, is_over: bool) -> None:
    assert at_ceiling(hits, ceiling, 12) is is_over


def test_it_ends_where_it_has_nothing_to_gain_with_the_bits_of_that_many_steps(
    engine: Engine, eye: Eye, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    job = eye.at(Job(engine, tmp_path / "looked", steps=STEPS, looks=looked_at())).finish()
    edit = job.of("edit")[0]
    assert edit["final"] and edit["steps"] == 5  # looked at after 2 and 4 steps, right then, and sooner after that
    assert edit["ended"] == "Stopped after 5 of 10 steps: hearts in 6 of 6 pictures, as often as by the base (6)."
    plain = Job(engine, tmp_path / "plain", steps=5).finish()
    assert plain.of("edit")[0]["sha256"] == edit["sha256"], "to look changes nothing"
    seen = [point for point in job.of("measure") if "hearts" in point["values"]]
    assert [(point["step"], point["values"]) for point in seen] == [
        (step, {"hearts": share, "hearts, base": 1.0}) for step, share in ((2, 0.0), (4, 1.0), (5, 1.0))
    ]
    # The base once; then what cannot be at the ceiling any more after four pictures is not drawn on with.
    assert eye.sizes == [4, 2, 4, 4, 2, 4, 2]


def test_it_goes_on_to_its_last_step_where_it_may_or_must(engine: Engine, eye: Eye, tmp_path: Path) -> None:
    eye.hearts_from = 99
    never = eye.at(Job(engine, tmp_path / "never", steps=STEPS, looks=looked_at())).finish()
    eye.hearts_from = 0
    told_not_to = eye.at(Job(engine, tmp_path / "told", steps=STEPS, looks=looked_at(stops=False))).finish()
    eye.is_blind = True  # all is invalid, the base's own too
    blind = eye.at(Job(engine, tmp_path / "blind", steps=STEPS, looks=looked_at())).finish()
    for job in (never, told_not_to, blind):
        (edit,) = job.of("edit")
        assert (edit["steps"], edit["final"]) == (STEPS, True) and "ended" not in edit


def test_stopped_anywhere_it_looks_at_the_same_steps_and_ends_with_the_same_bits(
    engine: Engine, eye: Eye, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"steps": STEPS, "looks": looked_at(pictures=2)}
    whole = eye.at(Job(engine, tmp_path / "whole", **changes)).finish()
    base = PLAN["bank"]["steps"] * len(PLAN["prompts"])  # turns in which the states of the base are made
    for turn in range(base + 2, whole.turns, 3):
        folder = tmp_path / str(turn)
        job = eye.at(Job(engine, folder, **changes))
        for _ in range(turn):
            next(job.steps)
        with pytest.raises(Cancelled):
            job.steps.throw(Cancelled("stopped"))
        again = eye.at(Job(engine, folder, **changes))
        again.told += [("progress", data) for data in job.of("progress")[-1:]]  # where the eye learns the step
        again.finish()
        assert again.of("edit")[0] == {**whole.of("edit")[0], "path": str(folder / files.EDIT)}, turn
        looked = [point["step"] for point in measures.read(folder) if "hearts" in point["values"]]
        assert looked == [2, 4, 5], turn


def test_looks_that_cannot_be_are_refused_and_a_plan_without_has_the_digest_it_had() -> None:
    unsure = {"prompt": "a star", "seed": 1}
    for wrong in ({"cases": [unsure]}, {"ceiling": [case(0, "circle")]}, {"cases": []}, {"every": 0}):
        with pytest.raises(BadInput):
            Plan.load({**PLAN, "looks": {**looked_at(), **wrong}})
    plain = Plan.load(PLAN)
    assert "looks" not in plain.plain() and plain.digest != Plan.load({**PLAN, "looks": looked_at()}).digest
