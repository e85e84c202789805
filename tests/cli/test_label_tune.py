"""`label tune ...` on the command line: started, answered by somebody simulated, taken over, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from tests.tiny_model import build_once


@pytest.fixture
def run(capsys: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Run an action on a workspace with the small model; give its JSON, or the error of another exit code."""
    place = ["--workspace", str(tmp_path / "w"), "--model-dir", str(build_once(tmp_path_factory)), "--threads", "1"]

    def command(*words: str, code: int = 0) -> Any:
        assert main(["label", "tune", *words, *place, "--json"]) == code
        out = json.loads(capsys.readouterr().out)
        return out if code == 0 else out["error"]

    return command


def test_a_scale_is_tuned_and_saved(run: Callable[..., Any]) -> None:
    words = ("--slider", "guidance_scale=1:4:0.5", "--prompt", "a red star", "--steps", "2", "--seed", "1")
    started = run("start", "mine", *words, "--most", "4")
    assert started["state"] == "asking" and started["votes"] == 0 and started["missing"] == 0
    assert [row["path"] for row in started["sliders"]] == ["guidance.params.guidance_scale"]
    assert run("accept", "mine", code=2).startswith("Nothing has been answered")
    answered = run("simulate", "mine", "--best", "guidance_scale=4", "--clarity", "50")
    assert answered["votes"] == answered["questions"] == 4 and answered["state"] == "asked"
    (row,) = answered["sliders"]
    assert row["best"] > 2 and answered["against_start"]["expected"] > 0.5
    assert run("status") == {"tunings": [run("status", "mine")]}
    accepted = run("accept", "mine", "--preset", "by votes")
    assert accepted["preset"] == "by votes" and accepted["guidance"]["params"]["guidance_scale"] == row["best"]
    assert accepted["stack"] == []


def test_what_cannot_be_tuned_is_said(run: Callable[..., Any]) -> None:
    for words, message in (
        (("--slider", "warmth"), "There is nothing to tune called 'warmth'"),
        (("--slider", "guidance_scale=4:1"), "is empty"),
        (("--slider", "guidance_scale=1"), "A range is LOW:HIGH"),
        ((), "needs something to tune"),
        # Where the prediction is the conditional one, there is nothing to rescale.
        (("--slider", "rescale", "--preset", "none"), "Nothing that is tuned changes the pictures"),
    ):
        assert message in run("start", *words, "--prompt", "a star", "--steps", "2", code=2)
