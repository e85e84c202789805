"""The Erase tab over a model that is not of Stencil's world: the same code, in plain sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studio.core.settings import Settings
from studio.services.studio import Studio
from studio.ui.board_events import Call
from studio.ui.erase import board as boards
from studio.ui.erase.board import BoardSession
from studio.ui.erase.handlers import Handlers
from studio.ui.sessions import Sessions
from tests import tiny_model
from tests.ui.erase.test_handlers import FIELDS, held, pictures


def test_a_stable_diffusion_model_is_erased_from_shown_before_and_after_and_its_words_are_looked_up(
    stencil_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_model, "CONTEXT", 77)  # sentences, by a vocabulary of hardly more than letters
    tiny_model.build(tmp_path / "models" / "sd")
    settings = Settings(
        workspace=tmp_path / "w", model_dir=stencil_dir, models_dir=tmp_path / "models", device="cpu", threads=1, port=0
    )
    page = Call("page", model="sd", fields=FIELDS)
    with Studio(settings, backend="inline") as studio:
        do = Handlers(studio, Sessions(BoardSession))
        do.opened(replace(page, stored=boards.plain(boards.new())))
        form = do.visited(page)
        assert "Kind" in form["rows"] and "Propose one" not in form["rows"] and "Try " not in form["rows"]
        assert "some seconds" in form["note"] and "message error" not in form["note"]
        do.row_op(page, {"op": "kind", "row": 1, "value": "object"})
        do.near_op(page, {"op": "suggest"})
        studio.jobs.wait(held(do.looked_for(page)).near.job)  # type: ignore[union-attr]
        assert do.looked_for(page)["near"].count("data-value") == 6
        trial = held(do.erase(page)).trial
        assert trial is not None
        studio.jobs.wait(trial.job)
        drawing = held(do.looked(page)).trial.drawing  # type: ignore[union-attr]
        for job in (trial.base, drawing.job if drawing else ""):
            studio.jobs.wait(job)
        answer = do.looked(page)
        assert len(pictures(answer)) == 8 and "a photo of a star" in answer["pairs"]
        assert "Completeness" in answer["figures"] and answer["card"].count('data-op="measure"') == 3
