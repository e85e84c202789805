"""What `?` opens: every setting is there with its flag, every package with its version, every tab's own keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.settings import Settings
from studio.ui import about
from studio.ui.tabs import tabs
from tests.ui.fake_studio import FakeStudio

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_there_with_its_value_and_a_flag_that_exists() -> None:
    from studio.cli import parser

    page = about.settings_html(Settings(threads=3, models_dir=Path("<b>folder</b>")))
    verbs: Any = next(action for action in parser()._actions if action.dest == "verb")
    serve = verbs.choices["serve"]
    for name in Settings.model_fields:
        flag = f"--{name.replace('_', '-')}"
        assert f"<code>{flag}</code>" in page and flag in serve.format_help()
    assert "<td>3</td>" in page and "&lt;b&gt;folder&lt;/b&gt;" in page and "60 % of what is free" in page


def test_every_package_we_ask_for_has_its_version_and_a_licence() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [line.split(">")[0].strip() for line in asked]
    rows = {name: (version, licence) for name, version, licence in about.versions()}
    assert set(about.requirements()) <= set(names)  # fewer where it was installed before the newest came
    assert rows["Palimpsest"][1] == "Apache-2.0"
    for name in about.requirements():
        version, licence = rows[name]
        assert version[0].isdigit() and licence, name


def test_keys_are_listed_by_tab_and_the_list_is_served(tmp_path: Path) -> None:
    page = about.keys_html()
    for tab in tabs():
        assert (f"<h3>{tab.title}</h3>" in page) == bool(tab.shortcuts)
        written = {key.lower().replace("del", "delete") for keys, _ in tab.shortcuts for key in keys}
        assert {key.lower() for key in tab.keys} <= written  # what a tab listens to is listed
    studio = FakeStudio(tmp_path)
    client = TestClient(Starlette(routes=[about.route(studio)]))  # type: ignore[arg-type]
    answer = client.get("/about")
    assert answer.status_code == 200 and "<h2>Versions and licences</h2>" in answer.text
