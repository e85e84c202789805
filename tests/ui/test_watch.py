from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.recipe import Recipe
from studio.engine.backend import Backend
from studio.engine.events import Event
from studio.services.recording import Recorder
from studio.storage.archive import Archive
from studio.ui import watch
from studio.ui.components import canvas
from studio.ui.components.progress import progress
from studio.ui.prompt import grid, view
from studio.ui.watch import Watcher
from tests.ui.fake_studio import FakeStudio
from tests.ui.prompt.test_grid import NINE, VALUES

TRAINING = {"kind": "train", "what": "a slider", "steps": 40}


def told(*events: tuple[str, dict[str, Any]]) -> list[Event]:
    return [Event(seq, "j", kind, data) for seq, (kind, data) in enumerate(events, 1)]  # type: ignore[arg-type]


DRAWN = told(
    ("queued", {"ahead": 0}),
    ("started", {"images": 3}),
    ("image", {"image": 0, "generation": 41, "sha256": "ab" * 32}),
    ("progress", {"image": 1, "images": 3, "step": 5, "steps": 20, "left_s": 12.4, "done": 0.4}),
    ("preview", {"image": 1, "png": b"one"}),
)


def test_a_job_is_told_by_what_moves_and_by_what_is_finished() -> None:
    facts = watch.facts(DRAWN)
    assert (facts.seq, facts.over, facts.share, facts.finished, facts.place) == (5, False, 0.4, 1, 1)
    assert (facts.doing, facts.left) == ("Picture 2 of 3 · step 5 of 20", "about 12 s left")
    assert facts.preview == "data:image/png;base64,b25l" and facts.pictures == (
        (0, 41, "/pictures/41.png?v=abababababab"),
    )
    assert facts.begun and not watch.facts(DRAWN[:1]).begun
    later = watch.facts(DRAWN, since=5)  # nothing is sent twice, and nothing is forgotten
    assert (later.preview, later.pictures, later.finished, later.place) == ("", (), 1, 1)
    over = watch.facts([*DRAWN, Event(6, "j", "done", {})], since=5)
    assert over.over and over.doing == over.left == over.preview == ""


def test_a_training_is_told_like_any_other_job_with_its_newest_measures(fake: FakeStudio) -> None:
    fake.sketcher.hold = True
    job, watcher = fake.jobs.submit(TRAINING), Watcher(fake)
    while "Training" not in (now := watcher.look({})).status:
        pass
    assert "Training" in now.queue and "Training" in now.slim and now.busy and now.drawing is None
    fake.sketcher.hold = False
    seen, measured = 0, list[dict[str, Any]]()
    while True:
        facts = watcher.look({job: seen}).jobs[job]
        assert facts.seq >= seen and facts.finished == 0
        measured += facts.measures
        seen = facts.seq
        if facts.over:
            break
        assert facts.doing == "Starting" or re.fullmatch(r"Step \d+ of 40", facts.doing)
        assert 0 <= facts.share <= 1
    assert [point["step"] for point in measured] == list(range(1, 41))
    assert measured[0]["values"] == {"loss": 1.0}
    burst = told(*(("measure", {"step": step, "values": {}}) for step in range(1, 500)))
    assert [point["step"] for point in watch.facts(burst).measures] == list(range(300, 500))  # the newest


def test_the_sidebar_is_told_with_it_and_whether_to_look_again(fake: FakeStudio) -> None:
    watcher = Watcher(fake)
    unneeded = watcher.look({})  # nothing is loaded, so nothing is said to be, and a page at rest asks for nothing
    assert not unneeded.busy and "Not started" in unneeded.slim and "starts with the first picture" in unneeded.status
    fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    rest = watcher.look({})
    assert not rest.busy and rest.drawing is None and "Nothing is being drawn" in rest.queue and "Ready" in rest.slim
    fake.sketcher.hold = True
    behind = fake.pictures.submit([Recipe(prompt="a ring", steps=50)], priority="background")
    background = watcher.look({})
    assert background.busy and background.drawing is None and "a ring" in background.queue  # a grid has its own place
    beside = fake.pictures.submit([Recipe(steps=50)], origin="guidance")  # and so have the rows of a comparison
    job = fake.pictures.submit([Recipe(prompt="<b>", steps=50)])
    while 'role="progressbar"' not in (now := watcher.look({})).slim or now.drawing != job:
        pass
    assert "Drawing" in now.status and "&lt;b&gt;" in now.queue and "2 waiting" in now.slim and "<b>" not in now.slim
    for one in (beside, job, behind):
        fake.jobs.stop(one)
        fake.ended(one)
    assert "Stopped or failed (3)" in watcher.look({}).ended  # at rest it is read anew, however lately it was


