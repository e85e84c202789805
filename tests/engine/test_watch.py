"""Signs of life: what is too long a silence, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from studio.engine.config import EngineConfig
from studio.engine.kinds import Steps
from studio.engine.pulse import Pulse
from studio.engine.watch import NOTICED_S, STOP_WITHIN_S, Watch
from studio.engine.worker import _Worker


def pass_time(watch: Watch, seconds: int, *, busy: bool = True, stopping: bool = False, pulse: bool = True) -> None:
    """Look once a second; with a pulse that tells of no progress, or without one."""
    for _ in range(seconds):
        watch.pass_time(1.0, busy=busy, stopping=stopping)
        if pulse:
            watch.heard()
            watch.pulse(7, watch.longest_s)


def test_a_silent_process_is_noticed_and_then_given_up_busy_or_not() -> None:
    for busy in (True, False):
        watch = Watch(patience_s=100)
        pass_time(watch, int(NOTICED_S), busy=busy, pulse=False)
        assert watch.remark() is None and watch.given_up(starting=False) is None
        pass_time(watch, 71, busy=busy, pulse=False)
        assert "no sign of life for 2 minutes" in (watch.remark() or "")
        assert watch.given_up(starting=False) == "gave no sign of life for 2 minutes"
        assert watch.given_up(starting=True) is None  # it imports
        watch.heard()
        watch.progress()
        assert watch.remark() is None and watch.given_up(starting=False) is None


def test_work_that_gets_nowhere_is_given_up_and_an_idle_process_is_not() -> None:
    idle, busy = Watch(patience_s=100), Watch(patience_s=100)
    pass_time(idle, 500, busy=False)
    pass_time(busy, 60)
    assert busy.remark() is None
    pass_time(busy, 42)
    assert idle.given_up(starting=False) is None and idle.remark() is None
    assert busy.given_up(starting=False) == "made no progress for 2 minutes"
    assert "made no progress for 2 minutes; it is started again after 2 minutes" in (busy.remark() or "")


def test_the_limits_follow_how_long_a_step_takes() -> None:
    watch = Watch(patience_s=100)
    watch.pulse(6, 90.0)  # a step of 90 s has been seen in this job
    pass_time(watch, 1700, stopping=False)
    assert watch.given_up(starting=False) is None
    pass_time(watch, 102)
    assert watch.given_up(starting=False) is not None
    watch.pulse(8, 90.0)
    assert watch.given_up(starting=False) is None  # it got somewhere after all


def test_a_stop_that_is_not_heard_has_its_own_limit() -> None:
    quick, slow = Watch(patience_s=1000), Watch(patience_s=1000)
    slow.pulse(6, 90.0)
    for watch in (quick, slow):
        pass_time(watch, int(STOP_WITHIN_S) + 1, stopping=True)
    assert quick.is_deaf() and not slow.is_deaf()
    pass_time(slow, 240, stopping=True)
    assert slow.is_deaf()
    pass_time(quick, 1)  # the one that was stopped is over
    assert not quick.is_deaf()


def test_time_in_which_nobody_looked_does_not_count() -> None:
    watch = Watch(patience_s=100)
    watch.pass_time(3600, busy=True, stopping=True)  # the computer slept, or the studio itself was stopped
    assert watch.given_up(starting=False) is None and not watch.is_deaf() and watch.remark() is None


def test_the_pulse_tells_the_longest_piece_of_the_job_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 6.0, 8.0, 100.0, 103.0, 104.0])
    monkeypatch.setattr("studio.engine.pulse.time.monotonic", lambda: next(clock))
    beats: list[tuple[int, float]] = []
    pulse = Pulse(lambda count, longest_s: beats.append((count, longest_s)))
    pulse.begin()
    pulse.beat()
    pulse.beat()
    pulse._tell(pulse._beats, pulse._longest_s)
    pulse.begin()  # a minute and a half without a job is no piece of work
    pulse.beat()
    pulse._tell(pulse._beats, pulse._longest_s)
    assert beats == [(3, 2.0), (5, 3.0)]


def test_work_that_asks_whether_to_stop_is_getting_somewhere() -> None:
    class Asking:
        def steps(self, job: Any, tell: Any, should_stop: Callable[[], bool]) -> Steps:
            yield from (None for _ in range(job["asks"]) if not should_stop())

        def made_by(self) -> dict[str, Any]:
            return {}

    said: list[tuple[Any, ...]] = []
    worker = _Worker(EngineConfig(models={}), cast(Any, SimpleNamespace(send=said.append)))
    worker._engine = Asking()
    worker._work("idle", {"asks": 0})
    before = worker._pulse._beats
    worker._work("busy", {"asks": 100})
    assert worker._pulse._beats >= before + 100
    assert [message[:2] for message in said[-2:]] == [("begun", "busy"), ("end", "busy")]
