"""`label campaign make ...` on the command line: made, drawn to the end, enlarged, and made of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from tests.services.labels.foreign_files import a1111, comfyui
from tests.tiny_model import build_once


@pytest.fixture
def run(capsys: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Run an action on a workspace with the small model; give its JSON, or the error of another exit code."""
    place = ["--workspace", str(tmp_path / "w"), "--model-dir", str(build_once(tmp_path_factory)), "--threads", "1"]

    def command(*words: str, code: int = 0) -> Any:
        assert main(["label", "campaign", *words, *place, "--json"]) == code
        out = json.loads(capsys.readouterr().out)
        return out if code == 0 else out["error"]

    return command


def test_a_campaign_is_made_drawn_and_enlarged(run: Callable[..., Any], tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("prompt\na red star\na blue square\n", encoding="utf-8")
    made = run("make", "mine", "--count", "3", "--prompts", str(prompts), "--prompt", "a star", "--steps", "2")
    assert (made["name"], made["items"], made["missing"], made["trouble"]) == ("mine", 3, 0, "")
    assert made["pictures"] >= 6 and made["foreign_share"] == 0
    more = run("more", "mine", "2")
    assert (more["items"], more["missing"]) == (5, 0)
    later = run("make", "--count", "2", "--prompt", "a star", "--no-draw", "--mode", "thumb", "--steps", "2")
    assert (later["name"], later["items"], later["missing"]) == ("2 items of stencil", 0, 2)
    assert later["trouble"] == "Some pictures are not drawn yet."
    assert run("draw", later["name"])["items"] == 2
    assert [campaign["items"] for campaign in run("list")["campaigns"]] == [2, 5]


def test_files_of_other_programs_become_a_campaign_and_what_was_not_taken_is_told(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for number in range(3):
        a1111(folder / f"{number}.png", "a star", number)
    comfyui(folder / "copy.png", "a star", 2)
    (folder / "page.png").write_bytes(b"<html>")
    made = run("from-pictures", str(folder), str(a1111(tmp_path / "4.png", "a moon", 4)), "--people", "2")
    assert (made["items"], made["in_items"], made["alone"], made["foreign_share"]) == (3, 3, 1, 1)
    assert made["duplicates"] == [["copy.png", "2.png"]]
    assert [name for name, _ in made["refused"]] == ["page.png"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("make", "--count", "x", "--prompt", "a"), "count"),
        (("make", "--mode", "triple", "--prompt", "a"), "triple"),
        (("make", "--steps", "two", "--prompt", "a"), "--steps are a whole number"),
        (("make", "--hidden", "0.5", "--prompt", "a"), "only where you say which"),
        (("make", "--prompts", "none.txt"), "cannot be read"),
        (("make", "--edits", "gone"), "gone"),
        (("make", "--preset", "gone"), "gone"),
        (("more", "gone", "3"), "gone"),
        (("from-pictures", "none"), "none"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(
    run: Callable[..., Any], words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in run(*words, code=2)
