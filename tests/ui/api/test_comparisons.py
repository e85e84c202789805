"""Comparisons for programs, as methods of a studio; tests/ui/test_api.py holds how all endpoints are served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.services.studio import Studio
from studio.ui.api.comparisons import ComparisonApi
from tests.services.waiting import wait_for
from tests.tiny_model import SIZE_PX, build_once

RECIPE = {"prompt": "a red star", "width": SIZE_PX, "height": SIZE_PX, "steps": 3}
ROWS: list[dict[str, Any]] = [{"name": "plain", "recipe": RECIPE}, {"recipe": {**RECIPE, "steps": 4}}]
COLUMNS = [{"seed": 1}, {"seed": 2**64 - 1}]


@pytest.fixture
def studio(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(
        workspace=tmp_path / "workspace", model_dir=build_once(tmp_path_factory), device="cpu", port=0, threads=1
    )
    with Studio(settings, backend="inline") as made:
        yield made


def test_a_comparison_is_planned_drawn_told_kept_and_tested(studio: Studio, tmp_path: Path) -> None:
    api = ComparisonApi(studio)
    plan = api.plan_comparison(ROWS, COLUMNS)
    assert (plan["missing"], plan["rows"][1]["differences"]) == (4, ["steps: 3 → 4"])
    while jobs := api.draw_comparison(ROWS, COLUMNS, name="two")["jobs"]:
        for job in jobs:
            wait_for(studio, job, "done")
    facts = api.comparison_facts(ROWS, COLUMNS)
    assert facts["unread"] == 0 and [row["pictures"] for row in facts["rows"]] == [2, 2]
    assert facts["cells"][1][1]["asked"] == ["red", "star"] and facts["cells"][1][1]["state"] == "drawn"
    (saved,) = api.comparisons()
    kept = api.comparison("two")
    assert (saved["name"], saved["rows"]) == ("two", 2) and kept["columns"][1]["seed"] == 2**64 - 1
    assert api.draw_comparison(**kept) == {"jobs": []}
    upload = tmp_path / "report.html"
    upload.write_bytes(studio.shares.html(studio.comparisons.load("two")))
    assert api.import_comparison(upload)["comparison"] == kept
    test = api.blind_test(1, ROWS, [{"prompt": "a star"}], pairs=2)
    assert not test["over"] and "wins" not in test
    assert api.blind_test_result(test["number"], end=True)["verdict"] == "Nothing was answered."


def test_what_is_no_comparison_is_refused_in_one_sentence(studio: Studio, tmp_path: Path) -> None:
    api = ComparisonApi(studio)
    with pytest.raises(BadInput, match="Row 2: In the recipe, steps must be"):
        api.plan_comparison([*ROWS[:1], {"recipe": {"steps": -1}}])
    with pytest.raises(BadInput, match="no rows"):
        api.draw_comparison([])
    upload = tmp_path / "report.html"
    upload.write_text("hello")
    with pytest.raises(BadInput, match="no comparison of ours"):
        api.import_comparison(upload)
