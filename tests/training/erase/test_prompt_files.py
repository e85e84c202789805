"""Other programs' prompt files: what a slider is asked with, row by row; and one sentence for each that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.training.erase.prompt_files import read_prompt_file
from studio.training.erase.prompt_rows import lessons_of
from studio.training.erase.slider import read_slider

LECO = """
- target: "van gogh" # what is erased
  positive: "van gogh"
  unconditional: ""
  neutral: ""
  action: "erase"
  guidance_scale: 1.0
  resolution: 512
  bucketing: false
  batch_size: 2
"""
AGE = """
- {target: woman, positive: old woman, unconditional: woman, neutral: woman, action: enhance, guidance_scale: 4}
- {target: woman, positive: baby woman, unconditional: woman, neutral: woman, action: enhance, guidance_scale: -4}
"""
SLIDER_TOML = """
guidance_scale = 1.5
resolution = 1024
neutrals = ["", "studio photo"]

[[targets]]
target_class = "person"
positive = "smiling person"
negative = "expressionless person"
"""
JOB = """
job: train
config:
  name: detail_slider_v1
  process:
    - type: slider
      network: {type: lierla, linear: 8, linear_alpha: 4}
      train: {noise_scheduler: ddpm, steps: 500, lr: 2e-4, optimizer: adamw, max_denoising_steps: 40}
      slider:
        resolutions: [[512, 512]]
        targets:
          - {target_class: "", positive: high detail, negative: blurry, weight: 1.0, shuffle: true}
        anchors:
          - {prompt: a woman, neg_prompt: animal, multiplier: 1.0}
"""
CONFIG = """
prompts_file: "./data/prompts.yaml"
network: {type: c3lier, rank: 4, alpha: 1.0, training_method: noxattn}
train: {precision: bfloat16, noise_scheduler: ddim, iterations: 1000, lr: 1e-4, max_denoising_steps: 50}
save: {name: temp, path: ./models}
"""


def written(folder: Path, text: str, name: str = "prompts.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def pair(target: str, neutral: str, positive: str, negative: str) -> dict[str, str]:
    return {"target": target, "neutral": neutral, "positive": positive, "negative": negative}


def test_leco_s_erasure_goes_away_from_the_concept_at_positive_strengths(tmp_path: Path) -> None:
    file = read_prompt_file(written(tmp_path, LECO))
    assert file.values == {
        "pairs": [pair("van gogh", "", "", "van gogh")],
        "gamma": 1.0,
        "reach": 1.0,
        "both_ways": False,
    }
    assert set(file.unused) == {"resolution", "bucketing", "batch_size"}


def test_what_a_row_leaves_out_is_as_its_program_has_it(tmp_path: Path) -> None:
    file = read_prompt_file(written(tmp_path, "- target: hat\n- {target: cap, unconditional: head, action: enhance}"))
    assert file.values["pairs"] == [pair("hat", "", "", "hat"), pair("cap", "head", "cap", "head")]


def test_a_negative_scale_swaps_the_ends(tmp_path: Path) -> None:
    values = read_prompt_file(written(tmp_path, AGE)).values
    assert values["gamma"] == 4.0 and not values["both_ways"]
    assert values["pairs"] == [
        pair("woman", "woman", "old woman", "woman"),
        pair("woman", "woman", "woman", "baby woman"),
    ]


def test_a_class_is_taught_both_ways_for_each_neutral_prompt(tmp_path: Path) -> None:
    file = read_prompt_file(written(tmp_path, SLIDER_TOML, "slider.toml"))
    ends = ("smiling person", "expressionless person")
    assert file.values["pairs"] == [pair("person", "", *ends), pair("person", "studio photo", *ends)]
    assert file.values["both_ways"] and file.values["gamma"] == 1.5
    lines = written(tmp_path, "\n a room \n\nat night\n", "lines.txt")
    of_lines = SLIDER_TOML.replace('neutrals = ["", "studio photo"]', f'neutral_prompt_file = "{lines.name}"')
    pairs = read_prompt_file(written(tmp_path, of_lines, "lines.toml")).values["pairs"]
    assert [row["neutral"] for row in pairs] == ["a room", "at night"]


def test_rows_at_both_signs_of_a_multiplier_are_a_slider_both_ways(tmp_path: Path) -> None:
    rows = """
