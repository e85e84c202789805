from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import StudioError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.backend import EngineStatus
from studio.models.tokens import TokenReport
from studio.services.checks import settled
from studio.services.queue import QueueEntry
from studio.storage.unreadable import Unreadable
from studio.ui import models, sidebar
from studio.ui.api.pictures import PictureApi
from studio.ui.components import canvas, caption, engine, gallery, history, queue, words
from studio.ui.components.query import Query
from studio.ui.components.tiles import batches
from studio.ui.prompt import view
from studio.world.examples import EXAMPLES
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio

EVIL = "<script>alert('${1}{{2}}')</script>"


def kept(fake: FakeStudio, recipe: Recipe, number: int = 1) -> list[Any]:
    fake.ended(fake.pictures.submit([recipe] * number))
    return fake.history.newest()


def test_the_label_has_the_whole_recipe_and_the_original_file(fake: FakeStudio) -> None:
    recipe = Recipe(
        prompt=EVIL,
        negative_prompt=EVIL,
        seed=2**64 - 1,
        steps=1,
        guidance=GuidanceSpec(params={"guidance_scale": 4.5}),
    )
    (picture,) = kept(fake, recipe)
    label = caption.caption_html(picture)
    assert "<script" not in label
    assert "seed 18446744073709551615 · 1 step · CFG 4.5" in label
    assert f'href="/pictures/1.png?v={picture.sha256[:12]}"' in label and 'data-do="restore"' in label
    assert 'download="palimpsest-00001-seed-18446744073709551615.png"' in label
    assert settled(recipe).digest()[:16] in label


def test_an_empty_prompt_is_told_as_such(fake: FakeStudio) -> None:
    (picture,) = kept(fake, Recipe(steps=1))
    assert "without a prompt" in caption.caption_html(picture)


def test_the_gallery_escapes_and_offers_what_it_does_not_show(fake: FakeStudio) -> None:
    pictures = kept(fake, Recipe(prompt=EVIL, steps=1), 3)
    shown = gallery.gallery_html(batches(pictures), 10, Query(), has_more=True)
    assert "<script" not in shown and shown.count('data-ids="1,2,3"') == 1 and "Show more" in shown
    assert "Show more" not in gallery.gallery_html(batches(pictures), 3, Query())


def test_an_empty_gallery_says_so_and_so_does_a_search_without_result() -> None:
    assert "kept here" in gallery.gallery_html([], 0, Query())
    assert EVIL not in gallery.gallery_html([], 0, Query(search=EVIL))
    assert "bin is empty" in gallery.gallery_html([], 0, Query(in_bin=True))


def test_unknown_words_and_the_cut_are_shown() -> None:
    shown = words.report_html(TokenReport(40, 30, 30, "on <b>", ("zebra", "<i>")))
    assert "40 of 30 tokens" in shown and "“zebra”" in shown and "&lt;i&gt;" in shown
    assert "<del>on &lt;b&gt;</del>" in shown
    assert words.report_html(TokenReport(0, 30, 0, "", ())) == "" and "bracket" not in shown
    assert "A bracket is not closed" in words.report_html(TokenReport(2, 30, 2, "", (), unclosed=(3,)))


def test_examples_use_the_worlds_words() -> None:
    from studio.world.words import GRAMMAR, vocabulary

    known = {*vocabulary(), *GRAMMAR}
    for example in EXAMPLES:
        assert set(example.prompt.split()) <= known, example
        assert example.prompt in words.chips_html()
        assert f'data-sample="{example.prompt}"' in canvas.welcome_html()


def test_the_sidebar_tells_of_the_engine() -> None:
    status = EngineStatus("busy", "", {"device": "cpu", "dtype": "float32"}, None, 2, "job")
    assert "cpu" in engine.status_html(status) and "Drawing" in engine.status_html(status)
    assert "Weights" not in engine.status_html(status)
    resident = [{"part": "unet", "models": ["<Stencil>"], "bytes": 3 * 2**20}]
    told = dataclasses.replace(status, made_by={**status.made_by, "resident": resident, "equals_base": True})
    assert "Base weights restored after the last picture with edits: yes" in engine.status_html(told)
    assert "Weights in memory: 3 MB" in engine.status_html(told)
    assert "unet of &lt;Stencil&gt;" in engine.status_html(told)
    told.made_by["equals_base"] = False
    assert "Base weights restored after the last picture with edits: no" in engine.status_html(told)
    broken = dataclasses.replace(status, state="broken", message="No <room>.", running=None, waiting=0)
    assert "No &lt;room&gt;." in engine.status_html(broken)