class SlowToStart(FakeStudio):
    """Whose engine is only there once it is allowed to be; `problem` keeps it from ever being."""

    allowed: threading.Event
    problem: Exception | None = None

    def _backend(self, archive: Archive, recorder: Recorder) -> Backend:
        assert self.allowed.wait(60)
        if self.problem:
            raise self.problem
        return super()._backend(archive, recorder)


@pytest.mark.parametrize("problem", [None, OSError("no room for another process")])
def test_a_page_opened_while_the_engine_is_brought_up_looks_until_it_is(
    tmp_path: Path, problem: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    studio = SlowToStart(tmp_path)
    studio.allowed, studio.problem = threading.Event(), problem
    with studio:
        watcher = Watcher(studio)
        assert not watcher.look({}).busy
        studio.warm()
        meanwhile = watcher.look({})
        assert meanwhile.busy and "Loading the model" in meanwhile.status and "Loading the model" in meanwhile.slim
        studio.allowed.set()
        while (later := watcher.look({})).busy:
            pass
        assert ("Not started" if problem else "Ready") in later.status
    assert ("no room for another process" in caplog.text) == bool(problem)


def test_the_address_takes_what_it_can_read_and_an_unknown_job_for_over(fake: FakeStudio) -> None:
    job = fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    client = TestClient(Starlette(routes=[watch.route(fake)]))
    answer = client.get("/watch", params={"since": f"{job}:0,gone:3"})
    assert answer.headers["cache-control"] == "no-store"
    jobs = answer.json()["jobs"]
    assert set(jobs) == {job, "gone"} and jobs[job]["over"] and jobs[job]["finished"] == 1
    assert jobs["gone"]["over"] and jobs["gone"]["seq"] == 0
    for asked in (
        "",
        ",",
        ":",
        f"{job}:-1",
        f"{job}:{'9' * 40}",
        f"{job}:²",
        "x" * 10_000,
        "<b>:1",
        ",".join("abcdefgh" * 99),
    ):
        answer = client.get("/watch", params={"since": asked})
        assert answer.status_code == 200 and len(answer.json()["jobs"]) <= watch.MAX_JOBS, asked
    assert watch.read_since(f"{job}:7") == {job: 7} and watch.read_since(f"{job}:x") == {job: 0}


def followed(html: str) -> set[str]:
    return set(re.findall(r'data-watch="([^"]*)"', html))


def test_what_is_drawn_is_followed_by_its_markup_and_what_is_over_is_not(fake: FakeStudio) -> None:
    job_view = canvas.view([Event(e.seq, e.job_id, e.kind, {**e.data, "recipe": {}}) for e in DRAWN])
    sheet, line = canvas.job_html(job_view, "j"), canvas.progress_html(job_view, "j")
    assert sheet.count('data-watch="j"') == 2 and 'data-place="1"' in sheet and 'data-place="2"' in sheet
    assert 'data-drawn="1"' in line and "data-doing" in line
    assert followed(progress("Drawing", 1, 2, "")) == set()
    fake.sketcher.step_s = 0.02
    number, _ = grid.start(fake, VALUES, (), NINE)
    html, _ = grid.show(fake, number)
    (job,) = followed(html)
    assert followed(grid.show(fake, number)[0]) == {job} and view.attached(fake, None) is None
    fake.jobs.stop(job)
    fake.ended(job)
    assert followed(grid.show(fake, number)[0]) == set()
