"""How long an answer and a stop take while the engine draws: over HTTP, to a studio with the real model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from gradio_client import Client

from tests.e2e.conftest import serve_on
from tests.e2e.test_prompt_tab import slowdown
from tests.storage.labels.setting import Setting
from tests.ui.serving import Served, serving

pytestmark = pytest.mark.slow  # figures of this machine
ANSWERS = 200
VOTE_S, STOP_S = 0.1, 0.2


@contextmanager
def drawing(served: Served) -> Iterator[tuple[Client, str]]:
    """A client, and a job that is being drawn."""
    client = Client(served.url, verbose=False)
    try:
        job = client.predict(prompt="a red star", count=200, steps=200, api_name="/generate")
        while not client.predict(job=job["id"], api_name="/job")["progress"]:
            time.sleep(0.05)
        yield client, job["id"]
    finally:
        client.close()


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def test_an_answer_is_on_disk_within_a_tenth_of_a_second_and_a_stop_heard_within_two_while_pictures_are_drawn(
    model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "workspace"
    setting = Setting(folder)
    campaign = setting.campaign()
    setting.items(campaign, ANSWERS + 10)
    setting.archive.close()
    with serving(serve_on(folder), folder) as served, httpx.Client(base_url=served.url, timeout=60) as page:
        page.post("/label/annotator", json={"alias": "Ada"}).raise_for_status()
        with drawing(served) as (client, job):
            before = slowdown()
            votes, questions = [], []
            for _ in range(ANSWERS):
                began = time.monotonic()
                query = {"annotator": "Ada", "campaign": str(campaign.id), "count": "1"}
                (item,) = page.get("/label/next", params=query).raise_for_status().json()["items"]
                questions.append(time.monotonic() - began)
                body = {"id": uuid4().hex, "item": item["id"], "question": item["question"], "annotator": "Ada"}
                began = time.monotonic()
                page.post("/label/vote", json={**body, "answer": {"outcome": "left"}}).raise_for_status()
                votes.append(time.monotonic() - began)
            assert client.predict(job=job, api_name="/job")["status"] == "running"
            began = time.monotonic()
            page.post("/gradio_api/run/stop", json={"data": [job, True]}).raise_for_status()
            stop_s = time.monotonic() - began
    slower = max(1.0, before, slowdown())
    print(
        f"of {ANSWERS} answers 95 of 100 within {1000 * p95(votes):.0f} ms, of questions within "
        f"{1000 * p95(questions):.0f} ms; a stop acknowledged after {1000 * stop_s:.0f} ms ({slower=:.1f})"
    )
    assert p95(votes) <= VOTE_S * slower and stop_s <= STOP_S * slower
