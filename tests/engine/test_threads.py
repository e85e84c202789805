"""How threads wait is settled before the library that reads it is loaded; how many there are, as a job begins.

A user's own wish is left alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine import threads
from studio.engine.config import EngineConfig
from studio.engine.runner import Engine
from studio.engine.threads import NUMBERS, SPINS, WAITING, Crowd, ProcessorTimes, processor_times
from studio.services.direct import generate_unrecorded
from studio.services.replay import replay, threads_of

# Stops where torch would be imported, and says how its threads would wait.
WATCHED = """
import os, sys

class AtTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")), flush=True)
            os._exit(0)

sys.meta_path.insert(0, AtTorch())
"""
COMMAND_LINE = "from studio import cli; cli.main(['bench'])"
WORKER = """
from multiprocessing import Pipe
from studio.engine import worker
from studio.engine.config import EngineConfig
ours, theirs = Pipe()
worker.main(EngineConfig(models={}), theirs)
"""


@pytest.mark.parametrize("start", [COMMAND_LINE, WORKER], ids=["command line", "worker"])
@pytest.mark.parametrize(
    ("wish", "settled"),
    [
        ({}, ["None", SPINS]),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, ["ACTIVE", "None"]),
        ({"GOMP_SPINCOUNT": "7"}, ["None", "7"]),
    ],
)
def test_before_torch_is_imported(start: str, wish: dict[str, str], settled: list[str]) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in WAITING} | wish
    made = subprocess.run(
        [sys.executable, "-c", WATCHED + start], env=environ, capture_output=True, text=True, check=True
    )
    assert made.stdout.split() == settled


def crowd(*looks: tuple[float, float, float], processors: int = 2) -> Crowd:
    """One that has seen these times: (at, busy, ours), in seconds."""
    times = iter(ProcessorTimes(*look) for look in looks)
    seen = Crowd(lambda: next(times), processors)
    for _ in looks:
        seen.look()
    return seen


@pytest.mark.parametrize(
    ("processors", "others", "most", "threads"),
    [
        (2, 0.0, 2, 2),
        (2, 0.2, 2, 2),  # a page that is looked at
        (2, 1.0, 2, 1),
        (2, 1.3, 2, 1),  # what two busy programs are left with beside one thread
        (2, 2.0, 2, 1),
        (32, 1.0, 16, 16),
        (32, 20.0, 16, 12),
        (32, 32.0, 16, 1),
        (1, 0.0, 1, 1),
    ],
)
def test_as_many_threads_as_others_leave_room_for(processors: int, others: float, most: int, threads: int) -> None:
    ours = 1.5  # what this process takes itself is nobody else's
    seen = crowd((10.0, 500.0, 30.0), (13.0, 500.0 + 3 * (others + ours), 30.0 + 3 * ours), processors=processors + 2)
    assert seen.others() == pytest.approx(others)
    assert crowd((0, 0, 0), (3, 3 * others, 0), processors=processors).threads(most) == threads


@pytest.mark.parametrize("looks", [[], [(5.0, 1.0, 1.0)], [(5.0, 1.0, 1.0), (5.1, 1.2, 1.0)]])
def test_what_was_seen_for_too_short_decides_nothing(looks: list[tuple[float, float, float]]) -> None:
    assert crowd(*looks).others() is None and crowd(*looks).threads(2) == 2


def test_only_the_last_seconds_count() -> None:
    busy_once = [(0.0, 0.0, 0.0), *((60.0 + second, 120.0, 0.0) for second in range(4))]
    assert crowd(*busy_once).others() == 0.0


def test_where_the_system_does_not_tell_nothing_is_known() -> None:
    def untold() -> ProcessorTimes:
        raise RuntimeError("no such counters here")

    seen = Crowd(untold)
    seen.look()
    assert seen.threads(2) == 2


def test_a_busy_program_is_seen_and_this_one_is_not() -> None:
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        seen = Crowd()
        seen.look()
        time.sleep(1.0)
        seen.look()
    finally:
        other.kill()
        other.wait()
    others = seen.others()
    assert others is not None and others > 0.25  # of a whole one, on a machine that may be busy besides

    before, until = processor_times(), time.monotonic() + 0.5
    while time.monotonic() < until:
        pass
    after = processor_times()
    assert after.ours_s - before.ours_s > 0.05
    assert after.busy_s - before.busy_s >= after.ours_s - before.ours_s - 0.1  # it is part of the whole


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NUMBERS:
        monkeypatch.delenv(name, raising=False)
    number = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(number)


BUSY, QUIET = crowd((0, 0, 0), (3, 6, 0)), crowd((0, 0, 0), (3, 0, 0))


def drawn(engine: Engine, pictures: int = 1, threads: int | None = None) -> Any:
    """The steps of a job, and what it tells."""
    told: list[tuple[str, Any]] = []
    recipes = [Recipe(prompt="a red star", seed=seed, steps=2, width=64, height=64) for seed in range(pictures)]
    job = {"kind": "generate", "recipes": [recipe.model_dump(mode="json") for recipe in recipes], "threads": threads}
    return engine.steps(job, lambda kind, data: told.append((kind, data)), lambda: False), told


def numbers(told: list[tuple[str, Any]]) -> list[int]:
    return [data["made_by"]["threads"] for kind, data in told if kind == "image"]


@pytest.fixture
def config(tiny_model: Path) -> EngineConfig:
    return EngineConfig(models={"stencil": tiny_model}, device="cpu", previews=False)


@pytest.mark.usefixtures("unsettled")
def test_a_job_beside_busy_programs_has_fewer_threads_and_the_next_has_them_back(config: EngineConfig) -> None:
    engine = Engine(config, BUSY)
    steps, told = drawn(engine)
    list(steps)
    engine._crowd = QUIET
    steps, later = drawn(engine)
    list(steps)
    assert (numbers(told), numbers(later)) == ([1], [2])


@pytest.mark.usefixtures("unsettled")
def test_the_number_of_a_job_stays_while_another_with_its_own_runs_between(config: EngineConfig) -> None:
    engine = Engine(config, QUIET)
    steps, told = drawn(engine, 3)
    next(steps)
    engine._crowd = BUSY
    between, meanwhile = drawn(engine)
    list(between)
    list(steps)
    assert (numbers(told), numbers(meanwhile)) == ([2, 2, 2], [1])


@pytest.mark.usefixtures("unsettled")
@pytest.mark.parametrize(("wished", "has"), [(1, 1), (10_000, 2), (None, 2)])
def test_a_job_that_asks_for_a_number_has_it_where_there_are_as_many_processors(
    config: EngineConfig, wished: int | None, has: int
) -> None:
    engine = Engine(config, QUIET)
    steps, told = drawn(engine, threads=wished)
    list(steps)
    assert numbers(told) == [has]


@pytest.mark.usefixtures("unsettled")
@pytest.mark.parametrize("name", ["settings", *NUMBERS])
def test_who_says_how_many_threads_has_them(config: EngineConfig, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "settings":
        config = EngineConfig(models=config.models, device="cpu", previews=False, threads=2)
    else:
        monkeypatch.setenv(name, "2")
    engine = Engine(config, BUSY)
    steps, told = drawn(engine)
    list(steps)
    assert numbers(told) == [2]


@pytest.mark.usefixtures("unsettled")
def test_a_replay_has_as_many_threads_as_the_picture_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Settings.resolve({"workspace": str(tmp_path), "threads": 1, "device": "cpu"}, {})
    picture = generate_unrecorded(one, [Recipe(prompt="a red star", seed=7, steps=2, width=128, height=128)])[0]
    assert picture.made_by["threads"] == 1
    (tmp_path / "star.png").write_bytes(picture.png())
    torch.set_num_threads(2)
    settings = Settings.resolve({"workspace": str(tmp_path), "device": "cpu"}, {})
    again = replay(settings, tmp_path / "star.png")
    assert (again.identical, again.picture.made_by["threads"]) == (True, 1)

    two = Settings.resolve({"workspace": str(tmp_path), "threads": 2, "device": "cpu"}, {})
    assert replay(two, tmp_path / "star.png").picture.made_by["threads"] == 2

    torch.set_num_threads(1)  # the picture of a machine with more processors
    monkeypatch.setattr("studio.services.replay.processors", lambda: 0)
    assert threads_of(picture.made_by) is None
    assert replay(settings, tmp_path / "star.png").picture.made_by["threads"] == 1


def test_processors_are_those_this_process_may_use() -> None:
    assert 1 <= threads.processors() <= (os.cpu_count() or 1)
