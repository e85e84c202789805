from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from studio.cli import erase, main, trained
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import TrainingOptions


def test_a_concept_is_erased_and_the_edit_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--json"]
    assert main(["erase", "star", "--substitute", "heart", "--name", "no-star", *place]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["edit"].startswith("no-star-") and set(answer["measures"]) == {"star: completeness", "star: leak"}
    assert main(["edits", "list", *place]) == 0
    assert answer["edit"] in capsys.readouterr().out
    assert main(["erase", "star", *place]) == 2
    assert "needs a substitute" in json.loads(capsys.readouterr().out)["error"]
    assert main(["erase", "star", "--substitute", "heart", "--protect", "much", *place]) == 2
    assert "protect" in json.loads(capsys.readouterr().out)["error"]


def test_the_command_line_knows_every_method_and_option() -> None:
    """Its help is written before torch or pydantic are loaded, so it has lists of its own."""
    fields = TrainingOptions.model_fields
    assert set(erase.METHODS) == set(METHODS.names())
    options = {name.replace("-", "_") for name in (*trained.OPTIONS, *erase.NUMBERS)}
    choices_of = {**trained.CHOICES, "towards": erase.TOWARDS}
    assert options | choices_of.keys() | {"carrier"} == fields.keys()
    for name, choices in choices_of.items():
        assert set(choices) == set(get_args(fields[name].annotation)), name


def test_a_training_that_would_take_too_long_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--json", "--method", "ca", "--substitute", "heart"]
    for minutes in ("soon", "0", "-1"):
        assert main(["erase", "star", *place, "--minutes", minutes]) == 2
        assert "number above 0" in json.loads(capsys.readouterr().out)["error"]
    assert main(["erase", "star", *place, "--steps", "none"]) == 2
    assert "steps" in json.loads(capsys.readouterr().out)["error"]
