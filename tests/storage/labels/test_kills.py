"""Killed at any instant, no acknowledged answer is lost and none is there twice; many people at once likewise."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from studio.preference.answer import Answer
from studio.storage.labels.log import AlreadyAnswered, Circumstances
from tests.storage.labels.setting import Setting
from tests.storage.labels.test_log import check_tallies

ROOT = Path(__file__).resolve().parents[3]
THOUSAND = pytest.param(1000, id="1000 instants", marks=[pytest.mark.slow, pytest.mark.timeout(7200)])


def start(setting: Setting, campaign: int, alias: str, prefix: str, *pending: str) -> subprocess.Popen[str]:
    database = str(setting.archive.workspace.database)
    arguments = (database, str(campaign), alias, prefix, *pending)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.labels.voting", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def spoken(process: subprocess.Popen[str]) -> list[list[str]]:
    """All it says from here on, a list of words for each line, and its end."""
    assert process.stdout is not None
    lines = [line.split() for line in process.stdout.read().splitlines()]
    process.stdout.close()
    process.wait()
    return lines


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
@pytest.mark.parametrize("instants", [pytest.param(5, id="5 instants"), THOUSAND])
def test_an_answer_that_was_acknowledged_outlives_the_process(setting: Setting, instants: int) -> None:
    campaign = setting.campaign()
    setting.items(campaign, 40 * instants)
    chance = random.Random(3)
    acknowledged: dict[str, int] = {}
    pending: list[str] = []
    open_sends = 0
    for round_ in range(instants):
        process = start(setting, campaign.id, "ada", f"r{round_}", *pending)
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(chance.randint(1, 25))]
        time.sleep(chance.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        lines += spoken(process)
        assert process.returncode == -signal.SIGKILL, lines[-1:]
        if pending:
            assert lines[0][:2] == [
                "ack",
                pending[0],
            ]  # sent once more, it is acknowledged, whether or not it had arrived
        for line in lines:
            if line[0] == "send":
                pending = line[1:]
            else:
                acknowledged[line[1]] = int(line[2])
                pending = [] if pending and line[1] == pending[0] else pending
        open_sends += bool(pending)
    with sqlite3.connect(setting.archive.workspace.database) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        stored = raw.execute("SELECT id, number FROM labels").fetchall()
        unsaid = {id for id, _ in stored} - set(acknowledged)
    raw.close()
    assert len(stored) == len(dict(stored))
    assert acknowledged.items() <= dict(stored).items()
    assert len(unsaid) <= instants  # at most one of each process was written and not acknowledged any more
    check_tallies(setting)
    print(f"{instants} kills: {len(acknowledged)} acknowledged, none lost, {open_sends} in the middle of an answer")


def test_twenty_people_at_once_answer_everything_once_also_those_who_click_twice(setting: Setting) -> None:
    campaign = setting.campaign(target_per_item=2, overlap_share=0.1)
    items = setting.items(campaign, 60)
    people = [setting.person(f"person {number}") for number in range(20)]

    def click(id: str, token: str) -> int:
        try:
            return setting.labels.log.vote(id, token, "overall", Answer.pair("first"), Circumstances()).number
        except AlreadyAnswered:
            return 0

    def label(alias: str) -> int:
        answered = 0
        with ThreadPoolExecutor(3) as fingers:
            while leases := setting.labels.lease(campaign.id, alias, 2):
                for lease in leases:
                    ids = (lease.token, lease.token, f"another-{lease.token}")  # sent again; and pressed again
                    numbers = list(fingers.map(click, ids, [lease.token] * 3))
                    assert len(set(numbers) - {0}) == 1
                    answered += 1
        return answered

    with ThreadPoolExecutor(20) as pool:
        answered = list(pool.map(label, people))
    labels = list(setting.labels.reader.read(only_standing=False))
    assert len(labels) == sum(answered) == 54 * 2 + 6 * 20
    assert len({(label.item, label.annotator) for label in labels}) == len(labels)
    assert {label.item for label in labels} == set(items)
    check_tallies(setting)


@pytest.mark.slow
def test_twenty_processes_at_once(setting: Setting) -> None:
    campaign = setting.campaign(target_per_item=2)
    setting.items(campaign, 300)
    processes = [start(setting, campaign.id, f"person {number}", f"p{number}") for number in range(20)]
    lines = [line for process in processes for line in spoken(process)]
    assert sum(line == ["over"] for line in lines) == 20
    standing = list(setting.labels.reader.read())
    assert len(standing) == 600 == len({(label.item, label.annotator) for label in standing})
    acknowledged = {line[1] for line in lines if line[0] in ("ack", "undo")}
    assert acknowledged == {label.id for label in setting.labels.reader.read(only_standing=False)}
    check_tallies(setting)
