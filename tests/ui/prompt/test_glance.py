from __future__ import annotations

import json
import time

from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.recipe import Recipe
from studio.ui.components import canvas, stage
from studio.ui.prompt import glance, jobs
from tests.ui.fake_studio import FakeStudio
from tests.ui.test_form import FILLED


def test_what_moves_while_a_job_is_drawn_is_what_a_whole_look_shows(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.02
    job, _ = jobs.submit(fake, FILLED | {"count": 3})
    assert job is not None
    while not (now := glance.glance(fake, job)).drawn:
        time.sleep(0.005)
    assert not now.over and 0 < now.drawn < 3
    assert (
        f'data-job="{job}"' in (now.canvas or "")
        and 'class="frame done"' in (now.canvas or "")
        and "Picture" in (now.progress or "")
    )
    assert "1 picture: a star" not in now.queue and "3 pictures: a star" in now.queue and "Drawing" in now.status
    fake.ended(job)
    now, whole = glance.glance(fake, job), stage.of_job(fake, job)
    assert (now.drawn, now.over) == (3, True)
    assert (now.canvas, now.progress, now.queue) == (whole.canvas, whole.progress, whole.queue)


def test_a_sheet_says_whose_it_is_and_a_picture_of_the_history_is_nobodys(fake: FakeStudio) -> None:
    fake.sketcher.fail_at = 1
    job = fake.ended(jobs.submit(fake, FILLED)[0])
    assert f'data-job="{job}"' in (glance.glance(fake, job).canvas or "")  # or the next job would not be let onto it
    fake.sketcher.fail_at = None
    fake.ended(jobs.submit(fake, FILLED)[0])
    assert "data-job" not in canvas.picture_html(fake.history.newest(1)[0])


def test_the_address_gives_it_as_json_and_takes_an_unknown_job_for_over(fake: FakeStudio) -> None:
    job = fake.ended(jobs.submit(fake, FILLED)[0])
    client = TestClient(Starlette(routes=[glance.route(fake)]))
    answer = client.get("/glance", params={"job": job})
    assert set(glance.PARTS) < set(answer.json()) and answer.json()["over"] is True
    assert answer.headers["cache-control"] == "no-store"
    for unknown in ({"job": "x" * 10_000}, {"job": "<b>"}, {}):
        assert set(client.get("/glance", params=unknown).json()) == {"status", "queue", "drawn", "over"}
        assert client.get("/glance", params=unknown).json()["over"] is True


def test_where_no_job_is_watched_a_whole_look_is_due_when_one_comes_or_nothing_is_left(fake: FakeStudio) -> None:
    assert not glance.glance(fake, "").over  # the engine loads
    fake.ended(jobs.submit(fake, FILLED)[0])
    assert glance.glance(fake, "").over  # at rest
    fake.sketcher.step_s = 0.02
    behind = fake.pictures.submit([Recipe(prompt="a ring", steps=50)], priority="background")
    now = glance.glance(fake, "")
    assert not now.over and now.canvas is None and "a ring" in now.queue  # a grid has its own place
    job, _ = jobs.submit(fake, FILLED)
    assert job and glance.glance(fake, "").over
    for one in (job, behind):
        fake.jobs.stop(one)


def test_the_script_names_the_parts_in_the_order_of_the_outputs() -> None:
    (line,) = [line for line in glance.SCRIPT.splitlines() if "seen[part]" in line]
    assert json.loads(line.split("return ")[1].split(".map")[0].replace("'", '"')) == list(glance.PARTS)
