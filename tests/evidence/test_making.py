"""Edits are made once: which of those that are there count, and what is noted of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.evidence.making import NOTES, Maker


class FakeStudio:
    """Makes an edit of whatever plan it is given, of ten steps."""

    def __init__(self, workspace: Path) -> None:
        self.settings = SimpleNamespace(workspace=workspace)
        self.entries: dict[str, Any] = {}
        self.edits = SimpleNamespace(list=lambda: list(self.entries.values()), show=self.entries.__getitem__)
        self.jobs = SimpleNamespace(wait=self._wait)
        self.provenance: dict[str, Any] = {"steps": 10}
        self.started: list[Mapping[str, Any]] = []

    def start(self, plan: Mapping[str, Any]) -> str:
        self.started.append(plan)
        return f"job {len(self.started)}"

    def _wait(self, job: str, on_event: Callable[[Any], None]) -> None:
        for values in ({"loss": 2.0, "rise": 1.0}, {"loss": 1.0}):
            on_event(SimpleNamespace(kind="measure", data={"step": 1, "values": values}))
        origin = {"alignment": json.loads(json.dumps(self.started[-1])), "training": {"steps": 10}, **self.provenance}
        self.entries[job] = SimpleNamespace(id=job, provenance=origin, problem="")
        on_event(SimpleNamespace(kind="edit", data={"edit": job}))


def maker(studio: Any) -> Maker:
    return Maker(studio, "alignment", studio.start)


def test_what_was_made_is_there_again_with_what_is_known_of_it(tmp_path: Path) -> None:
    studio = FakeStudio(tmp_path)
    first = maker(studio).edit({"name": "taste", "seed": 0})
    again = maker(studio).edit({"seed": 0, "name": "taste"})
    assert len(studio.started) == 1 and first.entry is again.entry
    assert first.measures == again.measures == {"loss": 1.0, "rise": 1.0} and first.seconds == again.seconds is not None
    other = maker(studio).edit({"name": "taste", "seed": 1})
    assert len(studio.started) == 2 and other.entry.id == "job 2"
    # Notes of before are seconds alone.
    stored = json.loads((tmp_path / NOTES).read_text())
    (tmp_path / NOTES).write_text(json.dumps({key: 3.5 for key in stored}))
    old = maker(studio).edit({"name": "taste", "seed": 0})
    assert (old.seconds, old.measures, len(studio.started)) == (3.5, {}, 2)


@pytest.mark.parametrize(
    ("provenance", "counts"),
    [({"steps": 4}, False), ({"steps": 4, "ended": "Stopped."}, True), ({"steps": 4, "outcome": "Kept."}, True)],
)
def test_a_training_that_was_stopped_is_made_anew(tmp_path: Path, provenance: dict[str, Any], counts: bool) -> None:
    studio = FakeStudio(tmp_path)
    studio.provenance = provenance
    for _ in range(2):
        maker(studio).edit({"name": "taste"})
    assert len(studio.started) == (1 if counts else 2)


def test_an_edit_whose_file_is_damaged_is_made_anew(tmp_path: Path) -> None:
    studio = FakeStudio(tmp_path)
    damaged = maker(studio).edit({"name": "taste"}).entry
    studio.entries[damaged.id].problem = "Its file is damaged."
    assert maker(studio).edit({"name": "taste"}).entry.id == "job 2"
