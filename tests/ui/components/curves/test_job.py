"""Measures of a job as curves: running, over, gone on with."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.recipe import Recipe
from studio.engine.events import Event
from studio.ui import exports
from studio.ui.components.curves import job, svg
from studio.ui.components.curves.panel import MAX_POINTS, Series, thinned
from tests.ui.fake_studio import FakeStudio


def point(step: int, **values: float) -> dict[str, Any]:
    return {"step": step, "values": values}


def told(*points: dict[str, Any]) -> list[Event]:
    return [Event(seq, "j", "measure", data) for seq, data in enumerate(points, start=2)]


def test_what_was_measured_again_after_a_death_counts_once() -> None:
    kept = [point(1, loss=4.0), point(5, loss=3.0), point(9, loss=2.0)]
    events = [Event(1, "j", "started", {}), *told(point(6, loss=2.5), point(9, loss=1.5))]
    assert [one["step"] for one in job.merged(kept, events)] == [1, 5, 6, 9]
    assert job.merged(kept, events)[-1]["values"]["loss"] == 1.5
    assert job.merged(kept, []) == kept


def test_the_loss_is_first_and_steps_lie_where_they_are() -> None:
    measured = [point(1, drift=0.0, loss=2.0), point(101, drift=0.5, loss=1.0), point(201, loss=0.5)]
    first, second = job.panels(measured)
    assert (first.title, second.title) == ("Loss", "Drift") and first.positions == 201
    assert first.series[0].points == [(1.0, 2.0), (101.0, 1.0), (201.0, 0.5)]
    html = svg.plot(first)
    d = html[html.index('class="line" d="') :].split('"')[3]
    assert [int(pair.split(" ")[0]) for pair in d[1:].split("L")] == [2, 500, 998]
    assert "step 201\nloss: 0.5" in html.replace("&#10;", "\n")


def test_what_is_the_bases_stands_beside_what_is_learned() -> None:
    measured = [point(1, **{"error": 2.0, "error of the base": 1.5, "heart drawn": 0.1, "heart drawn, base": 0.9})]
    first, second = job.panels(
        [*measured, point(2, **{"error": 1.0, "error of the base": 1.5, "alone of the base": 1.0})]
    )[:2]
    assert [line.label for line in first.series] == ["now", "of the base"] and first.title == "Error"
    assert [line.y for line in first.series] == [(2.0, 1.0), (1.5, 1.5)]
    assert second.title == "Heart drawn" and second.series[1].y == (0.9,)
    (alone,) = job.panels([point(1, **{"alone of the base": 1.0})])
    assert alone.title == "Alone of the base" and len(alone.series) == 1
    assert "of the base" in svg.figure(first)


def test_a_long_line_is_its_means_in_the_band_of_what_it_went_through() -> None:
    wave = Series(tuple(math.sin(k) for k in range(9000)), "loss")
    thin = thinned(wave)
    assert len(thin.y) == len(thin.x) == MAX_POINTS and thin.x[0] < thin.x[-1] <= 9000
    assert max(map(abs, thin.y)) < 0.1 and min(thin.low) < -0.99 and max(thin.high) > 0.99
    assert thinned(Series((1.0, 2.0))) == Series((1.0, 2.0))
    broken = thinned(Series((math.nan,) * 500))
    assert all(math.isnan(y) for y in broken.y)
    (panel,) = job.panels([point(k + 1, loss=y) for k, y in enumerate(wave.y)])
    assert 'class="band"' in svg.plot(panel) and 'class="dots"' not in svg.plot(panel)


def test_the_table_has_every_point_and_leaves_empty_what_was_not_told() -> None:
    table = list(csv.reader(io.StringIO(job.to_csv([point(1, loss=0.125), point(7, loss=1.0, norm=3.0)]))))
    assert table == [["step", "loss", "norm"], ["1", "0.125", ""], ["7", "1", "3"]]


def test_before_the_first_measure_a_sentence_says_so() -> None:
    assert "The first measures" in job.curves_html([], "j")
    html = job.curves_html([point(1, loss=1.0)], "j")
    assert 'href="/curves/j.csv"' in html and 'href="/curves/j.png"' in html


def test_the_curves_of_a_job_can_be_fetched(fake: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    id = fake.pictures.submit([Recipe(steps=1)])
    client = TestClient(Starlette(routes=exports.routes(fake)))
    assert "The first measures" in client.get(f"/curves/{id}.html").text
    refused = client.get(f"/curves/{id}.csv")
    assert refused.status_code == 404 and "measured nothing yet" in refused.text
    assert client.get("/curves/nothing.csv").status_code == 404
    fake.ended(id)
    monkeypatch.setattr(
        fake.jobs, "events", lambda job, since=0, wait_s=0.0: told(point(1, loss=2.0), point(2, loss=1.0))
    )
    assert client.get(f"/curves/{id}.csv").text == "step,loss\n1,2\n2,1\n"
    png = client.get(f"/curves/{id}.png")
    assert Image.open(io.BytesIO(png.content)).width > 1500
    window = client.get(f"/curves/{id}.html").text
    assert "<h2 data-over>" in window and 'aria-label="Loss. loss: from 2 to 1, at most 2"' in window
    assert client.get(f"/curves/{id}.gif").status_code == 404
