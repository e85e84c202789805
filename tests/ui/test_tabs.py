"""A tab is one file: what it declares is all that the page around it knows."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from studio.ui import app, server, theme
from studio.ui import tabs as package
from studio.ui.handover import targets
from studio.ui.tabs import tabs
from tests.ui.fake_studio import FakeStudio

TOY = '''
"""Toy: counts."""

import gradio as gr
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from studio.ui import handover, watch
from studio.ui.tabs import Tab
from studio.ui.wiring import Wiring


def build(page):
    parts = {
        **page.parts,
        "go": gr.Button("Count", elem_id="toy-go"),
        "stop": gr.Button("Stop counting", elem_id="toy-stop"),
        "count": gr.HTML("0", elem_id="toy-count", js_on_load=watch.PART),
    }
    wiring = Wiring(parts)
    wiring.on(parts["go"].click, lambda event: {"count": str(int(event["count"]) + 1)}, ("count",), ("count",))
    handover.receive(page, wiring, "toy", lambda event, sent: {"count": str(sent.pictures[0].id)}, (), ("count",))


def routes(studio):
    return [Route("/toy", lambda request: PlainTextResponse(f"{studio.history.count()} pictures"))]


TAB = Tab(
    "Toy", order=60, build=build, accepts=True, routes=routes, style=".toy-count { color: teal; }", wide=True,
    primary="#toy-go", stop="#toy-stop", keys={"c": "#toy-go"}, drop="toy-file",
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tabs, and one more that is a file."""
    (tmp_path / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    tabs.cache_clear()
    yield
    monkeypatch.undo()
    tabs.cache_clear()
    sys.modules.pop(f"{package.__name__}.toy")


def served(studio: FakeStudio) -> tuple[dict[str, Any], TestClient]:
    """The page over a studio: its configuration, and a client of its server."""

    async def lay_out() -> tuple[dict[str, Any], TestClient]:
        # In a running event loop: without one, Gradio makes loops of its own, which it never closes.
        demo = app.build(studio)
        application = server.application(demo, studio, "127.0.0.1")
        return dict(demo.get_config_file()), TestClient(application, base_url="http://127.0.0.1")

    return asyncio.run(lay_out())


def test_a_tab_that_is_one_file_is_on_the_page_with_its_route_style_and_keys(toy: None, fake: FakeStudio) -> None:
    assert [tab.title for tab in tabs()][-2:] == ["Compare", "Toy"] and targets()["toy"] == "Toy"
    config, client = served(fake)
    ids = {part["props"].get("elem_id") for part in config["components"]}
    assert {"tab-toy", "toy-go", "toy-count"} <= ids
    assert client.get("/toy").text == "0 pictures"
    page = client.get("/").text
    assert ".toy-count { color: teal; }" in page and "window.palimpsestTabs" in page
    declared = re.search(r"window\.palimpsestTabs = (.*);\n", theme.head(tabs()))
    assert declared is not None
    assert json.loads(declared[1])[-1] == {
        "id": "toy",
        "primary": "#toy-go",
        "stop": "#toy-stop",
        "keys": {"c": "#toy-go"},
        "drop": "toy-file",
        "wide": True,
    }


def test_nothing_around_the_tabs_names_one() -> None:
    around = ("app.py", "exports.py", "page.js", "server.py", "sidebar.py", "theme.py", "watch.js", "watch.py")
    sources = {name: (theme.HERE / name).read_text(encoding="utf-8") for name in around}
    for tab in tabs():
        own = {
            tab.primary,
            tab.stop,
            f"#{tab.drop}",
            *tab.keys.values(),
            f"studio.ui.{tab.id}",
            f"{tab.id}/style.css",
        } - {"", "#"}
        for name, source in sources.items():
            assert not [word for word in own if word in source], (tab.title, name)
