"""`compare` on the command line: drawn, written, drawn again elsewhere; bad input in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.cli import main
from studio.storage.archive import Archive
from tests.tiny_model import SIZE_PX, build_once

RECIPE = {"prompt": "a red star", "width": SIZE_PX, "height": SIZE_PX, "steps": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture
def run(capsys: Any, tmp_path: Path, model: Path) -> Callable[..., Any]:
    """Run the verb in a workspace; give its JSON, or with another code what it said."""

    def command(*words: object, code: int = 0, workspace: str = "mine", threads: bool = True) -> Any:
        settings = ["--workspace", str(tmp_path / workspace), "--model-dir", str(model), "--device", "cpu"]
        settings += ["--threads", "1"] if threads else []
        assert main(["compare", *map(str, words), "--json", *settings]) == code
        out, _ = capsys.readouterr()
        return json.loads(out)

    return command


def test_a_comparison_is_drawn_written_and_drawn_again_elsewhere(run: Callable[..., Any], tmp_path: Path) -> None:
    file, report = tmp_path / "two.json", tmp_path / "report.html"
    rows = [{"name": "plain", "recipe": RECIPE}, {"recipe": {**RECIPE, "steps": 4}}]
    file.write_text(json.dumps({"rows": rows, "columns": [{"seed": 1}, {"seed": 2}]}))
    plan = run(file, "--plan")["plan"]
    assert (plan["missing"], plan["finished"]) == (4, 0) and plan["rows"][1]["differences"] == ["steps: 3 → 4"]
    outs = [word for ending in ("html", "png", "pdf", "json") for word in ("--out", tmp_path / f"report.{ending}")]
    answer = run(file, *outs, "--save", "Two rows")
    assert [row["pictures"] for row in answer["rows"]] == [2, 2] and answer["unread"] == 0
    assert answer["rows"][0]["estimates"]["accuracy"]["n"] == 2
    assert json.loads((tmp_path / "report.json").read_text())["rows"] == answer["rows"]
    assert report.read_bytes().startswith(b"<!doctype html>") and (tmp_path / "report.pdf").read_bytes()[:4] == b"%PDF"
    assert run()["comparisons"] == [{"name": "Two rows", "rows": 2, "columns": 2, "problem": ""}]
    assert run("Two rows", "--plan")["plan"]["missing"] == 0
    test = run("Two rows", "--blind-test", "2", "--pairs", "3")
    assert (test["pairs"], test["answers"], test["over"]) == (3, 0, False) and "steps 4" in test["campaign"]
    number = torch.get_num_threads()
    torch.set_num_threads(2)  # and nobody says how many: it has as many as the report says
    replayed = run("--replay", report, workspace="theirs", threads=False)
    torch.set_num_threads(number)
    archive = Archive.open(tmp_path / "theirs")
    assert {record.made_by["threads"] for record in archive.generations.page(10)} == {1}
    archive.close()
    assert replayed["identical"] and replayed["pictures"] == 4
    assert run(report, "--plan", workspace="theirs")["plan"]["missing"] == 0


def test_bad_input_is_one_sentence(run: Callable[..., Any], tmp_path: Path) -> None:
    file, foreign = tmp_path / "one.json", tmp_path / "foreign.html"
    file.write_text(json.dumps({"rows": [{"recipe": {**RECIPE, "model": "nowhere"}}]}))
    foreign.write_text("<!doctype html><p>hello</p>")
    for words, sentence in (
        ((tmp_path / "none.json",), "There is no file"),
        (("never saved",), "There is no saved comparison"),
        ((foreign,), "holds no comparison of ours"),
        ((file,), "nowhere"),
        ((file, "--out", tmp_path / "x.txt"), "is written as .html, .json, .pdf, .png"),
        ((file, "--blind-test", "first"), "--blind-test is a whole number"),
        ((file, "--blind-test", "1"), "one row against the reference"),
        ((file, "--replay", foreign), "--replay takes a report alone"),
        (("--replay", foreign), "holds no comparison of ours"),
        (("--replay", tmp_path / "none.html"), "There is no file"),
    ):
        refused = run(*words, code=2)
        assert sentence in refused["error"] and "\n" not in refused["error"], words
