"""One file and its address make a kind of job: queue, progress, curves, stop, kill and resume are there already."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.services import runs, sources
from studio.services.studio import Studio
from studio.training.lora import measures
from tests.services.test_trainings import ended, is_step, until
from tests.services.toy_kind import MODULUS

pytestmark = pytest.mark.usefixtures("quick_workers")
ENDLESS = 10**6


@pytest.fixture
def studio(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setattr(sources, "KINDS", {**sources.KINDS, "toy": "tests.services.toy_kind:run"})
    with Studio(settings) as opened:
        yield opened


def start(studio: Studio, steps: int, **values: Any) -> str:
    payload = {"kind": "toy", "steps": steps, "seed": 7, "run": runs.new_run(), "what": "a toy", **values}
    work, places = runs.work_of(studio.archive.workspace.root, payload)
    return studio.jobs.submit(work, "background", places=places)


def expected(steps: int, value: int = 7) -> int:
    for _ in range(steps):
        value = (1103515245 * value + 12345) % MODULUS
    return value


def curve(studio: Studio, job: str) -> list[dict[str, Any]]:
    return measures.read(runs.folder_of(studio.archive.workspace.root, studio.jobs.get(job).payload))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kind_of_one_file_works(studio: Studio, draw: Callable[..., Recipe]) -> None:
    first, second = start(studio, ENDLESS), start(studio, 3)
    until(studio, first, is_step(2))
    assert [(entry.job_id, entry.description, entry.position) for entry in studio.jobs.queue()] == [
        (first, "a toy", 0),
        (second, "a toy", 1),
    ]
    assert len(studio.pictures.draw([draw()])) == 1  # in the middle of it
    pid = studio.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(studio, first)[-1].data["type"] == "WorkerDied"
    assert ended(studio, second)[-1].data["value"] == expected(3)  # what waited is not lost with it
    again = studio.jobs.retry(first)
    assert studio.jobs.get(again).payload["from_step"] >= 2
    events = until(studio, again, is_step(0))
    assert next(event for event in events if event.kind == "progress").data["step"] > 2  # it did not begin anew
    studio.jobs.stop(again)
    assert ended(studio, again)[-1].kind == "cancelled"
    points = curve(studio, first)
    assert [point["step"] for point in points] == list(range(1, len(points) + 1))  # each once, through death and stop
    assert [point["values"]["value"] for point in points[:3]] == [expected(step) / MODULUS for step in (1, 2, 3)]


def test_a_job_of_any_kind_finds_its_edits_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [EditRef(edit="no-star-0123456789ab").model_dump(mode="json")]
    payload = {"kind": "toy", "steps": 1, "seed": 7, "request": {"stacks": [[], refs]}, "run": runs.new_run()}
    record = studio.archive.jobs.add("toy", payload)
    studio.archive.jobs.finish(record.id, "failed", "because")
    stored = studio.archive.edits.put("No star", "0123456789ab" + "0" * 52, b"weights")
    submitted: list[dict[str, Any]] = []

    def submit(work: Any, priority: Any, **others: Any) -> str:
        submitted.append({"work": work, **others})
        return record.id

    monkeypatch.setattr(studio.jobs, "submit", submit)
    studio.jobs.retry(record.id)
    assert submitted[0]["edits"] == {"no-star-0123456789ab": str(stored.path)}
    assert submitted[0]["retry_of"] == record.id and submitted[0]["places"]["folder"].endswith(payload["run"])
