"""One contract over every backend; then what only a process of its own can be put through."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.engine.backend import Backend, InlineBackend
from studio.engine.config import EngineConfig
from studio.engine.events import Event
from studio.engine.process import MAX_FAILED_STARTS, ProcessBackend
from studio.engine.watch import NOTICED_S, STOP_WITHIN_S
from tests.engine.stand_ins import KINDS
from tests.tiny_model import SIZE_PX

PATIENCE_S = 240.0  # a worker's start is seconds of imports, and minutes on a machine that is busy with a training


def job(count: int = 1, **values: object) -> dict[str, Any]:
    size = {"width": SIZE_PX, "height": SIZE_PX}
    recipes = [
        Recipe.load({"prompt": "a red star", "seed": seed, "steps": 4, **size, **values}) for seed in range(count)
    ]
    return {"kind": "generate", "recipes": [recipe.model_dump(mode="json") for recipe in recipes]}


def long_job(**values: object) -> dict[str, Any]:
    return job(50, steps=1000, **values)


def training(steps: int = 100_000, step_s: float = 0.01) -> dict[str, Any]:
    return {"kind": "train", "steps": steps, "step_s": step_s}


def wait_for(backend: Backend, job_id: str, *kinds: str, since: int = 0) -> Event:
    """Wait for the first event of these kinds, of those numbered above `since`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for event in backend.events(job_id, since, wait_s=1.0):
            since = event.seq
            if event.kind in kinds:
                return event
            assert not event.final, f"{event.kind} instead of {kinds}: {event.data}"
    raise AssertionError(f"none of {kinds} within {PATIENCE_S} s")


