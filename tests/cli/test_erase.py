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
    again = ["erase", "star", "--substitute", "heart", *place]
    assert main([*again, "--name", "other"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["edit"] == answer["edit"] and f"is here already, as {answer['edit']}," in err
    assert main([*again, "--name", "No star"]) == 0
    assert "already" not in capsys.readouterr().err
    assert main(["erase", "star", *place]) == 2
    assert "needs a substitute" in json.loads(capsys.readouterr().out)["error"]
    assert main(["erase", "star", "--substitute", "heart", "--protect", "much", *place]) == 2
    assert "protect" in json.loads(capsys.readouterr().out)["error"]


def test_several_are_erased_together_or_apart_and_a_bad_line_costs_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, file = ["--workspace", str(tmp_path / "w"), "--json"], tmp_path / "concepts.csv"
    assert main(["erase", "star -> heart", "red -> blue", "--sliders", *place]) == 0
    joint = json.loads(capsys.readouterr().out)
    assert joint["edit"].startswith("no-star-red-") and set(joint["parts"]) == {"star", "red"}
    assert joint["refused"] == [] and "red: completeness alone" in joint["measures"]
    file.write_text(
        "concept,substitute\nstar,heart\n\n# nothing of that name\nzebra,fish\nscarlet,blue\n", encoding="utf-8"
    )
    assert main(["erase", "--file", str(file), "--separate", *place]) == 1
    out, err = capsys.readouterr()
    apart = json.loads(out)
    assert [edit["edit"].rpartition("-")[0] for edit in apart["edits"]] == ["no-star", "no-scarlet"]
    (refused,) = apart["refused"]
    assert (
        refused["line"] == 5 and "does not know the word 'zebra'" in refused["error"] and "Line 5, 'zebra,fish'" in err
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "Name what to erase"),
        (["star", "--file", "x.txt"], "one of the two"),
        (["--file", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["star -> heart", "red -> blue", "--kind", "object"], "say what one concept is"),
        (["zebra -> star", "meadow -> star"], "None of 2 concepts can be erased. Line 1"),
        (["star -> heart -> fish"], "two arrows"),
    ],
)
def test_what_names_no_concepts_is_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", *words, "--workspace", str(tmp_path / "w"), "--json"]) == 2
    assert complaint in json.loads(capsys.readouterr().out)["error"]


def test_the_command_line_knows_every_method_and_option() -> None:
    """Its help is written before torch or pydantic are loaded, so it has lists of its own."""
    fields = TrainingOptions.model_fields
    assert set(erase.METHODS) == set(METHODS.names())
    options = {name.replace("-", "_") for name in (*trained.OPTIONS, *erase.NUMBERS)}
    choices_of = {**trained.CHOICES, "towards": erase.TOWARDS}
    assert options | choices_of.keys() | set(erase.WORDS) == fields.keys()
    for name, choices in choices_of.items():
        assert set(choices) == set(get_args(fields[name].annotation)), name


def test_a_training_that_would_take_too_long_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--json", "--method", "ca", "--substitute", "heart"]
    for minutes in ("soon", "0", "-1"):
        assert main(["erase", "star", *place, "--minutes", minutes]) == 2
        assert "number above 0" in json.loads(capsys.readouterr().out)["error"]
    assert main(["erase", "star", *place, "--steps", "none"]) == 2
    assert "steps" in json.loads(capsys.readouterr().out)["error"]
