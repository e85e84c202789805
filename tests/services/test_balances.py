"""Balances with the real model: what a look sees, the edit that comes of it, and what is left where it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, EngineError, NotFound
from studio.core.settings import Settings
from studio.engine.events import Event
from studio.services.studio import Studio
from tests.tiny_model import build

PLAN: dict[str, Any] = {
    "name": "balanced-heart",
    "model": "stencil",
    "concept": "heart",
    "attributes": [{"words": "red"}, {"words": "blue"}],
    "rounds": 2,
    "pictures": 4,
    "checked": 4,
    "steps": 4,
}


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("w")
    build(folder / "models" / "other")
    settings = Settings(
        workspace=folder / "w", model_dir=stencil_dir, models_dir=folder / "models", device="cpu", threads=1, port=0
    )
    with Studio(settings, backend="inline") as opened:
        yield opened


def made(studio: Studio, plan: dict[str, Any]) -> list[Event]:
    job = studio.balances.start(plan)
    studio.jobs.wait(job)
    return list(studio.jobs.events(job))


def test_looks_steer_and_the_nearest_is_the_edit_which_is_told_by_other_pictures(studio: Studio) -> None:
    events = made(studio, PLAN)
    *looks, checked = [event.data for event in events if event.kind == "measure"]
    assert [look["step"] for look in looks] == list(range(len(looks))) and len(looks) == 2
    first = looks[0]["values"]
    assert first["red"] > 0.5 > first["blue"] == 0  # the world has red hearts
    assert all(set(look["values"]) == {"red", "blue", "farthest from wanted", "not valid"} for look in looks)
    values = checked["values"]
    assert {"blue", "blue, base", "not valid, base"} <= set(values)
    nearest = min(looks, key=lambda look: look["values"]["farthest from wanted"])
    assert checked["step"] == nearest["step"]

    told = next(event.data for event in events if event.kind == "edit")
    entry = studio.edits.show(told["edit"])
    gammas = entry.provenance["gammas"]
    assert entry.provenance["method"] == "balance" and entry.provenance["measures"] == values
    assert sum(gammas.values()) == pytest.approx(0, abs=1e-9)  # what one gains the other loses
    assert gammas["blue"] > 0 if nearest["step"] else "changes nothing" in told["ended"]

    again = made(studio, PLAN)  # the same pictures, the same numbers, the same edit
    assert next(event.data for event in again if event.kind == "edit")["edit"] == told["edit"]
    assert studio.balances.outlook(PLAN)[0] == 4 * 4


def test_what_is_as_wanted_already_is_changed_by_nothing_and_said_so(studio: Studio) -> None:
    plan = {**PLAN, "attributes": [{"words": "red", "weight": 20}, {"words": "blue"}], "tolerance": 0.9}
    events = made(studio, plan)
    told = next(event.data for event in events if event.kind == "edit")
    assert studio.edits.show(told["edit"]).provenance["gammas"] == {"red": 0, "blue": 0}
    assert "changes nothing" in told["ended"]


def test_stopped_it_keeps_the_nearest_look(studio: Studio) -> None:
    attributes = [{"words": "red"}, {"words": "blue"}, {"words": "green"}]  # four pictures are never thirds
    job = studio.balances.start({**PLAN, "attributes": attributes, "name": "stopped", "rounds": 50, "tolerance": 0.01})

    def stop(event: Event) -> None:
        if event.kind == "measure" and event.data["step"] == 2:
            studio.jobs.stop(job)

    with pytest.raises(EngineError, match="stopped"):
        studio.jobs.wait(job, stop)
    events = list(studio.jobs.events(job))
    assert events[-1].kind == "cancelled"
    told = [event.data for event in events if event.kind == "edit"]
    looks = [event.data["values"]["farthest from wanted"] for event in events if event.kind == "measure"]
    assert bool(told) == (min(looks) < looks[0])
    assert all(studio.edits.show(one["edit"]).name.startswith("stopped") for one in told)


def test_a_model_whose_pictures_nothing_reads_is_refused(studio: Studio) -> None:
    with pytest.raises(BadInput, match="Nothing reads what pictures of other show"):
        studio.balances.start({**PLAN, "model": "other"})
    with pytest.raises(NotFound):
        studio.balances.start({**PLAN, "model": "absent"})
