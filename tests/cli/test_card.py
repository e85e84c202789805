"""`evaluate EDIT`: the card of an edit, where a name could be a suite's too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli import main
from studio.services.cards import request
from studio.training.erase.card.budget import BUDGETS, Budget

SIZES = {"forget": 2, "keep": 1, "near": 1, "wording": 1, "preserve": 0, "strength": 0, "unedited": 0}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "STEPS", 1)
    monkeypatch.setattr(request, "SHOWN", {"forget": 1})
    monkeypatch.setitem(BUDGETS, "preview", Budget("preview", "", SIZES, SIZES))


def test_the_card_of_an_edit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--threads", "1", "--device", "cpu"]
    assert main(["erase", "star", "--substitute", "heart", "--name", "no-star", *place, "--json"]) == 0
    id = json.loads(capsys.readouterr().out)["edit"]
    html, values = tmp_path / "card.html", tmp_path / "card.json"
    drawing = ["evaluate", "no-star", "--budget", "preview", *place]
    assert main([*drawing, "--json", "--out", str(html)]) == 0
    told = capsys.readouterr()
    card = json.loads(told.out)
    assert card["edit"]["id"] == id and card["budget"] == "preview" and "At most 17 pictures, about" in told.err
    assert {line["key"] for line in card["lines"]} >= {"ua", "ua_valid", "cra", "back", "fade"}
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main(["evaluate", id, "--budget", "preview", *place, "--out", str(values)]) == 0
    told = capsys.readouterr()
    assert told.err == "", "a card that is kept is not drawn again"
    assert "UA, valid" in told.out and "ceiling" in told.out and json.loads(values.read_text())["job"] == card["job"]
    for arguments, said in (
        (["no-star", "wordings"], "of one edit alone"),
        (["no-star", "--quick"], "--quick is for suites"),
        (["no-star", "--steps", "3"], "--steps is for suites"),
        (["no-star", "--budget", "huge"], "There is no budget 'huge'"),
        (["no-star", "--out", str(tmp_path / "card.pdf")], "written as .html or .json"),
        (["wordings", "--budget", "full"], "--budget is of an edit"),
        (["no-stars"], "There is no suite and no edit named 'no-stars'"),
    ):
        assert main(["evaluate", *arguments, *place]) == 2
        assert said in capsys.readouterr().err
    assert main(["edits", "rename", "no-star", "wordings", *place[:2]]) == 0
    assert main(["evaluate", "wordings", *place]) == 2
    assert "'wordings' is a suite and an edit. Name the edit by its id, wordings-" in capsys.readouterr().err
