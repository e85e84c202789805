"""A whole trial on a small model: drawn, answered, trained and compared, and nothing of it twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from studio.cli import main
from studio.core.settings import Settings
from studio.evidence.alignment.answers import answered
from studio.evidence.alignment.arms import Arm, Trial
from studio.evidence.alignment.people import CLEAN
from studio.evidence.alignment.pool import draw_pool
from studio.evidence.alignment.prompts import Prompts
from studio.evidence.alignment.sizes import Sizes
from studio.evidence.alignment.trial import Trials
from studio.services.studio import Studio
from tests.quick_trainings import quick_trainings as quick_trainings
from tests.tiny_model import build_once

SIZES = Sizes(prompts=6, plain=4, worded=1, answers=30, tuned=2, test=2, seeds=2, stated=2, drift=2)
FEW = {"steps": 2}
ARMS = (
    Arm("two strengths", "dpo", "as it comes", FEW, strengths=(0.5, 2.0)),
    Arm("alike", "dpo", "half of the pairs", FEW, subset="alike"),
    Arm("ranked", "rankdpo", "of four pictures", FEW),
)


def test_what_was_drawn_answered_and_trained_is_there_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(workspace=tmp_path, model_dir=build_once(tmp_path_factory), device="cpu", port=0, threads=1)
    trials = [Trial(CLEAN, arm) for arm in ARMS]
    with Studio(settings, backend="inline") as studio:
        results = list(Trials(studio, SIZES).tried(trials, (0,)))
        first = Counter(job.kind for job in studio.jobs.newest(200))
        assert first["train"] == len(ARMS)
        assert list(Trials(studio, SIZES).tried(trials, (0,))) == results
        second = Counter(job.kind for job in studio.jobs.newest(200))
        assert (second["train"], second["generate"]) == (first["train"], first["generate"])
        pool = draw_pool(studio, Prompts.of(SIZES).labelled, SIZES, lambda sentence: None)
        answers = [answered(pool, CLEAN, "pairs", 8, seed) for seed in (0, 0, 1)]
        ranked = answered(pool, CLEAN, "lists", 8, 0)
    for result, arm in zip(results, ARMS, strict=True):
        assert result["arm"] == arm.label and result["steps"] == 2 and result["strength"] in arm.strengths
        assert len(result["open"]["win"]) == SIZES.test and result["open"]["pictures"] == SIZES.test * SIZES.seeds
        assert len(result["stated"]["accuracy"]) == SIZES.stated and len(result["drift"]) == SIZES.drift
        assert all(nats >= 0 for nats in result["drift"]) and result["seconds"] > 0 and result["rise"] is not None
    assert [point["strength"] for point in results[0]["curve"]] == [0.5, 2.0] and results[1]["curve"] == []
    assert 0 < results[1]["decided"] <= results[0]["decided"] * 2 and results[2]["decided"] == 0
    # A seed is of the answers too.
    assert [label.answer for label in answers[0]] == [label.answer for label in answers[1]]
    assert [label.pictures for label in answers[0]] != [label.pictures for label in answers[2]]
    assert len(ranked) == 4 and all(sorted(label.answer.ranks) == [1, 2, 3, 4] for label in ranked)


def test_what_cannot_be_tried_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*flags: str) -> str:
        assert main(["reproduce", *flags, "--workspace", str(tmp_path / "w"), "--json"]) == 2
        return json.loads(capsys.readouterr().out)["error"]

    assert "not recorded" in refusal("--alignment", "--quick", "--out", str(tmp_path / "a.md"))
    assert "by the objective 'magic'" in refusal("magic", "--alignment")
    assert "One trial at a time" in refusal("--alignment", "--erasures")
    assert not (tmp_path / "w").exists()
