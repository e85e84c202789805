from __future__ import annotations

import json
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.services.presets import GuidancePresets
from studio.ui.guidance import board as boards
from studio.ui.guidance import glance, results
from studio.ui.guidance.handlers import Handlers
from studio.ui.sessions import Sessions
from tests.ui.fake_studio import FakeStudio
from tests.ui.guidance.test_handlers import PAGE


def test_the_pictures_of_the_browsers_copy_are_those_of_a_whole_look(fake: FakeStudio, tmp_path: Path) -> None:
    do = Handlers(fake, GuidancePresets(tmp_path / "workspace"), Sessions(boards.BoardSession))
    do.opened(PAGE)
    fake.sketcher.step_s = 0.02
    kept = do.compare(PAGE)["board"]
    client = TestClient(Starlette(routes=[glance.route(fake)]))
    seen = client.post("/guidance/glance", json=kept).json()
    assert seen["busy"] and "progress" in seen["results"]
    while seen["busy"]:
        time.sleep(0.02)
        seen = client.post("/guidance/glance", json=kept).json()
    whole = do.tick(PAGE)
    assert seen == {"results": whole["results"], "film": whole["film"], "busy": False}
    assert seen["results"].count('class="frame done"') == len(kept["rows"])


def test_what_is_no_board_has_no_pictures_and_what_is_no_json_is_refused(fake: FakeStudio) -> None:
    client = TestClient(Starlette(routes=[glance.route(fake)]))
    for value in (None, 7, [], {"cells": "x"}, {"rows": [{}]}):
        seen = client.post("/guidance/glance", content=json.dumps(value)).json()
        assert seen["results"] == results.EMPTY and seen["busy"] is False
    for garbage in (b"", b"{", b"[" * 100_000, b"\xff"):
        assert client.post("/guidance/glance", content=garbage).status_code == 400
    assert client.get("/guidance/glance").status_code == 405
