"""`label formats`, `label export` and `label import` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from studio.preference.exchange.options import ExportOptions
from studio.preference.formats import FORMATS
from tests.preference.formats.mixed import Pictures, labels


@pytest.fixture
def run(capsys: Any, tmp_path: Path) -> Callable[..., Any]:
    """Run an action on a workspace; give what it printed, as JSON, or its error."""

    def command(*words: str, code: int = 0, workspace: str = "workspace") -> Any:
        place = [] if words[0] == "formats" else ["--workspace", str(tmp_path / workspace)]
        assert main(["label", *words, "--json", *place]) == code
        out, error = capsys.readouterr()
        return json.loads(out) if code == 0 else error

    return command


def test_labels_go_from_one_workspace_to_another(tmp_path: Path, run: Callable[..., Any], capsys: Any) -> None:
    pictures = Pictures(tmp_path / "store")
    made, source = labels(pictures), tmp_path / "set.jsonl"
    FORMATS.get("jsonl").write(made, pictures, source, ExportOptions(anonymise=False))
    taken = run("import", str(source), "--format", "jsonl", "--campaign", "brought")
    assert (taken["labels"], taken["known"], taken["refused"], taken["foreign_share"]) == (len(made), 0, [], 1.0)
    out = tmp_path / "out.parquet"
    common = ("export", "--format", "pickapic", "--out", str(out))
    written = run(*common, "--ties", "drop", "--campaign", "brought", "--campaign", "brought (ranking)")
    assert written["left_out"] == {"a tie": 4, "compares no two pictures": 1} and written["labels"] == 3
    assert "already" in run(*common, code=2)
    again = run("import", str(out), "--format", "pickapic", "--campaign", "theirs", workspace="other")
    assert again["labels"] == 3 and again["campaigns"] == ["theirs", "theirs (ranking)"]
    names = run("export", "--format", "jsonl", "--out", str(tmp_path / "named"), "--keep-names", "--limit", "2")
    assert names["labels"] == 2 and "Anna" in (tmp_path / "named" / "labels.jsonl").read_text(encoding="utf-8")
    assert (
        main(
            ["label", "import", str(source), "--format", "jsonl", "--campaign", "b", "--workspace", str(tmp_path / "w")]
        )
        == 0
    )
    assert f"{len(made)} labels taken in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("export", "--format", "csv", "--out", "x.csv"), "There is no format of labels named 'csv'"),
        (("export", "--format", "pickapic", "--out", "x.csv"), "ends in .parquet"),
        (("export", "--format", "pickapic", "--out", "x.parquet"), "There is no label to write as Pick-a-Pic."),
        (
            ("export", "--format", "pickapic", "--out", "x.parquet", "--ties", "no"),
            "ties must be one of half, drop, both",
        ),
        (("export", "--format", "pickapic", "--out", "x.parquet", "--limit", "-1"), "limit must be"),
        (("export", "--format", "jsonl", "--out", "x.jsonl", "--rows", "mean"), "has no shares between 0 and 1"),
        (
            ("export", "--format", "kto", "--out", "x", "--snapshot", "s"),
            "There is no snapshot 's'. `label snapshot list`",
        ),
        (("import", "none.parquet", "--format", "pickapic", "--campaign", "a"), "There is no file none.parquet"),
        (("import", ".", "--format", "onetrainer", "--campaign", "a"), "OneTrainer is only written"),
    ],
)
def test_what_is_wrong_is_one_sentence(run: Callable[..., Any], words: tuple[str, ...], sentence: str) -> None:
    error = run(*words, code=2)
    assert sentence in error and error.count("\n") == 1 and not Path("x").exists()


def test_formats_are_listed(run: Callable[..., Any]) -> None:
    listed = {entry["name"]: entry for entry in run("formats")["formats"]}
    assert set(listed) == set(FORMATS.names()) and listed["kto"]["extensions"] == ["folder"]
    assert not listed["simpletuner"]["reads"] and "pairs" in listed["pickapic"]["carries"]
