"""Waiting for what a job tells."""

from __future__ import annotations

import time
from collections.abc import Callable

from studio.engine.events import Event
from studio.services.studio import Studio

PATIENCE_S = 240.0  # seconds of work, and minutes on a machine that is busy


def wait_for(studio: Studio, job_id: str, *kinds: str) -> Event:
    """Wait for the first event of these kinds; fail if the job ends with another."""
    since, deadline = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for event in studio.jobs.events(job_id, since, wait_s=1.0):
            since = event.seq
            if event.kind in kinds:
                return event
            assert not event.final, f"{event.kind} instead of {kinds}: {event.data}"
    raise AssertionError(f"none of {kinds} within {PATIENCE_S} s")


def until(condition: Callable[[], object]) -> None:
    """Wait for what happens by itself; fail if it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.005)
