from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli import main


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