[[prompts]]
target = "girl"
positive = "long hair"
unconditional = "short hair"
action = "enhance"
multiplier = 0.5
[[prompts]]
target = "girl"
positive = "long hair"
unconditional = "short hair"
action = "erase"
multiplier = -0.5
"""
    values = read_prompt_file(written(tmp_path, rows, "rows.toml")).values
    assert values["pairs"] == [pair("girl", "short hair", "long hair", "short hair")]
    assert values["both_ways"] and values["reach"] == 0.5


def test_a_job_of_ai_toolkit_brings_its_settings_and_its_anchors(tmp_path: Path) -> None:
    file = read_prompt_file(written(tmp_path, JOB))
    assert file.values["pairs"] == [pair("", "", "high detail", "blurry")]
    assert file.values["training"] == {"rank": 8, "steps": 500, "lr": 2e-4, "way_steps": 40}
    assert (file.values["alpha"], file.values["name"]) == (4.0, "detail_slider_v1")
    assert file.values["preserves"] == ["a woman"]
    assert {"train.noise_scheduler", "train.optimizer", "network.type", "shuffle"} <= set(file.unused)


@pytest.mark.parametrize("place", ["data/prompts.yaml", "prompts.yaml"])
def test_a_config_names_its_prompts(tmp_path: Path, place: str) -> None:
    written(tmp_path, LECO, place)
    file = read_prompt_file(written(tmp_path, CONFIG, "config.yaml"))
    assert file.values["training"] == {
        "rank": 4,
        "steps": 1000,
        "lr": 1e-4,  # which YAML reads as text
        "way_steps": 50,
        "layers": "noxattn",
    }
    assert file.values["pairs"] and file.values["name"] == "temp" and file.values["alpha"] == 1.0


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", LECO), ("b.toml", SLIDER_TOML), ("c.yml", JOB), ("d.json", json.dumps([{"target": "hat"}]))],
)
def test_what_is_read_is_a_plan(tmp_path: Path, name: str, text: str) -> None:
    values = read_prompt_file(written(tmp_path, text, name)).values
    plan = read_slider({"name": "e", "model": "m", **values})
    assert plan.pairs and all(row.positive != row.negative for row in plan.pairs)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no prompts"),
        ("[]", "holds no prompts"),
        ("just words", "holds no prompts"),
        ("a: b: c", "no YAML: mapping values are not allowed here in line 1"),
        ("- target: [", "no YAML"),
        ("- target: !!python/object/apply:os.system [echo]", "no YAML"),
        ("- 3", "Row 1 of prompts.yaml is no row"),
        ("- positive: hat", "has no target"),
        ("- target: yes", "The target of row 1 of prompts.yaml is no text"),
        ("- {target: hat, unconditonal: head}", "'unconditonal', which no such row has. Did you mean 'unconditional'"),
        ("- {target: hat, action: destroy}", "has the action 'destroy'"),
        ("- {target: hat, action: erase_with_la}", "is for SPM"),
        ("- {target: hat, guidance_scale: strong}", "is 'strong', which is no number"),
        ("- {target: hat, guidance_scale: .nan}", "out of all proportion"),
        ("- {target: hat, guidance_scale: 0}", "teaches nothing with a guidance_scale of 0"),
        ("- {target: hat, unconditional: hat}", "both of its ends are 'hat'"),
        ("- {target: hat, guidance_scale: 1}\n- {target: cap, guidance_scale: 2}", "guidance scales 1 and 2"),
        ("- target: hat\n- {target: cap, multiplier: -1}", "at a negative multiplier alone"),
        ("targets: [{target_class: hat}]", "both of its ends are ''"),
        ("prompts_file: nowhere.yaml", "names 'nowhere.yaml', which is not there"),
        ("config: {process: [{type: sd_trainer}]}", "a job without a slider"),
        ("targets: [{target_class: a, positive: b}]\nneutral_prompt_file: none.txt", "cannot be read"),
        ("- &a [*a]", "Row 1 of prompts.yaml is no row"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_prompt_file(written(tmp_path, text))
    assert sentence in str(caught.value)


def test_no_text_no_toml_and_no_file_are_told_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no TOML"):
        read_prompt_file(written(tmp_path, "[[prompts", "p.toml"))
    with pytest.raises(BadInput, match="cannot be read"):
        read_prompt_file(tmp_path / "nowhere.yaml")
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadInput, match="is no text"):
        read_prompt_file(binary)
    large = written(tmp_path, "#" * 1_000_001)
    with pytest.raises(BadInput, match="too large"):
        read_prompt_file(large)


@pytest.mark.parametrize("action", ["erase", "enhance"])
@pytest.mark.parametrize("scale", [2.0, -2.0])
@pytest.mark.parametrize("multiplier", [0.5, -0.5])
def test_a_lesson_is_the_row_s_own_sum(action: str, scale: float, multiplier: float) -> None:
    """With numbers for prompts: at its strength, the target gives neutral ± scale (positive - unconditional)."""
    says = {"p": 3.0, "u": 1.0, "n": 10.0}
    row: dict[str, Any] = {"target": "t", "positive": "p", "unconditional": "u", "neutral": "n", "action": action}
    (lesson,) = lessons_of({**row, "guidance_scale": scale, "multiplier": multiplier}, "Row 1")
    taught = says[lesson.neutral] + lesson.side * lesson.gamma * (says[lesson.positive] - says[lesson.negative])
    assert taught == 10.0 + (1 if action == "enhance" else -1) * scale * 2.0
    assert lesson.side * lesson.reach == multiplier and lesson.gamma > 0
