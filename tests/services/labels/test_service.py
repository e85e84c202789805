"""Labels as the page and the command line have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.preference.answer import Answer
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.storage.archive import Archive
from studio.storage.labels.items import NewItem
from studio.storage.labels.log import Circumstances
from studio.storage.png import encode_png

RECIPES = (Recipe(steps=10), Recipe(steps=20))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive.open(tmp_path)
    made.labels.chance = Random(1)
    yield made
    made.close()


@pytest.fixture
def service(archive: Archive) -> LabelService:
    return LabelService(archive)


def plan(**values: Any) -> CampaignPlan:
    return CampaignPlan(**{"name": "stars", "prompts": ("a star", "a heart"), "recipes": RECIPES, **values})


def draw(archive: Archive, count: int) -> list[int]:
    """Pictures in the history, with files."""
    numbers: list[int] = []
    for seed in range(count):
        recipe = Recipe(seed=seed, width=32, height=32)
        png = encode_png(Image.new("RGB", (32, 32), (seed, 0, 0)), recipe, {})
        record = archive.keep_picture(png, job=None, recipe=recipe, made_by={}, place=None, seq=None, origin="campaign")
        numbers.append(record.id)
    return numbers


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompts": ()}, "The campaign has no prompts."),
        ({"recipes": ()}, "The campaign has no recipes."),
        ({"recipes": (Recipe(), Recipe(steps=9), Recipe(prompt="x", seed=7))}, "The recipes 1 and 3 .* are the same"),
        ({"mode": "duel"}, "A campaign's mode is pair, best, best_worst, ranking, thumb, not 'duel'."),
        ({"prompts": ("a", "b", "a")}, "names 'a' twice among its prompts"),
        ({"prompts": (3,)}, "A prompt must be text"),
        ({"recipes": RECIPES[:1]}, "Asked as pair, a prompt needs 2 pictures: recipes times seeds are 1."),
        ({"mode": "best_worst"}, "needs 3 pictures"),
        ({"questions": ()}, "at least one question"),
        ({"questions": ("taste",)}, "overall, prompt, look, not 'taste'"),
        ({"target_per_item": 0}, "1 to 100 answers, not 0"),
        ({"check_share": 0.9}, "check_share is from 0 to 0.5, not 0.9"),
        ({"overlap_share": float("nan")}, "overlap_share is from 0 to 1, not nan"),
        ({"name": " "}, "A campaign needs a name"),
        ({"name": "\ud800"}, "name must be text"),
        ({"seeds": (-1,), "mode": "thumb"}, "A seed is a whole number"),
        ({"source": "brought"}, "has no prompts and no recipes of its own"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        plan(**values)


def test_a_plan_from_plain_values() -> None:
    values = {"name": "stars", "prompts": ["a star"], "recipes": [{"steps": 10}, {"steps": 20}], "questions": ["look"]}
    assert CampaignPlan.load(values) == plan(prompts=("a star",), questions=("look",))
    for wrong, sentence in (
        ({**values, "prompt": "x"}, "no 'prompt'"),
        ({**values, "prompts": "a star"}, "prompts is a list"),
        ({**values, "recipes": [7]}, "A recipe is a JSON object"),
        ([], "A campaign's plan is a JSON object"),
    ):
        with pytest.raises(BadInput, match=sentence):
            CampaignPlan.load(wrong)


def test_a_campaigns_life(service: LabelService) -> None:
    campaign = service.create(plan(guideline="Look at the star."))
    assert campaign == service.campaign(campaign.id) == service.find("stars") == service.find(str(campaign.id))
    assert campaign.plan["prompts"] == ["a star", "a heart"] and len(campaign.guideline_version) == 12
    with pytest.raises(BadInput, match="There is a campaign 'stars' already"):
        service.create(plan())
    other = service.create(plan(name="more"))
    assert [entry.name for entry in service.campaigns()] == ["more", "stars"]
    assert service.pause(other.id).paused and not service.pause(other.id, False).paused
    assert service.archive(other.id).archived and [entry.name for entry in service.campaigns()] == ["stars"]
    assert len(service.campaigns(archived=True)) == 2
    assert service.set_guideline(campaign.id, "Look twice.").guideline_version != campaign.guideline_version
    with pytest.raises(NotFound, match="no campaign 'x'"):
        service.find("x")
    with pytest.raises(NotFound, match="no campaign number"):
        service.campaign(2**70)


def test_from_a_question_to_a_snapshot(archive: Archive, service: LabelService) -> None:
    campaign = service.create(plan(repeat_share=0.0, check_share=0.0))
    numbers = draw(archive, 20)
    new = [NewItem(f"prompt {n // 2}", (numbers[2 * n], numbers[2 * n + 1])) for n in range(10)]
    service.add_items(campaign.id, new)
    alias = service.annotator("  Ada   Lovelace ").alias
    assert alias == "Ada Lovelace" and service.annotators()[0].alias == alias
    for number, assignment in enumerate(service.lease(campaign.id, alias, 10)):
        left = service.picture(assignment.token, 0)
        item = service.item(number + 1)
        assert left == archive.images.path(item.images[assignment.order[0]]) and left.is_file()
        outcome = "skip" if number == 9 else "first"
        answer = assignment.answer_of_item(Answer.pair(outcome))
        circumstances = Circumstances(is_blind=number != 8, latency_ms=700, confidence=1)
        service.vote(f"v{number}", assignment.token, answer, circumstances=circumstances)
        if outcome == "first":  # the left one was better: whichever place it has in the item
            assert answer.ranks[assignment.order[0]] == 1
    snapshot = service.snapshot("first", [campaign.id], seed=3, held_out_share=0.25)
    training, held_out = (list(side) for side in service.snapshot_labels("first"))
    assert (
        len(training) + len(held_out) == 8 and {label.prompt for label in held_out} and training[0].pictures[0].recipe
    )
    assert not {label.prompt for label in training} & {label.prompt for label in held_out}
    assert service.snapshot("second", [campaign.id], seed=3, held_out_share=0.25).digest == snapshot.digest
    service.undo("u", campaign.id, alias)
    service.undo("u2", campaign.id, alias)
    service.undo("u3", campaign.id, alias)  # one that was learned from
    assert [label.id for side in service.snapshot_labels("first") for label in side] == [
        label.id for label in training + held_out
    ]
    assert service.snapshot("third", seed=3, held_out_share=0.25).digest != snapshot.digest
    assert service.counts(campaign.id).by_annotator == {alias: 7}


def test_what_a_page_may_know_says_nothing_of_the_pictures(archive: Archive, service: LabelService) -> None:
    campaign = service.create(plan())
    service.add_items(campaign.id, [NewItem("a star", tuple(draw(archive, 2)))])
    (assignment,) = service.lease(campaign.id, service.annotator("ada").alias)
    names = set(vars(assignment))
    assert names == {"token", "prompt", "mode", "questions", "count", "expires_at", "order", "is_flagged"}
    with pytest.raises(NotFound, match="none at 2"):
        service.picture(assignment.token, 2)
    with pytest.raises(NotFound, match="No question"):
        service.picture("../../etc/passwd", 0)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"latency_ms": float("nan")}, "0 ms to a week, not nan"),
        ({"latency_ms": -1}, "0 ms to a week"),
        ({"confidence": 2}, "Confidence is above 0"),
        ({"comment": "x" * 2001}, "at most 2000 characters"),
        ({"comment": "\0"}, "A comment must be text"),
        ({"device": "\ud800"}, "A device must be text"),
    ],
)
def test_circumstances_that_cannot_be_are_refused(service: LabelService, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        service.vote("a", "t", Answer.pair("first"), circumstances=Circumstances(**values))


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (NewItem("p", (1,)), "asked as pair has 2 pictures, not 1"),
        (NewItem("p", (1, 1)), "about one picture twice"),
        (NewItem("p", (1, 99)), "no picture 99 in the history"),
        (NewItem("p", (1, "ab" * 32)), "among those brought along"),
        (NewItem("p\0", (1, 2)), "A prompt has at most"),
    ],
)
def test_an_item_that_cannot_be_asked_is_refused_and_none_of_its_company_is_written(
    archive: Archive, service: LabelService, item: NewItem, sentence: str
) -> None:
    campaign = service.create(plan())
    numbers = draw(archive, 2)
    with pytest.raises(BadInput, match=sentence):
        service.add_items(campaign.id, [NewItem("p", (numbers[0], numbers[1])), item])
    assert service.counts(campaign.id).items == 0 and service.queued(campaign.id) == []


@pytest.mark.parametrize("name", ["bob", "", "x" * 300, "\ud800", 7, None, ["ada"]])
def test_what_nobody_is_called_is_refused_whatever_it_is(service: LabelService, name: Any) -> None:
    campaign = service.create(plan())
    calls = [
        lambda: service.lease(campaign.id, name),
        lambda: service.undo("u", campaign.id, name),
        lambda: service.progress(campaign.id, name),
        lambda: service.set_keys(name, {}),
    ]
    for call in calls:
        with pytest.raises(NotFound, match="no annotator"):
            call()
