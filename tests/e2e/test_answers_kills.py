"""Answers over HTTP to an app that is killed again and again: what it acknowledged is there, and there once."""

from __future__ import annotations

import random
import sqlite3
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import serve_on
from tests.storage.labels.setting import Setting
from tests.storage.labels.test_log import check_tallies
from tests.ui.serving import Served, serving

KILLS, WITHIN_S = 20, 1.0  # the instant is drawn between the first answer and that long after it
WHO = "ada"


def answer_until_killed(
    served: Served, campaign: int, pending: dict[str, Any] | None, left_s: float, acknowledged: list[str]
) -> dict[str, Any] | None:
    """Answer questions until the app is gone; give the answer that was sent last and is not known to have arrived."""
    killer = threading.Timer(left_s, served.process.kill)
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as page:
        try:
            while True:
                if pending is None:
                    query = {"annotator": WHO, "campaign": str(campaign), "count": "1"}
                    (item,) = page.get("/label/next", params=query).raise_for_status().json()["items"]
                    pending = {"id": uuid4().hex, "item": item["id"], "question": item["question"], "annotator": WHO}
                page.post("/label/vote", json={**pending, "answer": {"outcome": "left"}}).raise_for_status()
                acknowledged.append(pending["id"])
                pending = None
                if not killer.ident:
                    killer.start()
        except httpx.TransportError:
            served.process.wait()
    return pending


@pytest.mark.slow  # the same of the store alone, in seconds: tests/storage/labels/test_kills.py
@pytest.mark.timeout(3600)
def test_an_answer_the_app_acknowledged_outlives_it(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    setting = Setting(folder)
    campaign = setting.campaign()
    setting.items(campaign, 2000)
    setting.person(WHO)
    setting.archive.close()
    chance, acknowledged, in_flight = random.Random(5), list[str](), 0
    pending: dict[str, Any] | None = None
    for _ in range(KILLS):
        with pytest.raises(AssertionError, match="the page died"), serving(serve_on(folder), folder) as served:
            pending = answer_until_killed(served, campaign.id, pending, chance.uniform(0, WITHIN_S), acknowledged)
        in_flight += pending is not None
    again = Setting(folder)
    with sqlite3.connect(again.archive.workspace.database) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = [id for (id,) in raw.execute("SELECT id FROM labels")]
    raw.close()
    assert len(set(acknowledged)) == len(acknowledged) and len(set(stored)) == len(stored)
    assert set(acknowledged) <= set(stored)
    # Of what was in the middle when the app died, only the last was not sent again.
    assert set(stored) - set(acknowledged) <= {pending["id"] if pending else ""}
    check_tallies(again)
    again.archive.close()
    print(f"{KILLS} kills: {len(acknowledged)} acknowledged, none lost, {in_flight} in the middle of an answer")