def wait_for_state(backend: Backend, *states: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while backend.status().state not in states:
        assert time.monotonic() < deadline, f"still {backend.status()}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def config(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> EngineConfig:
    log = tmp_path_factory.mktemp("logs") / "engine.log"
    return EngineConfig(
        models={"stencil": tiny_model}, device="cpu", threads=1, preload="stencil", log=log, kinds=KINDS
    )


@pytest.fixture(scope="module", params=[InlineBackend, ProcessBackend])
def backend(request: pytest.FixtureRequest, config: EngineConfig) -> Iterator[Backend]:
    made = request.param(config)
    yield made
    made.close()
    made.close()
    assert made.status().state == "closed"


# -- the contract ---------------------------------------------------------------------------------------------------


def test_a_job_tells_its_story(backend: Backend) -> None:
    job_id = backend.submit(job(2))
    wait_for(backend, job_id, "done")
    events = backend.events(job_id)
    assert [event.kind for event in events] == ["queued", "started", "image", "image", "done"]
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    images = [event.data for event in events if event.kind == "image"]
    assert [image["recipe"]["seed"] for image in images] == [0, 1]
    assert all(len(image["rgb"]) == SIZE_PX * SIZE_PX * 3 for image in images)
    assert images[0]["made_by"]["model_hash"] == backend.status().made_by["model_hash"]


def test_the_same_job_gives_the_same_bits(backend: Backend) -> None:
    first, second = backend.submit(job(2)), backend.submit(job(1))
    wait_for(backend, first, "done")
    wait_for(backend, second, "done")
    rgb = [[e.data["rgb"] for e in backend.events(id) if e.kind == "image"] for id in (first, second)]
    assert rgb[0][0] == rgb[1][0] != rgb[0][1]


def test_previews_and_progress_come_while_it_runs(backend: Backend) -> None:
    job_id = backend.submit(long_job())
    preview, progress = wait_for(backend, job_id, "preview"), wait_for(backend, job_id, "progress")
    assert preview.data["png"].startswith(b"\x89PNG")
    assert 1 <= progress.data["step"] <= progress.data["steps"] == 1000
    backend.cancel(job_id)
    wait_for(backend, job_id, "cancelled")


@pytest.mark.parametrize("keep", [True, False])
def test_cancel_is_acknowledged_at_once_and_takes_effect_soon(backend: Backend, keep: bool) -> None:
    job_id = backend.submit(long_job())
    wait_for(backend, job_id, "preview")
    backend.cancel(job_id, keep)
    ended = wait_for(backend, job_id, "cancelled")
    assert "image" not in {event.kind for event in backend.events(job_id)}  # within a step, of the first 1000
    assert ended.data["keep"] is keep
    backend.cancel(job_id, keep)


def test_cancel_of_a_queued_job_leaves_the_others(backend: Backend) -> None:
    first, second, third = backend.submit(long_job()), backend.submit(job()), backend.submit(job())
    backend.cancel(second)
    assert backend.events(second)[-1].kind == "cancelled"
    backend.cancel(first)
    wait_for(backend, first, "cancelled")
    wait_for(backend, third, "done")


def test_a_failing_job_leaves_the_engine_healthy(backend: Backend) -> None:
    bad = backend.submit(job(1, model="no-such-model"))
    assert wait_for(backend, bad, "failed").data == {
        "error": "There is no model named 'no-such-model'; there are stencil.",
        "type": "NotFound",
    }
    wait_for(backend, backend.submit(job()), "done")


def test_guidance_out_of_range_fails_with_a_sentence(backend: Backend) -> None:
    bad = backend.submit(job(1, guidance={"params": {"guidance_scale": 1e6}}))
    assert "guidance_scale must be a number from 0 to 30" in wait_for(backend, bad, "failed").data["error"]


def test_an_unknown_job(backend: Backend) -> None:
    with pytest.raises(NotFound):
        backend.events("nonsense")
    with pytest.raises(NotFound):
        backend.cancel("nonsense")


def test_its_own_id_is_used(backend: Backend) -> None:
    assert backend.submit({**job(), "id": "mine"}) == "mine"
    wait_for(backend, "mine", "done")


def test_status_names_what_runs(backend: Backend) -> None:
    job_id = backend.submit(long_job())
    waiting = backend.submit(job())
    wait_for(backend, job_id, "started")
    status = backend.status()
    assert (status.state, status.running, status.waiting) == ("busy", job_id, 1)
    backend.cancel(job_id)
    wait_for(backend, waiting, "done")
    wait_for_state(backend, "ready")


def test_work_in_the_background_gives_way_and_goes_on(backend: Backend) -> None:
    work = backend.submit(training())
    wait_for(backend, work, "progress")
    pictures = [backend.submit(job()) for _ in range(2)]
    slow = backend.submit(long_job())
    for picture in pictures:
        wait_for(backend, picture, "done")
    wait_for(backend, slow, "progress")
    assert [(entry.id, entry.standing) for entry in backend.queue()] == [(work, "paused"), (slow, "running")]
    assert backend.status().running == slow
    before = backend.queue()[0].progress["step"]
    backend.cancel(slow)
    wait_for(backend, slow, "cancelled")
    deadline = time.monotonic() + PATIENCE_S
    while backend.queue()[0].progress["step"] <= before:
        assert time.monotonic() < deadline, "it does not go on"
        time.sleep(0.01)
    backend.cancel(work)
    wait_for(backend, work, "cancelled")


def test_pictures_ahead_are_drawn_while_a_training_waits_and_give_way_themselves(backend: Backend) -> None:
    work = backend.submit(training())
    wait_for(backend, work, "progress")
    pairs = backend.submit({**job(50, steps=200), "priority": "ahead"})
    wait_for(backend, pairs, "progress")
    picture = backend.submit(long_job())
    wait_for(backend, picture, "progress")
    assert [(entry.id, entry.standing) for entry in backend.queue()] == [
        (work, "paused"),
        (pairs, "paused"),
        (picture, "running"),
    ]
    later = backend.submit({**job(), "priority": "ahead"})
    step = backend.queue()[0].progress["step"]
    backend.cancel(picture)
    wait_for(backend, picture, "cancelled")
    wait_for(backend, pairs, "progress", since=backend.events(pairs)[-1].seq)
    assert backend.queue()[0].progress["step"] == step  # the training waits for both
    backend.cancel(pairs)
    wait_for(backend, pairs, "cancelled")
    wait_for(backend, later, "done")
    wait_for(backend, work, "progress", since=backend.events(work)[-1].seq)
    backend.cancel(work)
    wait_for(backend, work, "cancelled")


def test_what_was_to_run_in_between_and_came_too_late_runs_afterwards(backend: Backend) -> None:
    for late in ({"kind": "unknown", "priority": "interactive"}, {"kind": "unknown", "priority": "ahead"}, job()):
        work = backend.submit({"kind": "end_late", "step_s": 0.3})
        wait_for(backend, work, "started")
        in_between = backend.submit(late)
        wait_for(backend, work, "done")
        wait_for(backend, in_between, "done" if late["kind"] == "generate" else "failed")
        wait_for(backend, backend.submit(job()), "done")  # whoever runs the queue is still there


def test_work_in_the_background_runs_to_its_end(backend: Backend) -> None:
    work = backend.submit(training(steps=5))
    assert wait_for(backend, work, "done").data == {"steps": 5}
    assert [event.kind for event in backend.events(work)] == ["queued", "started", "done"]


def test_work_in_the_background_is_cancelled_within_a_step_and_hands_over_what_it_has(backend: Backend) -> None:
    work = backend.submit(training())
    wait_for(backend, work, "progress")
    backend.cancel(work)
    wait_for(backend, work, "cancelled")
    handed_over = [event.data["step"] for event in backend.events(work) if event.kind == "image"]
    assert len(handed_over) == 1 and handed_over[0] < 100_000
    wait_for(backend, backend.submit(job()), "done")


def test_pictures_in_the_background_give_way_between_two_of_them(backend: Backend) -> None:
    sweep = backend.submit({**job(50, steps=20), "priority": "background"})
    wait_for(backend, sweep, "image")
    wait_for(backend, backend.submit(job()), "done")
    assert backend.events(sweep)[-1].kind != "done"
    backend.cancel(sweep)
    assert 1 <= wait_for(backend, sweep, "cancelled").data["images"] < 50


def test_cancel_of_a_paused_job(backend: Backend) -> None:
    work = backend.submit(training())
    wait_for(backend, work, "progress")
    picture = backend.submit(long_job())
    wait_for(backend, picture, "progress")
    backend.cancel(work)
    assert backend.queue()[0].standing == "stopping"
    backend.cancel(picture)
    wait_for(backend, work, "cancelled")
    wait_for(backend, picture, "cancelled")


def test_the_order_can_be_changed_while_a_job_runs(backend: Backend) -> None:
    running = backend.submit(long_job())
    wait_for(backend, running, "started")
    first, second, work = backend.submit(job()), backend.submit(job()), backend.submit(training(1))
    backend.move(second, successor_id=first)
    assert [(entry.id, entry.position) for entry in backend.queue()] == [
        (running, 0),
        (second, 1),
        (first, 2),
        (work, 3),
    ]
    with pytest.raises(BadInput, match="is waiting"):
        backend.move(running)
    backend.cancel(running)
    wait_for(backend, work, "done")
    assert backend.events(first)[-1].kind == backend.events(second)[-1].kind == "done"


def test_a_bug_in_a_step_is_told_and_logged_and_the_next_job_runs(
    backend: Backend, config: EngineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    said = wait_for(backend, backend.submit({"kind": "break_down"}), "failed").data["error"]
    assert "KeyError" in said and "a detail" not in said
    wait_for(backend, backend.submit(job()), "done")
    assert config.log is not None
    logged = caplog.text if isinstance(backend, InlineBackend) else config.log.read_text(encoding="utf-8")
    assert said.split("error id ")[1][:8] in logged and "a detail for the log" in logged


def test_a_job_that_ends_without_a_word_is_told(backend: Backend) -> None:
    said = wait_for(backend, backend.submit({"kind": "say_nothing"}), "failed").data["error"]
    assert said == "This job ended without saying how."


# -- a process of its own -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
@pytest.mark.usefixtures("quick_workers")
def test_a_killed_worker_is_told_started_again_and_at_last_not_given_the_job(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    try:
        pids = set()
        for _ in range(2):
            job_id = backend.submit(long_job())
            wait_for(backend, job_id, "progress")
            pid = backend.status().pid
            assert pid is not None
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
            ended = wait_for(backend, job_id, "interrupted")
            assert ended.data["type"] == "WorkerDied" and "signal 9" in ended.data["error"]
        assert len(pids) == 2
        refused = backend.submit(long_job())
        behind = backend.submit(job())
        assert "2 times" in wait_for(backend, refused, "failed").data["error"]
        wait_for(backend, behind, "done")
        last = backend.submit(long_job(prompt="a blue square"))
        wait_for(backend, last, "progress")
        pid = backend.status().pid
    finally:
        backend.close()
    # Closed in the middle of a job: it is told, and no process is left.
    assert backend.events(last)[-1].kind == "interrupted"
    assert pid is not None and not _alive(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
@pytest.mark.usefixtures("quick_workers")
def test_a_worker_that_dies_with_two_jobs_in_hand_counts_only_the_one_it_was_at(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    try:
        work = backend.submit(training())
        wait_for(backend, work, "progress")
        picture = backend.submit(long_job())
        waiting = backend.submit(job())
        wait_for(backend, picture, "progress")
        os.kill(backend.status().pid or 0, signal.SIGKILL)
        assert wait_for(backend, picture, "interrupted").data["type"] == "WorkerDied"
        assert wait_for(backend, work, "interrupted").data["type"] == "EngineError"
        wait_for(backend, waiting, "done")
        assert list(backend._deaths.values()) == [1]
        assert "signal 6" in wait_for(backend, backend.submit({"kind": "die"}), "interrupted").data["error"]
        assert config.log is not None
        assert "Fatal Python error: Aborted" in config.log.read_text(encoding="utf-8")
    finally:
        backend.close()


@pytest.mark.usefixtures("quick_workers")
def test_a_device_that_failed_is_told_and_the_next_job_has_a_worker_of_its_own(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    try:
        lost, behind = backend.submit({"kind": "lose_device"}), backend.submit({**job(), "priority": "background"})
        wait_for(backend, lost, "started")
        before = backend.status().pid
        error = wait_for(backend, lost, "failed").data["error"]
        assert error.startswith("The device failed: CUDA error: device-side assert triggered. Run the job again")
        wait_for(backend, behind, "done")
        assert backend.status().pid not in (before, None)
        again = backend.submit({"kind": "lose_device"})
        wait_for(backend, again, "failed")
        refused = backend.submit({"kind": "lose_device"})
        assert "2 times" in wait_for(backend, refused, "failed").data["error"]
    finally:
        backend.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to stop with")
@pytest.mark.usefixtures("quick_workers")
def test_a_worker_that_hangs_is_told_of_and_replaced_and_the_next_job_runs(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    try:
        running = backend.submit(long_job())
        wait_for(backend, running, "progress")
        hung = stop_worker(backend)
        wait_for_stall(backend)
        backend._watch.patience_s = 0
        ended = wait_for(backend, running, "interrupted").data
        assert ended["type"] == "WorkerDied" and "gave no sign of life" in ended["error"]
        wait_for(backend, backend.submit(job()), "done")
        assert not _alive(hung) and list(backend._deaths.values()) == [1]

        # Idle, with a job sent that is larger than what the system keeps of a pipe: nobody waits for it to be read.
        while backend._flying:  # "done" is said before the worker is ready for more
            time.sleep(0.01)
        hung = stop_worker(backend)
        sent = backend.submit({**job(), "padding": "x" * 4_000_000})
        while backend.status().running != sent:
            time.sleep(0.01)
        backend._watch.patience_s = 0
        wait_for(backend, sent, "done")  # it was not begun, so it has waited again
        assert not _alive(hung) and list(backend._deaths.values()) == [1]
    finally:
        backend.close()


def stop_worker(backend: ProcessBackend) -> int:
    pid = backend.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return pid


def wait_for_stall(backend: ProcessBackend) -> None:
    """Put the clock forward until the page would say that nothing is heard of it."""
    deadline = time.monotonic() + PATIENCE_S
    while backend.status().state != "stalled":
        assert time.monotonic() < deadline
        backend._watch.silent_s = NOTICED_S + 1  # what it said before it was stopped may still be on its way
        time.sleep(0.01)
    assert "no sign of life" in backend.status().message


@pytest.mark.usefixtures("quick_workers")
def test_a_stop_that_is_not_heard_ends_the_worker_and_is_no_death_of_the_job(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    try:
        stuck = backend.submit({"kind": "hang"})
        wait_for(backend, stuck, "started")
        waiting = backend.submit({**job(), "priority": "background"})
        for _ in range(2):
            backend.cancel(stuck)
        hung = backend.status().pid
        backend._watch.deaf_s = STOP_WITHIN_S + 1
        assert wait_for(backend, stuck, "cancelled").data["keep"]
        wait_for(backend, waiting, "done")
        assert hung is not None and not _alive(hung) and not backend._deaths
    finally:
        backend.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
def test_a_worker_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _alive(child)
        parent.kill()
    deadline = time.monotonic() + PATIENCE_S
    while _alive(child):
        assert time.monotonic() < deadline, "the worker lives on without its parent"
        time.sleep(0.05)


PARENT = """
import time
from studio.engine.config import EngineConfig
from studio.engine.process import ProcessBackend

if __name__ == "__main__":
    backend = ProcessBackend(EngineConfig(models={}))
    while backend.status().pid is None:
        time.sleep(0.01)
    print(backend.status().pid, flush=True)
    time.sleep(600)
"""


def test_closing_before_it_is_up(config: EngineConfig) -> None:
    backend = ProcessBackend(config)
    began = time.monotonic()
    backend.close()
    assert time.monotonic() - began < PATIENCE_S / 4


@pytest.mark.parametrize("lacking", ["pipe", "process"])
def test_a_process_that_cannot_be_started_fails_its_jobs_and_is_tried_again(
    config: EngineConfig, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """Files used up: the thread that runs the queue must not end of it."""
    starts = 0

    def refuse(*_: object, **__: object) -> None:
        nonlocal starts
        starts += 1
        raise OSError(errno.EMFILE, "Too many open files")

    class Refusing:
        Pipe = staticmethod(multiprocessing.Pipe if lacking == "process" else refuse)

        def Process(self, **_: object) -> Any:
            return SimpleNamespace(start=refuse)

    replaced = SimpleNamespace(get_context=lambda method: Refusing())
    monkeypatch.setattr("studio.engine.process.multiprocessing", replaced)
    monkeypatch.setattr("studio.engine.process.time", SimpleNamespace(sleep=lambda s: None, monotonic=time.monotonic))
    with closing(ProcessBackend(config)) as backend:
        before = 0
        for _ in range(2):  # it lives on to fail the second
            before = starts
            assert "does not start" in wait_for(backend, backend.submit(job()), "failed").data["error"]
            wait_for_state(backend, "broken")
        assert before < starts <= 4 * MAX_FAILED_STARTS  # and does not try without end


@pytest.mark.usefixtures("quick_workers")
def test_a_missing_model_is_told_and_deaths_known_from_before_count(tmp_path: Path) -> None:
    missing = EngineConfig(models={"stencil": tmp_path / "gone"}, preload="stencil")
    backend = ProcessBackend(missing, deaths={"fatal": 2})
    try:
        wait_for_state(backend, "ready")
        assert "is missing" in backend.status().message
        ended = wait_for(backend, backend.submit(job()), "failed")
        assert ended.data["type"] == "AssetError" and str(tmp_path / "gone") in ended.data["error"]
        refused = backend.submit({**job(), "digest": "fatal"})
        assert "2 times" in wait_for(backend, refused, "failed").data["error"]
    finally:
        backend.close()


def _alive(pid: int) -> bool:
    """Whether it runs. One that has ended stays in the table until somebody collects it, which in a container of few
    processes may be nobody.
    """
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # no /proc on this system, or gone between the two lines
        return not Path("/proc/self").exists()
