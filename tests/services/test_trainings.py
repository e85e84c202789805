"""A training as the studio runs it: queued, watched, drawn with, killed, gone on with, and its edit taken over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import read_edit
from studio.engine.edits.format import LowRank
from studio.engine.edits.importing import read_lora
from studio.engine.edits.layout import layout_of_folder
from studio.engine.events import Event
from studio.services import runs, sources
from studio.services.ledger import Ledger
from studio.services.replay import replay
from studio.services.studio import Studio
from studio.training.lora.files import BANK, CHECKPOINT, FINISHED, MEASURES
from studio.ui.components.queue import queue_html
from tests.training.lora.test_trainer import LOSSES, PLAN

pytestmark = pytest.mark.usefixtures("quick_workers")


@pytest.fixture
def studio(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setattr(sources, "LOSSES", LOSSES)
    with Studio(settings) as opened:
        yield opened


def plan(**changes: Any) -> dict[str, Any]:
    return {**PLAN, **changes}


def until(studio: Studio, job: str, wanted: Callable[[Event], bool], seconds: float = 120) -> list[Event]:
    """The events of a job up to the first that is wanted, or its last."""
    seen: list[Event] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for event in studio.jobs.events(job, seen[-1].seq if seen else 0, wait_s=1.0):
            seen.append(event)
            if wanted(event) or event.final:
                return seen
    raise AssertionError(f"after {seconds} s: {seen[-3:]}")


def ended(studio: Studio, job: str) -> list[Event]:
    return until(studio, job, lambda event: event.final)


def is_step(number: int) -> Callable[[Event], bool]:
    return lambda event: event.kind == "progress" and event.data["step"] >= number


def trained(events: list[Event]) -> dict[str, Any]:
    return next(event.data for event in events if event.kind == "edit")


def test_from_plan_to_edit(studio: Studio, draw: Callable[..., Recipe], tmp_path: Path) -> None:
    job = studio.trainings.start(plan())
    events = ended(studio, job)
    assert events[-1].kind == "done", events[-1]
    edit = trained(events)
    entry = studio.edits.show(edit["edit"])
    assert (entry.name, edit["steps"]) == ("towards blue", 6)
    points = studio.trainings.curves(studio.jobs.get(job))
    assert points[-1]["step"] == 6 and points == [event.data for event in events if event.kind == "measure"]
    base, under = studio.pictures.draw([draw(), draw(edits=[EditRef(edit=entry.id, strength=1.0)])])
    assert base.sha256 != under.sha256
    assert studio.jobs.get(job).description == "towards blue" and studio.jobs.get(job).kind == "train"
    folder = studio.trainings.folder(studio.jobs.get(job))
    assert sorted(path.name for path in folder.iterdir()) == [BANK, FINISHED, MEASURES]  # to be made longer
    trained_edit = read_edit(entry.path)
    for style in ("diffusers", "kohya", "peft"):
        out = tmp_path / (style if style == "peft" else f"{style}.safetensors")
        studio.edits.export(entry.id, style, out)
        back = read_lora(out / "unet" if style == "peft" else out, layout_of_folder(studio.settings.model_dir), style)
        assert back.layers["unet"].keys() == trained_edit.layers["unet"].keys()
        for path, layer in trained_edit.layers["unet"].items():
            assert isinstance(layer, LowRank) and isinstance(other := back.layers["unet"][path], LowRank)
            torch.testing.assert_close(other.scale * other.B @ other.A, layer.scale * layer.B @ layer.A)


def test_a_training_that_is_done_is_made_longer(studio: Studio) -> None:
    erasure = {"concepts": [], "training": {"steps": 6, "early_stopping": True}}
    job = studio.trainings.start(plan(provenance={"erasure": erasure}))
    with pytest.raises(BadInput, match="not done: towards blue"):
        studio.trainings.lengthen(job, 4)
    first = trained(ended(studio, job))
    assert studio.trainings.longest(erasure) == studio.jobs.get(job)
    longer = studio.trainings.lengthen(job, 4)
    second = trained(ended(studio, longer))
    whole = trained(ended(studio, studio.trainings.start(plan(steps=10))))
    assert second["sha256"] == whole["sha256"] != first["sha256"] and second["steps"] == 10
    entries = [studio.edits.show(edit["edit"]) for edit in (first, second)]
    assert [(entry.name, entry.version) for entry in entries] == [("towards blue", 1), ("towards blue, 10 steps", 2)]
    assert entries[1].provenance["erasure"]["training"] == {"steps": 10, "early_stopping": False}
    curves = studio.trainings.curves(studio.jobs.get(longer))
    assert curves[: len(studio.trainings.curves(studio.jobs.get(job)))] == studio.trainings.curves(studio.jobs.get(job))
    assert curves[-1]["step"] == 10
    for steps, reason in ((0, "by 1 step or more"), (10**7, "steps")):
        with pytest.raises(BadInput, match=reason):
            studio.trainings.lengthen(longer, steps)
    (studio.trainings.folder(studio.jobs.get(job)) / FINISHED).unlink()
    with pytest.raises(BadInput, match="would go on from is gone"):
        studio.trainings.lengthen(job, 4)
    assert studio.trainings.longest(erasure) is None and not studio.trainings.is_laid_by(job)


def test_a_picture_is_drawn_with_what_has_been_learned_so_far(studio: Studio, draw: Callable[..., Recipe]) -> None:
    job = studio.trainings.start(plan(steps=100_000))
    until(studio, job, is_step(2))
    live = draw(edits=[EditRef(edit=f"live:{job}", strength=1.0)])
    base, under = studio.pictures.draw([draw(), live])
    assert base.sha256 != under.sha256
    assert under.made_by["unfinished"][f"live:{job}"] >= 2 and "unfinished" not in base.made_by
    entry = next(one for one in studio.jobs.queue() if one.job_id == job)
    assert (entry.priority, entry.state) == ("background", "running") and entry.progress and entry.left_s
    studio.jobs.stop(job)
    assert ended(studio, job)[-1].kind == "cancelled"
    assert runs.steps_done(studio.trainings.folder(studio.jobs.get(job))) >= 2  # it can be gone on with
    assert studio.edits.list() != []  # what it had learned is kept
    with pytest.raises(NotFound, match="cannot be made again"):
        replay(studio.settings, under.image_path)


def test_a_second_training_waits_for_the_first(studio: Studio) -> None:
    first = studio.trainings.start(plan(steps=100_000))
    until(studio, first, is_step(1))
    second = studio.trainings.start(plan(seed=6))
    assert [(one.job_id, one.position) for one in studio.jobs.queue()] == [(first, 0), (second, 1)]
    assert "Waiting, number 1: begins when “towards blue” is over" in queue_html(studio.jobs.queue())
    with Ledger(studio.settings) as ledger:  # as another program sees it
        assert [ledger.show(job)["in_hand"] for job in (first, second)] == [[], [studio.jobs.get(first).number]]
    studio.jobs.stop(first)
    assert ended(studio, second)[-1].kind == "done"


def test_stopped_while_it_gives_way_to_a_picture_it_keeps_what_it_has_learned(
    studio: Studio, draw: Callable[..., Recipe]
) -> None:
    job = studio.trainings.start(plan(steps=100_000))
    until(studio, job, is_step(2))
    picture = studio.pictures.submit([draw(steps=900)])
    until(studio, picture, lambda event: event.kind == "progress")
    paused = next(one for one in studio.jobs.queue() if one.job_id == job)
    studio.jobs.stop(job)
    assert paused.state == "paused" and not studio.jobs.get(picture).over  # it was stopped in the middle of the picture
    assert next(one for one in studio.jobs.queue() if one.job_id == job).state == "stopping"
    studio.jobs.stop(picture)
    assert ended(studio, job)[-1].kind == ended(studio, picture)[-1].kind == "cancelled"
    assert runs.steps_done(studio.trainings.folder(studio.jobs.get(job))) >= 2 and len(studio.edits.list()) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_worker_killed_again_and_again_goes_on_where_it_was(studio: Studio) -> None:
    unbroken = trained(ended(studio, studio.trainings.start(plan(steps=25))))
    job = studio.trainings.start(plan(steps=25), checkpoint_every_s=0.0)
    for number in range(1, 4):  # oftener than a work that ends its worker is tried
        until(studio, job, is_step(5 * number))
        pid = studio.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert ended(studio, job)[-1].data["type"] == "WorkerDied"
        before, job = job, studio.jobs.retry(job)
        assert studio.jobs.get(job).retry_of == before
        assert studio.jobs.get(job).payload["from_step"] >= 5 * number - 1
    events = ended(studio, job)
    assert events[-1].kind == "done", events[-1]
    assert trained(events)["sha256"] == unbroken["sha256"]


def test_stopped_while_it_waits_it_never_begins(studio: Studio) -> None:
    first = studio.trainings.start(plan(steps=100_000))
    until(studio, first, is_step(1))
    second = studio.trainings.start(plan(seed=6))
    studio.jobs.stop(second)
    events = ended(studio, second)
    assert [event.kind for event in events if event.kind != "queued"] == ["cancelled"]
    assert not studio.trainings.folder(studio.jobs.get(second)).exists()
    studio.jobs.stop(first)
    assert ended(studio, first)[-1].kind == "cancelled"
    studio.jobs.stop(first)  # over already: nothing happens
    assert studio.jobs.get(first).status == "cancelled"


def test_the_pictures_of_a_training_are_not_purged_before_it_is_over(
    studio: Studio, draw: Callable[..., Recipe]
) -> None:
    picture = studio.pictures.draw([draw()])[0]
    studio.history.delete([picture.id])
    of_pictures = {"loss": "denoise", "bank": None, "pictures": {"images": [[picture.sha256]] * 2}}
    job = studio.trainings.start(plan(steps=100_000, **of_pictures))
    until(studio, job, is_step(1))
    assert studio.history.purge().pictures == 0
    studio.jobs.stop(job)
    ended(studio, job)
    assert studio.history.purge().pictures == 0  # it may be gone on with
    short = studio.trainings.start(plan(steps=1, **of_pictures))
    assert ended(studio, short)[-1].kind == "done"
    assert studio.archive.generations.release(f"training:{studio.jobs.get(short).payload['run']}") == 0
    with pytest.raises(NotFound, match="no picture aaaaaaaaaaaa in the history"):
        studio.trainings.start(plan(**{**of_pictures, "pictures": {"images": [["a" * 64]] * 2}}))


def test_far_too_many_steps_are_refused_with_what_they_would_take(studio: Studio, draw: Callable[..., Recipe]) -> None:
    with pytest.raises(BadInput, match="1,000,000,000 steps are more than a training has, 1,000,000. Take fewer"):
        studio.trainings.start(plan(steps=10**9))
    studio.pictures.draw([draw()])
    with pytest.raises(BadInput, match=r"steps would take at least [\d,]+ (hours|days|years) on this machine, and are"):
        studio.trainings.start(plan(steps=10**9))
    assert [job.kind for job in studio.jobs.newest(10)] == ["generate"]


def test_what_is_discarded_leaves_no_edit(studio: Studio) -> None:
    job = studio.trainings.start(plan(steps=100_000))
    until(studio, job, is_step(2))
    studio.jobs.stop(job, keep=False)
    assert ended(studio, job)[-1].kind == "cancelled"
    assert studio.edits.list() == []


def test_a_ledger_that_names_another_place_is_not_followed(studio: Studio, tmp_path: Path) -> None:
    runs = ("../../elsewhere", str(tmp_path), "", None, "0" * 31, "0" * 32 + "/..")
    for run in runs:
        job = studio.archive.jobs.add("train", {"kind": "train", "plan": plan(), "run": run})
        studio.archive.jobs.finish(job.id, "failed", "Died.")
        with pytest.raises(BadInput, match="does not say which run"):
            studio.jobs.retry(job.id)
    assert len(studio.jobs.newest()) == len(runs)


def test_what_goes_on_has_as_many_threads_as_it_began_with(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    job = studio.trainings.start(plan(steps=100_000), checkpoint_every_s=0.0)
    until(studio, job, is_step(2))
    studio.jobs.stop(job)
    ended(studio, job)
    told: list[Any] = []
    monkeypatch.setattr(studio.jobs, "submit", lambda payload, *given, places, **rest: told.append((payload, places)))
    studio.jobs.retry(job)
    payload, places = told[0]
    assert places["threads"] == 1 and "threads" not in payload  # as the settings of these tests have it


def test_what_no_engine_could_train_is_told_at_once(studio: Studio) -> None:
    for changes, kind in (({"steps": 0}, BadInput), ({"loss": "gone"}, NotFound), ({"model": "gone"}, NotFound)):
        with pytest.raises(kind):
            studio.trainings.start(plan(**changes))
    assert studio.jobs.newest() == []


def test_how_far_a_training_is_without_a_readable_checkpoint(tmp_path: Path) -> None:
    assert runs.steps_done(tmp_path) == 0
    for content in (b"", b"cut short"):
        (tmp_path / CHECKPOINT).write_bytes(content)
        assert runs.steps_done(tmp_path) == 0