def test_an_empty_queue_says_so_and_a_job_says_what_it_does(fake: FakeStudio) -> None:
    assert "Nothing is being drawn" in queue.queue_html([])
    fake.sketcher.hold = True
    job = fake.pictures.submit([Recipe(prompt=EVIL), Recipe(prompt=EVIL)])
    fake.pictures.submit([Recipe()])
    until(lambda: fake.jobs.get(job).status == "running")
    shown = queue.queue_html(fake.jobs.queue())
    assert "2 pictures" in shown and "<script" not in shown and 'data-act="stop"' in shown
    for one in fake.jobs.unfinished():
        fake.jobs.stop(one.id, keep=False)
    fake.ended(job)
    assert "Stopped or failed" in queue.ended_html(fake.jobs.ended_early()) and queue.ended_html([]) == ""


def test_what_was_stopped_or_failed_is_cleared_from_its_list_for_good_and_nothing_is_lost(tmp_path: Path) -> None:
    with FakeStudio(tmp_path / "workspace", step_s=0) as studio:
        studio.sketcher.fail_at = 2
        jobs = [studio.ended(studio.pictures.submit([Recipe(prompt=f"star {n}", steps=9)])) for n in range(6)]
        html = queue.ended_html(studio.jobs.ended_early())
        assert "Stopped or failed (6)" in html and "And 2 before them." in html and html.count(">Clear<") == 4
        queue.act(studio, "dismiss", jobs[4])
        html = queue.ended_html(studio.jobs.ended_early())
        assert "Stopped or failed (5)" in html and "star 4" not in html and 'data-act="dismiss_all"' in html
        queue.act(studio, "dismiss_all", "")
        assert queue.ended_html(studio.jobs.ended_early()) == ""
        studio.sketcher.hold, studio.sketcher.fail_at = True, None
        running = studio.pictures.submit([Recipe(steps=40)])
        for job, sentence in ((running, "stop it before"), ("nothing", "no job")):
            with pytest.raises(StudioError, match=sentence):
                queue.act(studio, "dismiss", job)
        studio.jobs.stop(running)
        studio.ended(running)
    with FakeStudio(tmp_path / "workspace") as studio:
        assert [job.id for job in studio.jobs.ended_early()] == [running]
        assert len(studio.jobs.newest()) == 7 and studio.jobs.get(jobs[0]).error  # the ledger has them all the same


