"""Campaigns: drawn ahead and once, asked once, on where they stopped; or made of pictures that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.latents import INITIAL
from studio.preference.answer import FIRST, SECOND, Answer
from studio.preference.campaign import PlannedItem
from studio.services.labels import drawing
from studio.services.labels.design import Arm, CampaignDesign, Choices, arms_of, base_recipe
from studio.services.labels.incoming import collect, files_in
from studio.services.labels.plan import CampaignPlan
from studio.services.presets import GuidancePresets
from studio.services.studio import Studio
from studio.storage.png import read_png
from studio.storage.search import HistoryFilter
from tests.services.labels.foreign_files import a1111, ours
from tests.services.waiting import until
from tests.tiny_model import SIZE_PX

OF_CAMPAIGNS = HistoryFilter(origins=("campaign",))
PROMPTS = ("a red star", "a blue square", "a star")


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as opened:
        yield opened


def asking(name: str, **values: Any) -> CampaignPlan:
    return CampaignPlan(name, source="planned", **values)


def design(count: int = 4, **values: Any) -> CampaignDesign:
    recipe = Recipe(width=SIZE_PX, height=SIZE_PX, steps=2)
    return CampaignDesign(
        **{"count": count, "prompts": PROMPTS, "checks": 0.0, "arms": (Arm(recipe=recipe),), **values}
    )


def drawn(studio: Studio, campaign: int) -> None:
    """Wait until nothing of a campaign is left to draw or to ask."""
    until(lambda: studio.campaigns.standing(campaign).counts.is_settled)


def asked(studio: Studio, campaign: int) -> list[Any]:
    return [studio.labels.item(id) for id in studio.labels.queued(campaign, 1000)]


@pytest.mark.parametrize(("mode", "size"), [("pair", 2), ("best", 4), ("thumb", 1)])
def test_a_campaign_is_drawn_ahead_and_asks_about_each_item_once(studio: Studio, mode: Any, size: int) -> None:
    campaign = studio.campaigns.make(asking("mine", mode=mode), design(4))
    jobs = [job for job in studio.jobs.newest() if job.kind == "generate"]
    assert [(job.priority, job.payload["origin"], job.payload["latents"]) for job in jobs] == [
        ("ahead", "campaign", True)
    ]
    drawn(studio, campaign.id)
    items = asked(studio, campaign.id)
    assert [len(item.images) for item in items] == [size] * 4
    assert [item.prompt for item in items] == [*PROMPTS, PROMPTS[0]]
    pictures = studio.history.newest(100, only=OF_CAMPAIGNS)
    assert len(pictures) == len({picture.sha256 for picture in pictures}) == 4 * size
    for picture in pictures:
        assert read_png(picture.image_path).made_by[INITIAL] == picture.made_by[INITIAL]
        assert studio.archive.images.latents_path(picture.sha256).is_file()
    assert studio.history.newest(100) == []  # not among what people drew
    studio.history.delete([picture.id for picture in pictures])
    assert studio.history.purge().pictures == 0  # held, for they are asked about
    assert studio.campaigns.standing(campaign.id).counts.published == 4
    assert studio.campaigns.foreign_share(campaign.id) == 0


def test_checks_are_asked_beside_the_queue_with_the_answer_that_shows_attention(studio: Studio) -> None:
    plan = design(4, checks=0.05, arms=(Arm(recipe=Recipe(width=SIZE_PX, height=SIZE_PX, steps=8)),))
    campaign = studio.campaigns.make(asking("checked"), plan)
    drawn(studio, campaign.id)
    assert studio.labels.counts(campaign.id).checks == 1 and len(asked(studio, campaign.id)) == 4
    (check,) = [studio.labels.item(id) for id in range(1, 6) if studio.labels.item(id).purpose == "check"]
    generations = [studio.history.get(studio.archive.generations.of_image(image) or 0) for image in check.images]
    is_wrong = [picture.recipe.steps == 1 or picture.recipe.prompt != check.prompt for picture in generations]
    assert sum(is_wrong) == 1
    assert check.expected == Answer.pair(SECOND if is_wrong[0] else FIRST)
    # Of a list nobody can say which order is the right one.
    assert not [item for item in plan_of(studio, "best", plan) if item.wrong is not None]


def plan_of(studio: Studio, mode: Any, plan: CampaignDesign) -> list[PlannedItem]:
    return studio.campaigns._planned(mode, plan, 0, {}, ())


def test_after_the_program_died_only_what_is_missing_is_drawn(settings: Settings) -> None:
    with Studio(settings, backend="inline") as studio:
        campaign = studio.campaigns.make(asking("long"), design(24)).id
        until(lambda: studio.history.count(only=OF_CAMPAIGNS) >= 3)
        studio.campaigns.standing(campaign)
    with Studio(settings, backend="inline") as studio:
        before = studio.history.count(only=OF_CAMPAIGNS)
        assert 3 <= before < 48, "the program was to be closed in between"
        standing = studio.campaigns.standing(campaign)
        assert standing.trouble == "Drawing was interrupted." and not standing.jobs
        studio.labels.prepare(campaign)  # somebody labels
        drawn(studio, campaign)
        pictures = studio.history.newest(1000, only=OF_CAMPAIGNS)
        recipes = {picture.recipe.digest() for picture in pictures}
        redrawn = studio.campaigns.standing(campaign).counts
        assert len(recipes) == len(pictures) >= 48 and redrawn.items == 24
        assert len(asked(studio, campaign)) == redrawn.published


def test_killed_between_asking_and_noting_it_an_item_is_not_asked_twice(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise WorkspaceError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(studio.archive.planned, "settle", killed)
        campaign = studio.campaigns.make(asking("torn"), design(3)).id
        until(lambda: studio.archive.planned_progress.counts(campaign).missing == 0)
        with pytest.raises(WorkspaceError, match="killed"):
            studio.campaigns.standing(campaign)
    counts = studio.campaigns.standing(campaign).counts
    assert counts.published == len(asked(studio, campaign)) == 3


def test_what_comes_out_alike_is_drawn_again_and_left_out_the_third_time(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "are_alike", lambda first, second: True)
    campaign = studio.campaigns.make(asking("alike"), design(2)).id
    drawn(studio, campaign)
    counts = studio.campaigns.standing(campaign).counts
    assert (counts.alike, counts.published, asked(studio, campaign)) == (2, 0, [])
    pictures = studio.history.newest(100, only=OF_CAMPAIGNS)
    assert len(pictures) == len({picture.recipe.seed for picture in pictures}) == 2 * 2 * drawing.MAX_ATTEMPTS


def test_a_stop_holds_until_somebody_goes_on(studio: Studio) -> None:
    campaign = studio.campaigns.make(asking("stopped"), design(24)).id
    until(lambda: studio.history.count(only=OF_CAMPAIGNS) >= 1)
    studio.campaigns.drawing.stop(campaign)
    until(lambda: not studio.campaigns.standing(campaign).jobs)
    standing = studio.campaigns.standing(campaign)
    assert standing.trouble == "Drawing was stopped." and standing.counts.missing
    studio.campaigns.drawing.keep_ahead(campaign)
    assert not studio.campaigns.standing(campaign).jobs
    stopped = next(job for job in studio.jobs.newest() if job.status == "cancelled")
    studio.jobs.retry(stopped.id)  # as the queue offers it
    assert studio.campaigns.standing(campaign).jobs
    drawn(studio, campaign)
    with pytest.raises(BadInput, match="is drawn, or about to be"):
        studio.campaigns.resume(campaign)


def test_more_are_other_pictures_and_hidden_words_follow_what_was_liked(studio: Studio) -> None:
    hidden = {"hidden_share": 1.0, "hidden_words": (("neon", "plain"),)}
    campaign = studio.campaigns.make(asking("growing"), design(6, seed=1, **hidden)).id
    drawn(studio, campaign)
    studio.labels.annotator("ann")
    for lease in studio.labels.lease(campaign, "ann", 6):
        item = studio.labels.item(studio.archive.labels.lease_of(lease.token).item)
        prompts = [studio.history.get(studio.archive.generations.of_image(i) or 0).recipe.prompt for i in item.images]
        assert all(prompt != item.prompt and prompt.startswith(item.prompt) for prompt in prompts)
        answer = Answer.pair(FIRST if prompts[0].endswith("neon") else SECOND)
        studio.labels.vote(f"vote-{item.id}", lease.token, answer)
    before = studio.archive.planned.recipes(campaign)
    assert studio.campaigns.more(campaign, 100) == 100
    new = studio.archive.planned.recipes(campaign)[len(before) :]
    assert not {recipe.digest() for recipe in before} & {recipe.digest() for recipe in new}
    neon, count = sum(recipe.prompt.endswith("neon") for recipe in new), len(new)
    assert count == 200 and neon > count / 2 + 3 * (count / 4) ** 0.5
    studio.campaigns.drawing.stop(campaign)


def test_recipes_are_every_combination_of_what_is_named(studio: Studio) -> None:
    presets = GuidancePresets(studio.settings.workspace)
    arms = arms_of(Choices(presets=("cfg", "apg"), steps=3), studio.sources, presets)
    assert [arm.name for arm in arms] == ["cfg", "apg"]
    assert [arm.recipe.guidance.method for arm in arms] == ["cfg", "apg"]
    assert base_recipe(studio.sources).guidance.params == {"guidance_scale": 1.5}
    with pytest.raises(NotFound, match="no guidance preset"):
        arms_of(Choices(presets=("none of these",)), studio.sources, presets)
    with pytest.raises(BadInput, match="at most 8"):
        arms_of(Choices(presets=("cfg",) * 9), studio.sources, presets)
    with pytest.raises(NotFound):
        arms_of(Choices(models=("gone",)), studio.sources, presets)


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(studio: Studio) -> None:
    for values, sentence in (
        ({"hidden_share": 0.5}, "only where you say which"),
        ({"arms": (Arm(), Arm())}, "are equal"),
    ):
        with pytest.raises(BadInput, match=sentence):
            studio.campaigns.make(asking("never"), design(4, **values))
    for recipe in (Recipe(model="gone"), Recipe(sampler="gone")):
        with pytest.raises(NotFound, match="gone"):
            studio.campaigns.make(asking("never"), design(4, arms=(Arm(recipe=recipe),)))
    assert studio.labels.campaigns() == []
    outlook = studio.campaigns.outlook("pair", design(4))
    assert (outlook.items, outlook.pictures, outlook.prompts) == (4, 8, 3)
    assert studio.labels.campaigns() == []


def test_a_design_is_read_back_and_nonsense_refused_by_name(studio: Studio) -> None:
    plan = design(3, seed=7, hidden_share=0.5, hidden_words=(("a", "b"),))
    campaign = studio.campaigns.make(asking("kept"), plan)
    assert studio.campaigns.design(campaign.id) == plan
    drawn(studio, campaign.id)
    for values, sentence in (
        ({"count": 0}, "count"),
        ({"checks": 0.5}, "checks"),
        ({"prompts": [" "]}, "A prompt has 1 to"),
        ({"arms": [{"recipe": {"steps": 0}}]}, "In the recipe, steps"),
        ({"nonsense": 1}, "nonsense"),
        ({"hidden_words": [["x"] * 201]}, "at most 200 hidden words"),
    ):
        with pytest.raises(BadInput, match=sentence):
            CampaignDesign.load(values)


# -- of pictures that are there ---------------------------------------------------------------------------------------


def test_pictures_from_elsewhere_are_stored_once_and_asked_about_within_prompt_and_size(
    studio: Studio, tmp_path: Path, draw: Callable[..., Recipe]
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for number in range(4):
        a1111(folder / f"{number}.png", "a star at night", number)
    ours(folder / "lonely.png", "a moon", 5)
    (known,) = studio.pictures.draw([draw(prompt="a star at night")])
    (folder / "known.png").write_bytes(known.image_path.read_bytes())
    (other,) = studio.pictures.draw([draw(prompt="a star at night", seed=1)])
    (folder / "other.png").write_bytes(other.image_path.read_bytes())
    collection = collect(files_in(folder))

    outcome = studio.picture_campaigns.from_files(asking("theirs"), collection)
    assert (outcome.items, outcome.pictures, outcome.alone, outcome.alike) == (5, 6, 1, 0)
    items = asked(studio, outcome.campaign.id)
    assert {item.prompt for item in items} == {"a star at night"}
    assert {known.sha256, other.sha256} in [set(item.images) for item in items]  # those of the history, as they are
    foreign = studio.archive.labels.foreign
    assert len(foreign.images()) == 4  # the lonely one is in no item, and not stored
    record = foreign.get(next(iter(foreign.images())))
    assert record.model == "dreamshaper_8" and record.facts is not None
    assert record.facts["settings"]["negative prompt"] == "blur"
    assert studio.campaigns.foreign_share(outcome.campaign.id) == 8 / 10

    triage = studio.picture_campaigns.from_files(asking("triage", mode="thumb"), collection)
    assert (triage.items, triage.alone) == (7, 0)
    assert len(foreign.images()) == 5  # stored once
    with pytest.raises(BadInput, match="draws no pictures"):
        studio.campaigns.more(triage.campaign.id, 3)


def test_pictures_of_the_history_are_compared_within_prompt_and_size(
    studio: Studio, draw: Callable[..., Recipe]
) -> None:
    prompts = ["a star", "a star", "a star", "a square", "a square", "a house"]
    pictures = studio.pictures.draw([draw(prompt=prompt, seed=seed) for seed, prompt in enumerate(prompts)])
    numbers = [picture.id for picture in pictures]
    outcome = studio.picture_campaigns.from_history(asking("sent"), numbers)
    assert (outcome.items, outcome.pictures, outcome.alone) == (4, 5, 1)
    with pytest.raises(BadInput, match="none can be compared"):
        studio.picture_campaigns.from_history(asking("one"), numbers[-1:])
    with pytest.raises(NotFound):
        studio.picture_campaigns.from_history(asking("gone"), [10**6])
    with pytest.raises(BadInput, match="1 to 1,000 pictures"):
        studio.picture_campaigns.from_history(asking("none"), [])
    assert [campaign.name for campaign in studio.labels.campaigns()] == ["sent"]
