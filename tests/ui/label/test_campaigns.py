"""The Campaigns part without a browser: made from what stands in the fields, shown, paused, enlarged, looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.core.recipe import EditRef, Recipe
from studio.preference.answer import Answer
from studio.services.presets import GuidancePresets
from studio.ui.label.campaigns import form
from studio.ui.label.campaigns.handlers import Handlers
from tests.services.labels.foreign_files import a1111, with_exif
from tests.services.waiting import until
from tests.ui.fake_studio import FakeStudio

FIELDS: dict[str, Any] = {
    "name": "",
    "source": "drawn",
    "prompts_from": "world",
    "prompts": "",
    "prompt_file": None,
    "count": 12,
    "hidden": 0.0,
    "hidden_words": "",
    "models": [],
    "presets": [],
    "stacks": "none",
    "steps": 2,
    "same_seed": True,
    "mode": "pair",
    "questions": ["overall"],
    "guideline": "Prefer the neat one.",
    "target": 1,
    "overlap": 10,
    "checks": True,
    "repeats": True,
    "reveal": "never",
    "seed": "7",
    "pictures": [],
}
STACK = (EditRef(edit="x"),)


@pytest.fixture
def do(fake: FakeStudio) -> Handlers:
    return Handlers(fake, GuidancePresets(fake.settings.workspace))


def made(do: Handlers, **values: Any) -> dict[str, Any]:
    return do.make("page", FIELDS | values, (), None)


def test_a_campaign_is_made_drawn_paused_and_enlarged(fake: FakeStudio, do: Handlers) -> None:
    assert "No campaign yet" in do.look(None)["list"]
    note = do.note("page", FIELDS, ())
    assert "26 pictures of 12 prompts" in note["note"]
    answer = made(do)
    assert "12 pairs of Stencil</b> is made" in answer["message"] and answer["name"] == ""
    (campaign,) = fake.labels.campaigns()
    assert (campaign.guideline, campaign.mode, campaign.overlap_share) == ("Prefer the neat one.", "pair", 0.1)
    assert "12 pairs of Stencil, 2</b> is made" in made(do)["message"]  # a name that nothing has

    until(lambda: fake.campaigns.standing(campaign.id).counts.is_settled)
    counts = fake.campaigns.standing(campaign.id).counts
    shown = do.look(None)["list"]
    assert f"0 of {counts.published - counts.checks} items have their answers · no answer yet" in shown
    assert 'data-op="label"' in shown and "Prefer the neat one." in shown
    paused = do.act("pause", campaign.id, None, None)["list"]
    assert ">paused<" in paused and 'data-op="go_on"' in paused
    assert "5 more are being drawn" in do.act("more", campaign.id, "5", None)["message"]
    assert "1 to 1,000 more" in do.act("more", campaign.id, "x", None)["message"]
    do.act("guideline", campaign.id, "Another.", None)
    assert fake.labels.campaign(campaign.id).guideline == "Another."
    archived = do.act("archive", campaign.id, None, None)
    assert "12 pairs of Stencil<" not in archived["list"]
    assert "12 pairs of Stencil<" in do.act("archived", 0, True, None)["list"]
    assert "no campaign number" in do.act("pause", 10**6, None, None)["message"]
    assert "nothing to do" in do.act("explode", campaign.id, None, None)["message"]


def test_what_is_wrong_is_said_and_what_was_typed_stays(do: Handlers, tmp_path: Path) -> None:
    broken = tmp_path / "prompts.json"
    broken.write_text("[1", encoding="utf-8")
    for values, sentence in (
        ({"prompts_from": "own"}, "There is no prompt"),
        ({"prompts_from": "own", "prompt_file": str(broken)}, "not valid JSON"),
        ({"prompts_from": "own", "prompts": "a star", "hidden": 1.0}, "only where you say which"),
        ({"stacks": "both"}, "The edit stack in the sidebar is empty"),
        ({"presets": ["cfg"] * 9}, "at most 8"),
        ({"steps": 1.5}, "a whole number is needed"),
        ({"seed": "-1"}, "A seed is a whole number"),
        ({"questions": []}, "at least one question"),
        ({"mode": "triple"}, "Items are asked as"),
        ({"source": "history"}, "No picture is chosen"),
        ({"source": "files"}, "There are no files yet"),
    ):
        answer = made(do, **values)
        assert set(answer) == {"message"} and sentence in answer["message"], values
    assert "Write your prompts" in do.note("page", FIELDS | {"prompts_from": "own"}, ())["note"]
    with_stack = do.note("page", FIELDS | {"stacks": "both"}, STACK)["note"]
    assert "no edit" in with_stack.lower()  # x is none of the workspace's


def test_files_are_shown_sorted_and_become_a_campaign_once(fake: FakeStudio, do: Handlers, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    files = [a1111(folder / f"{k}.png", "a <b>star</b>", k) for k in range(3)]
    files += [with_exif(folder / "copy.jpg", "a <b>star</b>", 1), folder / "page.png"]
    files[-1].write_bytes(b"<html>")
    shown = do.files("page", [str(file) for file in files], FIELDS)
    assert shown["files"] is None and shown["folder"] is None
    html = shown["files_html"]
    assert "3 pictures in 1 group of one prompt and size; each with its prompt." in html
    assert "a &lt;b&gt;star&lt;/b&gt;" in html and "copy.jpg is nearly equal to 1.png" in html
    assert "Not taken: 1 file" in html and "page.png" in html
    assert not any(file.exists() for file in files)  # taken over, and nothing is left where uploads lie
    waiting = do.batches.of("page")
    assert waiting is not None and waiting.folder.is_dir()

    answer = made(do, source="files", mode="thumb", name="theirs")
    assert "It asks about 3 pictures, one by one. 1 was left out" in answer["message"] and answer["files_html"] == ""
    assert "All of its pictures are from elsewhere" in answer["list"]
    assert do.batches.of("page") is None and not waiting.folder.exists()
    assert len(fake.archive.labels.foreign.images()) == 3
    assert "There are no files yet" in made(do, source="files")["message"]
    assert "None of these files can be used" in do.files("page", [str(_page(tmp_path))], FIELDS)["files_html"]


def _page(folder: Path) -> Path:
    file = folder / "again.png"
    file.write_bytes(b"<html>")
    return file


def test_pictures_that_were_sent_become_a_campaign(fake: FakeStudio, do: Handlers) -> None:
    recipes = [Recipe(prompt=f"a {colour} star", seed=k, steps=1) for k, colour in enumerate(("red", "blue"))]
    job = fake.pictures.submit(recipes)
    fake.ended(job)
    numbers = fake.archive.generations.numbers_of_job(job)
    received = do.received(numbers, None)
    assert received["source"] == "history" and received["pictures"] == numbers
    assert "2 pictures were sent here" in received["message"]
    answer = made(do, source="history", mode="thumb", pictures=numbers)
    assert "Pictures of the history</b> is made. It asks about 2 pictures" in answer["message"]
    assert "none can be compared" in made(do, source="history", pictures=numbers)["message"]


def test_how_sound_the_answers_are_is_shown_when_asked_for(fake: FakeStudio, do: Handlers) -> None:
    made(do)
    (campaign,) = fake.labels.campaigns()
    until(lambda: fake.campaigns.standing(campaign.id).counts.is_settled)
    fake.labels.annotator("ann")
    for number, lease in enumerate(fake.labels.lease(campaign.id, "ann", 5)):
        fake.labels.vote(f"vote-{number}", lease.token, Answer.pair("first"))
    assert 'data-op="quality"' in do.look(None)["list"]
    answer = do.act("quality", campaign.id, None, None)
    assert answer["looked"] == {"quality": campaign.id, "archived": False, "scores": False}
    assert "Agreement is known when two people" in answer["list"] and '<th scope="row">ann</th>' in answer["list"]
    assert "5 answers by ann 5" in answer["list"]


def test_a_draft_is_read_back_and_rubbish_is_not() -> None:
    draft = {name: FIELDS[name] for name in form.KEPT}
    assert form.stored(draft) == draft
    for rubbish in (
        None,
        [],
        {"count": 10**9, "mode": "triple", "questions": ["why"], "checks": 1, "name": "x" * 10**6},
    ):
        assert form.stored(rubbish) == {}
