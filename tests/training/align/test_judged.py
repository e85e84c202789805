"""Looks at held-out pictures: they change nothing, end what breaks pictures, and the kept state is chosen by them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import Cancelled, WorkspaceError
from studio.engine.edits.files import read_edit
from studio.engine.runner import Engine
from studio.metrics.look import Drift
from studio.preference.answer import Answer
from studio.training.align.rows import rows_of
from studio.training.lora import judged, measures
from studio.training.lora.choice import Sight
from studio.training.lora.judged import Judged, scaled
from studio.training.lora.jury import Jury
from studio.training.lora.plan import Plan
from studio.training.lora.preferred import labels_of, learn
from tests.training.align.making import label
from tests.training.align.test_objectives import Run, dense, engine_for, paths_of, small

STEPS = 6


@pytest.fixture
def sd(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, str]:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    return engine_for("sd", tmp_path_factory)


def looked_at(model: str, name: str = "dpo", **values: Any) -> dict[str, Any]:
    looks = {"prompts": ["a star", "a red square"], "seeds": 2, "every": 2, "protocol": {"steps": 1}, "strengths": []}
    return {**small(name, model), "steps": STEPS, "lr": 0.05, "judged": {**looks, **values}}


class Sights:
    """What is seen, by step and strength, in the place of pictures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **by_step: tuple[float, float]) -> None:
        self.values = {int(name.removeprefix("at_")): value for name, value in by_step.items()}
        self.seen: list[tuple[int, float]] = []

        def look(mine: Judged, step: int, strength: float) -> Generator[None, None, Sight]:
            yield
            self.seen.append((step, strength))
            won, broken = self.values[step]
            return Sight(step, strength, won * strength, broken * strength, 1.0, 10.0)

        monkeypatch.setattr(Judged, "_look", look)


