from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli import main
from studio.cli.trained import OPTIONS
from studio.training.erase import slider
from studio.training.erase.plan import TrainingOptions


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give one of the three"),
        (["--more", "watercolor", "--before", "1", "--after", "2"], "Give one of the three"),
        (["--more", "flat", "--less", "flat"], "Both ends of the slider are 'flat'"),
        (["--more", "baroque"], "does not know the word 'baroque'"),
        (["--more", "luminous"], "No sentence says 'luminous'"),
        (["--more", "large", "--less", "small", "--gamma", "much"], "gamma"),
        (["--more", "large", "--less", "small", "--minutes", "0"], "A time in minutes"),
        (["--before", "1", "--after", "2"], "1"),
        (["--before", "nowhere.png", "--after", "2"], "cannot be read"),
        (["--prompts-file", "nowhere.yaml"], "cannot be read"),
    ],
)
def test_what_makes_no_slider_is_told_before_anything_runs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.setattr(slider, "SOUGHT", 200)
    assert main(["slider", *arguments, "--workspace", str(tmp_path / "w"), "--json"]) == 2
    assert sentence in json.loads(capsys.readouterr().out)["error"]


def test_a_file_s_settings_hold_unless_the_command_line_says_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.services.sliders import SliderService

    plans: list[dict[str, object]] = []

    def start(self: SliderService, plan: dict[str, object], limit_s: float | None = None) -> str:
        plans.append(dict(plan))
        raise KeyboardInterrupt

    monkeypatch.setattr(SliderService, "start", start)
    (tmp_path / "p.yaml").write_text("- {target: star, guidance_scale: 2, resolution: 512}")
    (tmp_path / "c.yaml").write_text("prompts_file: p.yaml\nnetwork: {rank: 4, alpha: 1}\ntrain: {iterations: 9}")
    place = ["--workspace", str(tmp_path / "w"), "--json"]
    assert main(["slider", "--prompts-file", str(tmp_path / "c.yaml"), "--rank", "2", "--name", "e", *place]) == 130
    (plan,) = plans
    assert plan["training"] == {"rank": 2, "steps": 9} and (plan["alpha"], plan["gamma"], plan["name"]) == (1, 2, "e")
    assert "Without effect here: resolution." in capsys.readouterr().err


def test_every_flag_of_a_training_is_an_option_of_one() -> None:
    assert {name.replace("-", "_") for name in OPTIONS} <= set(TrainingOptions.model_fields)
