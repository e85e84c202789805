from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.backend import EngineStatus
from studio.models.tokens import TokenReport
from studio.services.checks import settled
from studio.ui import models, sidebar
from studio.ui.components import canvas, caption, gallery, queue, words
from studio.ui.components.history import Query
from studio.world.examples import EXAMPLES
from tests.ui.fake_studio import FakeStudio

EVIL = "<script>alert('${1}{{2}}')</script>"


def kept(fake: FakeStudio, recipe: Recipe, number: int = 1) -> list[Any]:
    fake.ended(fake.submit([recipe] * number))
    return fake.gallery()


def test_the_label_has_the_whole_recipe_and_the_original_file(fake: FakeStudio) -> None:
    recipe = Recipe(prompt=EVIL, negative_prompt=EVIL, seed=2**64 - 1, steps=1,
                    guidance=GuidanceSpec(params={"guidance_scale": 4.5}))  # fmt: skip
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
    shown = gallery.gallery_html(pictures, 10, Query(), has_more=True)
    assert "<script" not in shown and shown.count("data-pick") == 3 and "Show more" in shown
    assert "Show more" not in gallery.gallery_html(pictures, 3, Query())


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
    assert "cpu" in sidebar.status_html(status) and "Drawing" in sidebar.status_html(status)
    assert "Weights" not in sidebar.status_html(status)
    resident = [{"part": "unet", "models": ["<Stencil>"], "bytes": 3 * 2**20}]
    told = dataclasses.replace(status, made_by={**status.made_by, "resident": resident, "equals_base": True})
    assert "Weights equal the base: yes" in sidebar.status_html(told)
    assert "Weights in memory: 3 MB" in sidebar.status_html(told)
    assert "unet of &lt;Stencil&gt;" in sidebar.status_html(told)
    told.made_by["equals_base"] = False
    assert "Weights equal the base: no" in sidebar.status_html(told)
    broken = dataclasses.replace(status, state="broken", message="No <room>.", running=None, waiting=0)
    assert "No &lt;room&gt;." in sidebar.status_html(broken)


def test_an_empty_queue_says_so_and_a_job_says_what_it_does(fake: FakeStudio) -> None:
    assert "Nothing is being drawn" in queue.queue_html([])
    fake.sketcher.step_s = 0.05
    job = fake.submit([Recipe(prompt=EVIL), Recipe(prompt=EVIL)])
    fake.submit([Recipe()])
    shown = queue.queue_html(fake.queue())
    assert "2 pictures" in shown and "<script" not in shown and 'data-act="stop"' in shown
    for one in fake.unfinished_jobs():
        fake.stop(one.id, keep=False)
    fake.ended(job)
    assert "Ended early" in queue.ended_html(queue.ended_early(fake)) and queue.ended_html([]) == ""


def test_memory_of_a_process_that_is_gone_is_unknown() -> None:
    assert sidebar.resident_bytes(None) is None
    assert sidebar.resident_bytes(2**22 + 1) is None


def test_models_that_cannot_be_used_are_listed_with_their_reason(
    fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sidebar.broken_html(models.listed(fake)) == ""
    found = [models.Listed("stencil", "Stencil"), models.Listed("sd", "Sd", "Its unet <config> is missing.")]
    assert models.choices(found) == [("Stencil", "stencil")]
    assert "1 model cannot be used" in sidebar.broken_html(found) and "&lt;config&gt;" in sidebar.broken_html(found)
    assert len(models.choices([models.Listed("stencil", "Stencil", "Gone.")])) == 1
