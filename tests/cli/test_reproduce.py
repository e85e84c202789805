"""The verb `reproduce`, on a tiny model: its answers, what it keeps, how it refuses and how it stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from studio.engine.runner import Engine
from studio.evidence import reproduce
from studio.services import budget
from tests.tiny_model import build_once


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, the small model, few pictures, and few numbers of steps that equal work is sought in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(build_once(tmp_path_factory)))
    monkeypatch.setenv("PALIMPSEST_DEVICE", "cpu")
    monkeypatch.setattr(reproduce, "PICTURES", 4)
    monkeypatch.setattr(reproduce, "QUICK_PICTURES", 2)
    monkeypatch.setattr(budget, "MAX_STEPS", 8)
    return tmp_path


def test_a_quick_run_answers_and_keeps_nothing(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert cli.main(["reproduce", "time_shift", "--quick", "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    (result,) = answer["claims"]
    assert answer["quick"] and result["name"] == "time_shift" and result["pictures"] == 2
    assert result["verdict"] in ("holds", "does not hold", "inconclusive")
    assert "(quick)" in err and [arm["steps"] for arm in result["arms"]] == [4, 4]
    assert list(place.iterdir()) == []


def test_a_full_run_is_recorded_claim_by_claim(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert cli.main(["reproduce", "cfg_pp", "--out", "docs/results.md"]) == 0
    assert cli.main(["reproduce", "time_shift", "--out", "docs/results.md"]) == 0
    kept = json.loads((place / "docs" / "results.json").read_text())
    assert list(kept["claims"]) == ["cfg_pp", "time_shift"] and kept["made_by"]["device"] == "cpu"
    page = (place / "docs" / "results.md").read_text()
    assert "## cfg_pp" in page and "## time_shift" in page
    assert capsys.readouterr().out.startswith("cfg_pp: ")


def test_stopped_in_the_middle_what_was_tried_is_kept(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    steps, jobs = Engine.steps, list[Any]()

    def interrupted(self: Engine, job: Any, *rest: Any) -> Any:
        jobs.append(job)
        if len(jobs) == 2:  # the first claim's pictures are one job
            raise KeyboardInterrupt
        return steps(self, job, *rest)

    monkeypatch.setattr(Engine, "steps", interrupted)
    assert cli.main(["reproduce", "cfg_pp", "time_shift", "--out", "docs/results.md"]) == 130
    assert list(json.loads((place / "docs" / "results.json").read_text())["claims"]) == ["cfg_pp"]
    assert {path.name for path in (place / "docs").iterdir()} == {"results.json", "results.md"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["magic"], "There is no claim of a method named 'magic'; there are claims of apg, "),
        (["apg", "--quick", "--out", "docs/results.md"], "A quick run is not recorded"),
        (["apg", "--out", "results.txt"], "--out must be a file name ending in .md"),
        (["autoguidance"], "needs an early checkpoint of the model"),
        (["apg", "--taste"], "The trial of tastes has no methods, and is not recorded"),
    ],
)
def test_refusals(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert cli.main(["reproduce", *arguments]) == 2
    out, err = capsys.readouterr()
    assert sentence in err and out == "" and list(place.iterdir()) == []