def test_to_look_changes_nothing_and_the_state_that_is_preferred_is_kept(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = looked_at(sd[1])
    paths = paths_of(plan, tmp_path)
    unlooked = {name: value for name, value in plan.items() if name != "judged"}
    plain = Run(sd[0], tmp_path / "plain", paths, unlooked).finish().of("edit")[0]
    four = Run(sd[0], tmp_path / "four", paths, {**unlooked, "steps": 4, "schedule": None}).finish().of("edit")[0]
    run = Run(sd[0], tmp_path / "looked", paths, plan).finish()
    told = run.of("edit")[0]
    assert told["sha256"] == plain["sha256"], "without a taste the last state is kept, and looking has not changed it"
    assert told["outcome"].startswith("Kept step 6: ") and "over 4 held-out pictures" in told["outcome"]
    looks = [point for point in run.of("measure") if "pictures' change" in point["values"]]
    assert {"colour moved", "texture moved", "texture moved, by chance"} <= looks[0]["values"].keys()
    assert [point["step"] for point in looks] == [2, 4, 6] and looks[-1]["values"]["pictures' change"] > 0

    sights = Sights(monkeypatch, at_2=(0.6, 0.0), at_4=(0.8, 0.0), at_6=(0.7, 0.0))
    constant = {**plan, "schedule": None}
    best = Run(sd[0], tmp_path / "best", paths, constant).finish().of("edit")[0]
    assert (best["sha256"], best["steps"], best["final"]) == (four["sha256"], 6, True)
    provenance = read_edit(Path(best["path"])).provenance
    assert provenance["steps"] == 4 and provenance["chosen"]["won"] == 0.8 and sights.seen[-1] == (6, 1.0)


def test_killed_within_a_look_it_ends_with_the_same_edit(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drift, "is_alarming", property(lambda mine: True))  # so that what it says is in the outcome
    plan = looked_at(sd[1])
    paths = paths_of(plan, tmp_path)
    unbroken = Run(sd[0], tmp_path / "whole", paths, plan).finish()
    whole = unbroken.of("edit")[0]
    assert "Look at the pictures" in whole["outcome"]
    for turn in (unbroken.turns * share // 8 for share in (4, 6, 7)):  # within looks and between them
        folder = tmp_path / str(turn)
        run = Run(sd[0], folder, paths, plan)
        for _ in range(turn):
            next(run.steps)
        with pytest.raises(Cancelled):
            run.steps.throw(Cancelled("stopped"))
        again = Run(sd[0], folder, paths, plan).finish().of("edit")[0]
        assert (again["sha256"], again["outcome"]) == (whole["sha256"], whole["outcome"]), turn


def test_it_ends_in_time_for_what_judging_takes(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, limit_s = looked_at(sd[1], strengths=[0.5, 1.4]), 1e8
    monkeypatch.setattr(Judged, "left_s", property(lambda mine: limit_s if mine.past else 0.0))
    sights = Sights(monkeypatch, at_2=(0.6, 0.0), at_3=(0.9, 0.0))
    told = Run(sd[0], tmp_path / "run", paths_of(plan, tmp_path), plan, limit_s=limit_s).finish().of("edit")[0]
    assert told["ended"].startswith("Stopped after 3 of 6 steps: ") and "limit of 3 years" in told["ended"]
    assert (told["steps"], told["final"]) == (3, True) and told["outcome"].startswith("Kept step 3")
    assert sights.seen == [(2, 1.0), (3, 1.0), (3, 1.4)], "judged as a whole training is"


def test_it_ends_where_pictures_break_and_what_is_kept_is_weaker(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = looked_at(sd[1], strengths=[0.5, 1.4], in_world=True, stop_broken=0.3, more_broken=0.25)
    paths = paths_of(plan, tmp_path)
    monkeypatch.setattr(Jury, "_broken", lambda mine, pictures: 0.0)
    sights = Sights(monkeypatch, at_2=(0.6, 0.4), at_4=(0.9, 0.5))
    told = Run(sd[0], tmp_path / "run", paths, plan).finish().of("edit")[0]
    assert told["ended"] == "Stopped after 4 of 6 steps: 50% of the held-out pictures are broken, 0% before."
    assert sights.seen == [(2, 1.0), (4, 1.0), (4, 0.5)], "what breaks too much is tried weaker, not stronger"
    assert "Kept step 4 at 0.5 of its strength" in told["outcome"] and "further, step 4" in told["outcome"]
    edit, state = (read_edit(tmp_path / "run" / name) for name in (files_name(told), judged.file_name(4)))
    for path, low_rank in edit.layers["unet"].items():
        assert torch.allclose(dense(low_rank), 0.5 * dense(state.layers["unet"][path]))
    assert scaled(state, 1) is state


def files_name(told: dict[str, Any]) -> str:
    return Path(told["path"]).name


def test_a_full_disk_at_a_state_is_told_and_the_training_goes_on(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **named: Any) -> None:
        raise WorkspaceError("The edit that was made cannot be written: the disk is full.")

    plan = looked_at(sd[1])
    paths = paths_of(plan, tmp_path)
    monkeypatch.setattr(judged, "hand_over", refuse)
    Sights(monkeypatch, at_2=(0.9, 0.0), at_4=(0.8, 0.0), at_6=(0.7, 0.0))
    run = Run(sd[0], tmp_path / "run", paths, plan).finish()
    troubles = {data.get("trouble", "") for data in run.of("progress")}
    assert any("the disk is full. The training goes on" in trouble and "step 2" in trouble for trouble in troubles)
    told = run.of("edit")[0]
    assert told["final"] and "Kept step 6" in told["outcome"], "what was not kept cannot be chosen"


def test_rows_are_labels_again_and_a_taste_of_them_knows_what_was_liked(sd: tuple[Engine, str]) -> None:
    won, tie = Answer.pair("second"), Answer.pair("tie")
    labels = [label(number, tie if number % 5 == 0 else won) for number in range(60)]
    rows = rows_of(labels, "pairs and ties")
    plan = looked_at(sd[1], "dpo-ties")
    images = [[row.pictures[""]] for row in rows]
    values = {
        **plan,
        "prompts": [row.prompts for row in rows],
        "numbers": {name: [row.numbers.get(name, 0.0) for row in rows] for name in ("weight", "tie")},
        "pictures": {"images": images, "partners": {"loser": [[row.pictures["loser"]] for row in rows]}},
        "held_out": {"rows": 12, "every": 1},
    }
    checked = Plan.load(values)
    back = labels_of(checked, range(60))
    assert [bool(one.answer.ties()) for one in back] == [row.numbers.get("tie") == 1 for row in rows]
    assert {one.prompt for one in back} == {one.prompt for one in labels}
    generator = torch.Generator().manual_seed(3)
    liked = torch.tensor([1.0, -1.0, 0.5, 0.0])
    features = {image: torch.randn(4, generator=generator) for row in rows for image in row.pictures.values()}
    for row in rows:
        if not row.numbers.get("tie"):
            features[row.pictures[""]] = features[row.pictures["loser"]] + liked
    preference = learn(checked, features)
    assert preference is not None and preference.right == preference.tried > 8
    some = torch.randn(5, 4, generator=generator)
    assert (preference.won(some + liked, some) > 0.6).all()
    assert preference.won(some, some).tolist() == pytest.approx([0.5] * 5)
    again = type(preference).load(**preference.state())
    assert torch.equal(again.won(some + liked, some), preference.won(some + liked, some))
    assert learn(Plan.load({**values, "held_out": {"rows": 45, "every": 1}}), features) is None, "15 rows are too few"
