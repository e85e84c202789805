"""`label ...` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from studio.preference.answer import Answer
from studio.storage.labels.items import NewItem
from tests.storage.labels.setting import Setting


@pytest.fixture
def run(capsys: Any, tmp_path: Path) -> Callable[..., str]:
    """Run a verb on the workspace; give what it printed."""

    def command(*words: str, code: int = 0) -> str:
        assert main(["label", *words, "--workspace", str(tmp_path)]) == code
        out, error = capsys.readouterr()
        return out if code == 0 else error

    return command


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    """A workspace with two campaigns; of the first ada has answered all, and a check wrong; bob half."""
    setting = Setting(tmp_path)
    campaign = setting.campaign("stars", overlap_share=1.0, check_share=0.1)
    setting.campaign("hearts")
    setting.items(campaign, 20)
    wrong = Answer.pair("second")
    for number in range(4):
        pictures = tuple(setting.pictures(2))
        setting.labels.items.add(campaign.id, [NewItem(f"check {number}", pictures, "check", expected=wrong)])
    for alias, count in (("ada", 20), ("bob", 10)):
        setting.person(alias)
        for lease in setting.labels.lease(campaign.id, alias, count):
            setting.vote(lease.token, Answer.pair("first" if lease.item % 2 else "second"))
            setting.clock.move(seconds=5)
    yield setting
    setting.archive.close()


def test_campaigns_and_what_was_answered(setting: Setting, run: Callable[..., str]) -> None:
    # The studio is still open: what only reads may be asked beside it, and what changes something is refused.
    (hearts, stars) = json.loads(run("campaign", "list", "--json"))["campaigns"]
    assert (hearts["name"], stars["labels"], stars["items"]) == ("hearts", 30, 20)
    assert "stars  (pair)  " in run("campaign", "list")
    shown = json.loads(run("campaign", "show", "stars", "--json"))
    assert shown["by_annotator"] == {"ada": 20, "bob": 10} and shown["plan"] == {}
    assert "in use by process" in run("campaign", "pause", "stars", code=2)
    (stats,) = json.loads(run("stats", "stars", "--json"))["campaigns"]
    assert stats["agreement"]["value"] == 1.0 and [person["labels"] for person in stats["annotators"]] == [20, 10]
    assert stats["annotators"][0]["failed"]["n"] == 2
    text = run("stats")
    assert "agreement 1.00 over" in text and "ada: 20 answers, left" in text and "hearts" in text
    setting.archive.close()
    assert "(pair, paused)" in run("campaign", "pause", "stars")
    assert "(pair, archived)" in run("campaign", "archive", "stars")
    assert "stars" not in run("campaign", "list") and "stars" in run("campaign", "list", "--archived")
    assert json.loads(run("campaign", "resume", "1", "--json"))["state"] == "open"
    assert "no campaign 'moons'" in run("campaign", "show", "moons", code=2)


def test_snapshots(setting: Setting, run: Callable[..., str]) -> None:
    setting.archive.close()
    taken = json.loads(run("snapshot", "take", "first", "--campaign", "stars", "--held-out", "0.25", "--json"))
    assert taken["training"] + taken["held_out"] == 30 - 3 and taken["held_out"] and len(taken["digest"]) == 64
    assert "answers to learn from" in run("snapshot", "list")
    assert "already" in run("snapshot", "take", "first", code=2)
    assert "no label to learn from" in run("snapshot", "take", "second", "--campaign", "hearts", code=2)
    assert "is a number, not 'much'" in run("snapshot", "take", "second", "--held-out", "much", code=2)
    assert "seed of a split" in run("snapshot", "take", "second", "--seed", "x", code=2)


def test_a_workspace_without_any(tmp_path: Path, run: Callable[..., str]) -> None:
    assert "no workspace" in run("stats", code=2)
    Setting(tmp_path).archive.close()
    assert run("campaign", "list") == run("stats") == "There are no campaigns yet.\n"
    assert run("snapshot", "list") == "There are no snapshots yet.\n"
