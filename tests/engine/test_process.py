"""What the supervisor of a worker does with what it hears and does not hear: no process, and a clock put forward."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from studio.engine import process
from studio.engine.config import EngineConfig
from studio.engine.process import ProcessBackend
from studio.engine.watch import STOP_WITHIN_S

PATIENCE_S = 100


class Supervisor(ProcessBackend):
    """Does nothing by itself. sent: what the worker was told. killed: whether it was."""

    def __init__(self) -> None:
        super().__init__(EngineConfig(models={}, patience_s=PATIENCE_S))
        self._thread.join()
        self.now_s = self._looked_s = 0.0  # seconds are added up: from a fraction they would be a little more, or less
        self.begin()

    def _supervise(self) -> None:
        pass

    def _nudge(self) -> None:
        pass

    def begin(self) -> None:
        """A worker is there, and ready."""
        self.sent: list[tuple[Any, ...]] = []
        self.killed = False
        child = SimpleNamespace(kill=lambda: setattr(self, "killed", True), join=lambda: None, exitcode=-9, pid=1)
        line = SimpleNamespace(send=lambda message: self.sent.append(message), close=lambda: None)
        self._child, self._line = cast(Any, child), cast(Any, line)
        self._watch = process.Watch(PATIENCE_S)
        self._handle(("ready", {}, None))

    def send_next(self) -> None:
        self._dispatch()
        self._pass_on_cancel()

    def pass_time(self, seconds: int, pulse: bool = False) -> None:
        """Look once a second. pulse: it is heard of, and gets nowhere."""
        for _ in range(seconds):
            self.now_s += 1
            if pulse:
                self._handle(("pulse", 7, 0.0))
            self._look()

    def kinds(self, job: str) -> list[str]:
        return [event.kind for event in self.events(job)]


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    made = Supervisor()
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: made.now_s))
    return made


def two_in_hand(supervisor: Supervisor) -> tuple[str, str]:
    """A training that has begun, and a picture sent to be drawn between two of its steps."""
    training = supervisor.submit({"kind": "train"})
    supervisor.send_next()
    supervisor._handle(("begun", training))
    picture = supervisor.submit({"kind": "generate", "recipes": [1]})
    supervisor.send_next()
    assert [message[:2] for message in supervisor.sent] == [("run", training), ("run", picture)]
    return training, picture


def test_of_a_dead_worker_the_job_it_was_at_is_counted_and_one_not_begun_waits_again_before_all_others(
    supervisor: Supervisor,
) -> None:
    training, picture = two_in_hand(supervisor)
    behind = supervisor.submit({"kind": "generate", "recipes": [2]})
    supervisor._on_death()
    assert supervisor.events(training)[-1].data["type"] == "WorkerDied" and len(supervisor._deaths) == 1
    assert supervisor.kinds(picture) == ["queued"] == supervisor.kinds(behind)
    assert [entry.id for entry in supervisor.queue()] == [picture, behind]
    assert supervisor.status().state == "starting" and "signal 9" in supervisor.status().message
    supervisor.begin()
    supervisor.send_next()
    assert [message[:2] for message in supervisor.sent] == [("run", picture)]
    # What the one before had begun is nothing to this one: the picture is not being drawn yet.
    supervisor.submit({"kind": "train"})
    supervisor.send_next()
    assert len(supervisor.sent) == 1 and not supervisor._begun


def test_of_two_that_had_begun_the_one_that_was_interrupted_is_not_counted(supervisor: Supervisor) -> None:
    training, picture = two_in_hand(supervisor)
    supervisor._handle(("begun", picture))
    supervisor._on_death()
    assert supervisor.events(picture)[-1].data["type"] == "WorkerDied" and len(supervisor._deaths) == 1
    ended = supervisor.events(training)[-1]
    assert (ended.kind, ended.data["type"]) == ("interrupted", "EngineError") and "in between" in ended.data["error"]


def test_a_job_that_has_told_its_end_is_not_counted_when_its_worker_dies_before_it_is_through(
    supervisor: Supervisor,
) -> None:
    training, picture = two_in_hand(supervisor)
    supervisor._handle(("begun", picture))
    supervisor._handle(("tell", picture, "done", {}))
    supervisor._on_death()
    assert supervisor.kinds(picture)[-1] == "done" and supervisor.events(training)[-1].data["type"] == "WorkerDied"
    assert len(supervisor._deaths) == 1
    supervisor.begin()
    alone = supervisor.submit({"kind": "generate", "recipes": [2]})
    supervisor.send_next()
    supervisor._handle(("begun", alone))
    supervisor._handle(("tell", alone, "done", {}))
    supervisor._on_death()
    assert len(supervisor._deaths) == 1
    # A worker ends itself after some failures, and that is counted.
    supervisor.begin()
    failing = supervisor.submit({"kind": "generate", "recipes": [3]})
    supervisor.send_next()
    supervisor._handle(("begun", failing))
    supervisor._handle(("raised", failing, RuntimeError("the device failed")))
    supervisor._on_death()
    assert len(supervisor._deaths) == 2


@pytest.mark.parametrize("begun", [False, True])
def test_one_that_was_asked_to_stop_has_stopped_when_its_worker_dies(supervisor: Supervisor, begun: bool) -> None:
    training, picture = two_in_hand(supervisor)
    if begun:
        supervisor._handle(("begun", picture))
    supervisor.cancel(picture)
    supervisor.send_next()
    assert supervisor.sent[-1] == ("cancel", picture)
    supervisor._on_death()
    assert supervisor.kinds(picture) == ["queued", "cancelled"]
    assert len(supervisor._deaths) == (0 if begun else 1)  # the training's, where that was what it was at
    assert supervisor.kinds(training)[-1] == "interrupted" and not supervisor.queue()


def test_a_job_that_has_ended_its_worker_twice_is_refused_and_the_one_behind_it_runs(supervisor: Supervisor) -> None:
    for _ in range(process.MAX_DEATHS):
        job = supervisor.submit({"kind": "train"})
        supervisor.send_next()
        supervisor._handle(("begun", job))
        supervisor._on_death()
        supervisor.begin()
    refused, other = supervisor.submit({"kind": "train"}), supervisor.submit({"kind": "train", "steps": 2})
    supervisor.send_next()
    assert supervisor.kinds(refused) == ["queued", "failed"] and not supervisor.sent
    supervisor.send_next()
    assert [message[:2] for message in supervisor.sent] == [("run", other)]


def test_a_wish_to_stop_goes_unheard_only_where_it_is_that_jobs_turn(supervisor: Supervisor) -> None:
    """A picture waits for a step of the training, however long that takes: it shall not be lost for it."""
    _, picture = two_in_hand(supervisor)
    supervisor.cancel(picture)
    supervisor.pass_time(int(STOP_WITHIN_S) + 10, pulse=True)
    assert not supervisor.killed
    supervisor._handle(("begun", picture))
    supervisor.pass_time(int(STOP_WITHIN_S), pulse=True)
    assert not supervisor.killed
    supervisor.pass_time(2, pulse=True)
    assert supervisor.killed and supervisor._ended == "did not stop when asked to and was ended"


def test_silence_is_no_silence_while_words_of_it_are_unread(supervisor: Supervisor) -> None:
    supervisor._inbox.put(("pulse", 1, 0.0))
    supervisor.pass_time(PATIENCE_S + 10)
    assert not supervisor.killed  # a slow disk keeps us, and not the worker
    supervisor._inbox.get()
    supervisor.pass_time(1)
    assert supervisor.killed and "gave no sign of life" in (supervisor._ended or "")


def test_an_idle_worker_with_a_pulse_is_left_alone_and_a_starting_one_has_three_times_as_long(
    supervisor: Supervisor,
) -> None:
    supervisor.pass_time(5 * PATIENCE_S, pulse=True)
    assert not supervisor.killed
    supervisor._state = "starting"
    supervisor._watch = process.Watch(PATIENCE_S)
    supervisor.pass_time(3 * PATIENCE_S)
    assert not supervisor.killed
    supervisor.pass_time(1)
    assert supervisor.killed


@pytest.mark.parametrize("state", ["starting", "ready"])
def test_one_with_a_pulse_that_gets_nowhere_is_ended_also_while_it_starts(
    supervisor: Supervisor, state: Literal["starting", "ready"]
) -> None:
    two_in_hand(supervisor)
    patience_s = PATIENCE_S
    if state == "starting":
        supervisor._flying, supervisor._state, patience_s = [], state, 3 * PATIENCE_S
    supervisor.pass_time(patience_s, pulse=True)
    assert not supervisor.killed
    supervisor.pass_time(2, pulse=True)
    assert supervisor.killed and "made no progress" in (supervisor._ended or "")


def test_one_job_at_a_time_is_sent_to_be_run_in_between(supervisor: Supervisor) -> None:
    training = supervisor.submit({"kind": "train"})
    supervisor.send_next()
    supervisor._handle(("begun", training))
    ahead = supervisor.submit({"kind": "generate", "priority": "ahead"})
    supervisor.send_next()
    urgent = supervisor.submit({"kind": "generate"})
    supervisor.send_next()
    assert [message[1] for message in supervisor.sent] == [training, ahead]
    supervisor._handle(("begun", ahead))
    supervisor.send_next()
    assert [message[1] for message in supervisor.sent] == [training, ahead, urgent]


def test_a_studio_that_was_stopped_itself_finds_its_worker_alive(supervisor: Supervisor) -> None:
    two_in_hand(supervisor)
    supervisor.now_s += 3600
    supervisor._look()
    assert not supervisor.killed
