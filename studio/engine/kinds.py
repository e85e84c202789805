"""Kinds of jobs: work that gives way, such as drawing (studio.engine.generate) and what other packages describe.

A kind is a generator function, `run(job, context)`, that yields after each of its steps. Between two steps the engine
runs the interactive jobs that wait, to their end; then it goes on, or stops the job. So a step should be short (to
cancel takes effect after it), and at a `yield` nothing may be half done: no torch mode switched (autocast, inference),
no weights in a state that others must not generate with.

To stop a job the engine raises Cancelled at its `yield`. The job may catch it to hand over what it has, and raises it
again. What it switched on it switches off in a `finally`.

The engine must not import the packages that train (arrows point one way), and may live in another process; so it is
given addresses: EngineConfig(kinds={"align": "studio.training.align:run"}).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from studio.core.errors import Cancelled, NotFound
from studio.engine.events import EventKind

Tell = Callable[[EventKind, dict[str, Any]], None]


@dataclass(frozen=True)
class JobContext:
    """What a running job may use.

    engine: the resident models.
    tell: its events, the last of them "done".
    should_stop: whether it was asked to stop; asked by the engine after each step, and by the job within a long
        one.
    """

    engine: Any
    tell: Tell
    should_stop: Callable[[], bool]


Steps = Generator[None, None, None]
Run = Callable[[Mapping[str, Any], JobContext], Steps]


def going_on() -> bool:
    """What `should_stop` is where nobody can stop the work."""
    return False


def heed(should_stop: Callable[[], bool]) -> None:
    """Raise Cancelled where the work should stop: called between any two pieces of it that take a while."""
    if should_stop():
        raise Cancelled("The job was stopped.")


def find_kind(name: str, addresses: Mapping[str, str]) -> Run:
    """Give the function of a kind, importing its module. Raises NotFound for a name without an address."""
    address = addresses.get(name)
    if address is None:
        raise NotFound(f"There is no kind of job named {name[:60]!r}.")
    module, _, function = address.partition(":")
    return getattr(importlib.import_module(module), function)


def run_in_turns(steps: Steps, should_stop: Callable[[], bool], give_way: Callable[[], None] = lambda: None) -> None:
    """Run a job to its end. give_way: called after each step, runs what is more urgent.

    Raises what the job does, and Cancelled at most one step after `should_stop` gives True.
    """
    with closing(steps):
        for _ in steps:
            give_way()
            if should_stop():
                stopped = Cancelled("The job was stopped.")
                with suppress(StopIteration):  # it may end without a word; it has been stopped all the same
                    steps.throw(stopped)
                raise stopped
