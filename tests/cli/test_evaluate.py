"""`evaluate`: lists its suites, draws with and without an edit, and knows what it has drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli import main
from studio.cli.evaluate import stack_of
from studio.cli.evaluate_rows import row_text
from studio.core.errors import BadInput
from tests.engine.edits.making import make_edit
from tests.tiny_model import build_once


def test_it_lists_the_suites_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--json"]) == 0
    suites = {each["name"]: each for each in json.loads(capsys.readouterr().out)["suites"]}
    assert suites["one-object"]["pictures"] == 600 and suites["wordings"]["about"]
    assert main(["evaluate"]) == 0
    assert "two-objects" in capsys.readouterr().out


def test_with_and_without_an_edit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from studio.engine.edits.files import to_bytes
    from studio.engine.edits.layout import layout_at

    model, file = build_once(tmp_path_factory), tmp_path / "bold.safetensors"
    shapes = {path: shape for path, shape in layout_at(model).components["unet"].items() if "attn2.to_k" in path}
    file.write_bytes(to_bytes(make_edit(shapes, size=1.0, name="bold")))
    place = ["--workspace", str(tmp_path / "workspace"), "--model-dir", str(model)]
    assert main(["edits", "import", str(file), *place]) == 0
    capsys.readouterr()
    drawing = ["evaluate", "wordings", *place, "--device", "cpu", "--threads", "1", "--steps", "1"]
    out = tmp_path / "results.json"
    assert main([*drawing, "--pictures", "3", "--edits", "bold", "--out", str(out), "--json"]) == 0
    base, edited = json.loads(capsys.readouterr().out)["evaluations"]
    assert (base["label"], base["pictures"], edited["label"]) == ("base", 3, "bold")
    changed = next(row for row in edited["against"]["rows"] if row["name"] == "changed")
    assert (changed["n"], changed["hits"]) == (3, 3)
    plain, other = json.loads(out.read_text())
    assert plain["results"][0]["prompt"] == "could I have a blue heart?" and plain["results"][0]["read"]
    assert other["edits"] == [{"edit": "bold", "strength": 1.0}]
    assert main([*drawing, "--pictures", "3"]) == 0
    text = capsys.readouterr().out
    assert "wordings, base: 3 pictures" in text and "n = 3 pictures" in text
    assert len(list((tmp_path / "workspace" / "evaluations").glob("*.jsonl"))) == 2
    for arguments, said in ((["--quick", "--pictures", "3"], "either"), (["--pictures", "x"], "pictures")):
        assert main([*drawing, *arguments]) == 2
        assert said in capsys.readouterr().err


def test_a_stack_as_it_is_typed() -> None:
    assert stack_of("no-star") == [{"edit": "no-star"}]
    assert stack_of("no=star=0.5") == [{"edit": "no=star", "strength": 0.5}]
    assert stack_of('[{"edit": "a"}, {"edit": "b", "strength": -1}]')[1]["strength"] == -1
    with pytest.raises(BadInput, match="not valid JSON"):
        stack_of("[")


def test_no_number_goes_without_its_n() -> None:
    numbers = {"name": "object", "value": 0.5, "low": 0.1, "high": 0.9, "hits": None, "n": 4}
    assert row_text({**numbers, "hits": 2}).split()[1:] == "50.0 % [10.0 %, 90.0 %] n = 4 pictures".split()
    difference = row_text({**numbers, "unit": "difference"})
    assert difference.split()[1:] == "+0.500 [+0.100, +0.900] n = 4 prompts".split()
    assert row_text({**numbers, "n": 0, "why": "Nobody can read it."}).endswith("object         Nobody can read it.")
