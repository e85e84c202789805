from __future__ import annotations

from typing import Any

from studio.core.recipe import Recipe
from studio.engine.events import Event
from studio.ui.components import canvas

RECIPE = Recipe(prompt="<i>a star</i>", seed=7).model_dump(mode="json")


def events(*told: tuple[str, dict[str, Any]]) -> list[Event]:
    return [Event(seq, "j", kind, data) for seq, (kind, data) in enumerate(told, 1)]  # type: ignore[arg-type]


QUEUED = ("queued", {"ahead": 2})
STARTED = ("started", {"images": 2})
PROGRESS = ("progress", {"image": 0, "images": 2, "step": 5, "steps": 20, "left_s": 12.4})
PREVIEW = ("preview", {"image": 0, "png": b"one"})
IMAGE = ("image", {"image": 0, "generation": 41, "sha256": "ab" * 32, "recipe": RECIPE})


def test_a_waiting_job_says_for_how_many() -> None:
    job = canvas.view(events(QUEUED))
    assert job.state == "queued" and not job.over
    assert "Waiting for 2 earlier jobs" in canvas.progress_html(job)


def test_a_running_job_shows_step_time_left_and_preview() -> None:
    job = canvas.view(events(QUEUED, STARTED, PROGRESS, PREVIEW))
    shown = canvas.progress_html(job)
    assert "Picture 1 of 2 · step 5 of 20" in shown and "about 12 s left" in shown
    assert 'aria-valuenow="5"' in shown and 'aria-valuemax="40"' in shown
    sheet = canvas.job_html(job)
    assert sheet.count('class="frame') == 2 and "data:image/png;base64,b25l" in sheet


def test_a_finished_picture_replaces_its_preview() -> None:
    sheet = canvas.job_html(canvas.view(events(QUEUED, STARTED, PROGRESS, PREVIEW, IMAGE)))
    assert "/pictures/41.png?v=abababababab" in sheet
    assert "data:image" not in sheet
    assert 'data-pick="41"' in sheet


def test_prompts_are_escaped() -> None:
    sheet = canvas.job_html(canvas.view(events(QUEUED, STARTED, IMAGE, ("done", {"images": 1}))))
    assert "<i>" not in sheet and "&lt;i&gt;a star" in sheet


def test_a_job_that_is_over_shows_what_it_made_and_no_progress() -> None:
    for end in ("done", "cancelled", "failed", "interrupted"):
        job = canvas.view(events(QUEUED, STARTED, PROGRESS, IMAGE, (end, {"error": "Why."})))
        assert job.over and canvas.progress_html(job) == ""
        assert canvas.job_html(job).count('class="frame') == 1


def test_a_job_that_made_nothing_says_why() -> None:
    assert "Too &lt;large&gt;." in canvas.job_html(canvas.view(events(QUEUED, ("failed", {"error": "Too <large>."}))))


def test_an_estimate_that_is_not_there_is_not_shown() -> None:
    job = canvas.view(events(STARTED, ("progress", {**PROGRESS[1], "left_s": None})))
    assert " left<" not in canvas.progress_html(job)
