"""Divergences as the studio measures them: queued, done again from the ledger, refused, told of by the edit itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.settings import Settings
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_at
from studio.engine.events import Event
from studio.services.studio import Studio
from studio.training.drift.rows import NO_GOLD
from tests.engine.edits.making import make_edit

SMALL: dict[str, Any] = {"pictures": 2, "levels": 2, "steps": 2}
ERASURE = {
    "model": "stencil",
    "in_world": True,
    "concepts": [{"words": "star", "substitute": "heart", "kind": "object"}],
}


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as opened:
        yield opened


def edit(studio: Studio, folder: Path, provenance: dict[str, Any]) -> str:
    model = studio.settings.model_dir
    shapes = {path: shape for path, shape in layout_at(model).components["unet"].items() if "attn2.to_k" in path}
    path = folder / "no-star.safetensors"
    path.write_bytes(to_bytes(replace(make_edit(shapes, size=1.0, name="no-star"), provenance=provenance)))
    return studio.edits.import_file(path).id


def test_a_measurement_is_done_again_from_the_ledger_and_finds_all_it_knew(studio: Studio, tmp_path: Path) -> None:
    made = edit(studio, tmp_path, {"erasure": ERASURE})
    request = studio.drifts.of_edit(made, **SMALL)
    assert len(request["prompts"]["retain"]) == 2 and not any("star" in text for text in request["prompts"]["retain"])
    job = studio.drifts.start(request)
    studio.jobs.wait(job)
    first = studio.jobs.get(job)
    assert (first.status, first.description) == ("done", "drift: base to edit")
    report = studio.drifts.report(first)
    assert report["edit"] == made and report["rows"]["drift_retain"]["n"] == 2
    assert report["rows"]["fade"]["why"] == NO_GOLD

    again = studio.jobs.retry(job)
    events: list[Event] = []
    studio.jobs.wait(again, events.append)
    record = studio.jobs.get(again)
    assert record.retry_of == job and studio.drifts.report(record) == report
    assert sum(event.kind == "progress" for event in events) <= 1, "nothing was left to measure"

    studio.edits.remove(made)
    with pytest.raises(NotFound):
        studio.jobs.retry(job)
    with pytest.raises(BadInput, match="does not say which run"):
        studio.drifts.measured({"request": request, "run": "../../elsewhere"})


def test_an_edit_that_does_not_say_what_it_erases_has_drifts_and_needs_a_word_for_more(
    studio: Studio, tmp_path: Path
) -> None:
    made = edit(studio, tmp_path, {})
    request = studio.drifts.of_edit(made, **SMALL)
    assert set(request["prompts"]) == {"retain", "unconditional"}
    with pytest.raises(BadInput, match="does not say what it erases"):
        studio.drifts.of_edit(made, gold="stencil", **SMALL)
    named = studio.drifts.of_edit(made, gold="stencil", concept="star", **SMALL)
    assert all("star" in text or "pentagram" in text for text in named["prompts"]["forget"])
    with pytest.raises(BadInput, match="moves nothing"):
        studio.drifts.of_edit(made, strength=0.0)
    with pytest.raises(NotFound, match="nobody"):
        studio.drifts.start(studio.drifts.of_edit(made, gold="nobody", concept="star", **SMALL))
