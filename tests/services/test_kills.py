"""Killed at any instant, the app and its worker leave nothing half done, and the ledger tells the truth."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pytest

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.grids.axes import Axis
from studio.services.studio import Studio
from tests.quick_workers import forking
from tests.services.crashing import draw_for_ever, start_grid
from tests.services.soundness import check_sound
from tests.services.waiting import PATIENCE_S, wait_for

Draw = Callable[..., Recipe]
HUNDRED = pytest.param(100, id="100 instants", marks=[pytest.mark.slow, pytest.mark.timeout(3600)])
INSTANTS = [pytest.param(3, id="3 instants"), HUNDRED]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")


@pytest.mark.parametrize("instants", INSTANTS)
def test_an_app_killed_while_it_makes_pictures(settings: Settings, draw: Draw, instants: int) -> None:
    chance = random.Random(1)
    told: list[tuple[str, Any]] = []
    for round_ in range(instants):
        told += kill_an_app(settings, round_ * 1000, chance.randrange(14), chance.uniform(0, 0.05))
    with Studio(settings, backend="inline") as studio:
        check_sound(studio)
        images = [data for kind, data in told if kind == "image"]
        for image in images:
            shown = studio.history.get(image["generation"])
            assert (shown.sha256, str(shown.image_path)) == (image["sha256"], image["path"])
        assert len({image["generation"] for image in images}) == len(images)
        done = {job_id for kind, job_id in told if kind == "done"}
        assert {studio.jobs.get(job_id).status for job_id in done} <= {"done"}
        cut_off = [job_id for kind, job_id in told if kind == "submitted" and job_id not in done]
        # One that was written down as done may have been killed before it could say so.
        assert "interrupted" in (ends := {studio.jobs.get(job_id).status for job_id in cut_off})
        assert ends <= {"interrupted", "done"}
        assert len(studio.pictures.draw([draw()])) == 1
        assert studio.archive.purge()[1] <= instants  # at most the one file that had no row yet


def kill_an_app(settings: Settings, seed: int, after_messages: int, delay_s: float) -> list[tuple[str, Any]]:
    """Run an app, kill it a moment after it has said so much; give all it said."""
    context = forking()
    ours, theirs = context.Pipe(duplex=False)
    app = context.Process(target=draw_for_ever, args=(settings, theirs, seed))
    app.start()
    theirs.close()
    told = [receive(ours) for _ in range(1 + after_messages)]
    time.sleep(delay_s)
    assert app.pid is not None
    os.kill(app.pid, signal.SIGKILL)
    app.join()
    try:
        while True:
            told.append(receive(ours))
    except (EOFError, OSError):  # OSError: killed in the middle of a word
        ours.close()
    return told


def receive(pipe: Connection) -> tuple[str, Any]:
    assert pipe.poll(PATIENCE_S), "the app says nothing"
    return pipe.recv()


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize("instants", INSTANTS)
def test_a_worker_killed_while_it_makes_pictures(settings: Settings, draw: Draw, instants: int) -> None:
    chance = random.Random(2)
    with Studio(settings) as studio:
        for round_ in range(instants):
            pictures = [draw(seed=round_ * 100 + n, steps=chance.choice((3, 30))) for n in range(20)]
            job_id = studio.pictures.submit(pictures)
            wait_for(studio, job_id, chance.choice(("queued", "started", "image")))
            time.sleep(chance.uniform(0, 0.05))
            if (pid := studio.status().pid) is not None:
                os.kill(pid, signal.SIGKILL)
            # One that was not begun, or was over already, is done; no other end is possible.
            ended = wait_for(studio, job_id, "interrupted", "done")
            job = studio.jobs.get(job_id)
            assert (job.status, job.worker_died) == (ended.kind, ended.kind == "interrupted")
            told = [event.data["generation"] for event in studio.jobs.events(job_id) if event.kind == "image"]
            assert told == [row.id for row in studio.archive.generations.of_job(job_id)]
        assert len(studio.pictures.draw([draw()])) == 1
        check_sound(studio)


def test_a_grid_of_a_killed_app_goes_on_with_what_is_missing(settings: Settings, draw: Draw) -> None:
    axes = [Axis("seed", tuple(range(8)))]
    context = forking()
    app = context.Process(target=start_grid, args=(settings, draw(steps=10), axes))
    app.start()
    app.join(PATIENCE_S)
    assert app.exitcode == -signal.SIGKILL
    with Studio(settings, backend="inline") as studio:
        check_sound(studio)
        before = studio.grids.get(1)
        assert 0 < before.missing < 8 and before.job_id is None
        wait_for(studio, studio.grids.resume(1), "done")
        after = studio.grids.get(1)
        assert after.missing == 0 and studio.history.count() == 8  # no cell was made twice
        kept = {cell.place: cell.generation for cell in before.cells if cell.generation is not None}
        assert kept.items() <= {cell.place: cell.generation for cell in after.cells}.items()