def test_the_queue_is_cleared_of_all_that_wait(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    first = fake.pictures.submit([Recipe(steps=40)])
    assert "Clear the queue" not in queue.queue_html(fake.jobs.queue())
    waiting = [fake.pictures.submit([Recipe(seed=seed)]) for seed in range(3)]
    assert 'data-act="clear"' in queue.queue_html(fake.jobs.queue())
    queue.act(fake, "clear", "")
    assert {fake.jobs.get(job).status for job in map(fake.ended, waiting)} == {"cancelled"}
    fake.jobs.stop(first)
    assert fake.jobs.get(fake.ended(first)).status == "cancelled"


def test_how_a_checkpoint_gets_here_is_said(fake: FakeStudio) -> None:
    assert "into a folder, and start the studio with <code>--models-dir</code> and" in sidebar.adding_html(False)
    assert "into the folder that <code>--models-dir</code> names, and start" in sidebar.adding_html(True)


def entry_of(place: int, kind: str = "generate", what: str = "", **values: Any) -> QueueEntry:
    """A job of the queue as it stands there: the first in hand, the others waiting."""
    about: dict[str, Any] = {
        "job_id": f"job{place}",
        "position": place,
        "kind": kind,
        "description": what or f"star {place}",
        "state": "waiting" if place else "running",
        "priority": "interactive" if kind == "generate" else "background",
        "progress": None,
        "left_s": None,
        "created_at": datetime.now(UTC),
        "retry_of": None,
    }
    return QueueEntry(**about | values)


def test_a_second_training_says_what_it_waits_for_and_pictures_do_not_wait_for_either() -> None:
    second, picture = entry_of(1, "train", "no <green>"), entry_of(1)
    for state, how in (("running", "Training"), ("paused", "Gives way to a picture")):
        html = queue.queue_html([entry_of(0, "train", "no red", state=state), second])
        assert f">{how}<" in html and ">Waiting, number 1: begins when “no red” is over<" in html
    html = queue.queue_html([entry_of(0, "train", "no <red>"), picture])
    assert ">Waiting, number 1<" in html
    html = queue.queue_html([entry_of(0), second])
    assert ">Waiting, number 1<" in html and "<green>" not in html  # nothing but a picture is before it
    assert "begins when “no &lt;red&gt;” is over" in queue.queue_html([entry_of(0, "train", "no <red>"), second])


def test_a_long_queue_is_shown_by_its_beginning() -> None:
    many = [entry_of(place) for place in range(500)]
    html = queue.queue_html(many)
    assert html.count("<li") == queue.QUEUE_SHOWN and f"And {500 - queue.QUEUE_SHOWN} more behind them." in html
    assert "Waiting, number 1<" in html and f"Waiting, number {queue.QUEUE_SHOWN - 1}<" in html
    few = queue.queue_html(many[:3])
    assert few.count("<li") == 3 and "more behind" not in few
    assert few.count("disabled") == 2  # the first cannot go up, the last cannot go down


def test_what_cannot_be_written_down_is_told_beside_the_engine(fake: FakeStudio) -> None:
    status = dataclasses.replace(fake.status(), trouble="The disk is <full>.")
    assert 'role="alert">The disk is &lt;full&gt;.' in engine.status_html(status)
    assert "alert" not in engine.status_html(fake.status())


def test_what_cannot_be_read_is_named_over_the_others(fake: FakeStudio) -> None:
    pictures = [kept(fake, Recipe(seed=seed), 2)[0].id for seed in range(2)]
    fake.archive.grids.add({}, [Recipe()])
    with sqlite3.connect(fake.archive.workspace.database) as database:
        database.execute("UPDATE generations SET recipe = '{' WHERE id = ?", (pictures[0],))
        database.execute("UPDATE jobs SET created_at = 'once' WHERE number = 1")
    database.close()
    html, api = history.past(fake, Query()), PictureApi(fake)
    assert f"Picture {pictures[0]} cannot be read and is left out: " in html and 'data-ids="3,4"' in html
    answer = api.history()
    assert [one["id"] for one in answer["pictures"]] == [one.id for one in fake.history.newest()]
    assert [one["id"] for one in answer["unreadable"]] == [pictures[0]] and answer["unreadable"][0]["problem"]
    assert answer["total"] == len(answer["pictures"]) + 1
    listed = api.jobs()
    assert [(job["number"], job["status"]) for job in listed] == [(2, "done"), (1, "unreadable")]
    assert listed[0].keys() == listed[1].keys() and "It cannot be read" in listed[1]["error"]
    # The page opens, and looks at what there is.
    assert view.on_opening(fake, None)[1].picture_id and view.watching(fake, None)[1].past
    many = [Unreadable(number, "it is torn") for number in range(9)]
    assert "9 pictures cannot be read and are left out, 0, 1, 2, 3, 4 and 4 more" in history.left_out_html(many)


def test_memory_of_a_process_that_is_gone_is_unknown() -> None:
    assert engine.resident_bytes(None) is None
    assert engine.resident_bytes(2**22 + 1) is None


def test_models_that_cannot_be_used_are_listed_with_their_reason(
    fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sidebar.broken_html(models.listed(fake)) == ""
    found = [models.Listed("stencil", "Stencil"), models.Listed("sd", "Sd", "Its unet <config> is missing.")]
    assert models.choices(found) == [("Stencil", "stencil")]
    assert "1 model cannot be used" in sidebar.broken_html(found) and "&lt;config&gt;" in sidebar.broken_html(found)
    assert len(models.choices([models.Listed("stencil", "Stencil", "Gone.")])) == 1
