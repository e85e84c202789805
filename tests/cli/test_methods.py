"""The verb `methods`: everything that can be chosen, with its parameters as the command line takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio import cli
from studio.guidance import GUIDANCE
from studio.guidance.wrapper import WRAPPERS


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["methods", *arguments]) == 0
    return capsys.readouterr().out


def test_everything_is_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = json.loads(said(capsys, "--json", "--workspace", str(tmp_path)))
    assert set(found["guidance methods"]) == set(GUIDANCE.names()) and set(found["wrappers"]) == set(WRAPPERS.names())
    assert "unipc" in found["samplers"] and "apg-tight" in found["presets"]
    assert all(entry["what"].endswith(".") for kind in found.values() for entry in kind.values())


def test_one_is_told_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = said(capsys, "seg", "--workspace", str(tmp_path))
    assert "blur = gaussian  (gaussian | mean)" in text and "seg_scale = 3.0  (0 .. 10)" in text
    assert "arXiv:2408.00760" in text and "apg" not in text
    assert "parameter = guidance_scale  (a number of the method)" in said(capsys, "schedule")


def test_presets_of_the_workspace_are_among_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "presets" / "guidance"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text("{")
    text = said(capsys, "mine", "--workspace", str(tmp_path))
    assert text.startswith("presets:") and "[yours]" in text


def test_a_name_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["methods", "magic"]) == 2
    assert "named 'magic'" in capsys.readouterr().err
