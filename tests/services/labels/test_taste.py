"""Taste models of an open studio: learned in the background, told in a sentence, and asked for the next pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.preference.answer import Answer
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.standings import standings
from studio.services.labels.statistics import statistics
from studio.services.labels.taste_line import accuracy_of
from studio.services.studio import Studio
from studio.storage.labels.items import NewItem
from studio.storage.png import encode_png
from studio.world.render import render_uint8
from studio.world.scene import OBJECTS, one_object
from tests.services.waiting import until

STYLES = ("neon", "flat", "striped", "outlined")
NEON: set[str] = set()  # sha256 of the pictures in that style


@pytest.fixture
def studio(stencil_dir: Path, tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(workspace=tmp_path / "workspace", model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


def campaign_of(studio: Studio, prompts: int = 10) -> int:
    """Four pictures for each prompt, one of each style; two pairs of them are asked about."""
    labels = studio.labels
    campaign = labels.create(CampaignPlan(name="stars", source="brought", overlap_share=0, repeat_share=0)).id
    new: list[NewItem] = []
    for number, object in enumerate(OBJECTS[:prompts]):
        pictures: list[int] = []
        for place, style in enumerate(STYLES):
            image = Image.fromarray(render_uint8(one_object(object, "red" if place % 2 else "blue", style=style)))
            recipe = Recipe(prompt=f"a {object}", seed=4 * number + place)
            png = encode_png(image, recipe, {})
            record = studio.archive.keep_picture(
                png, job=None, recipe=recipe, made_by={}, place=None, seq=None, origin="campaign"
            )
            pictures.append(record.id)
            if style == "neon":
                NEON.add(record.image)
        new += [NewItem(f"a {object}", (pictures[i], pictures[j])) for i, j in ((0, 1), (2, 0), (3, 0), (1, 2))]
    labels.add_items(campaign, new)
    return campaign


def answer(studio: Studio, campaign: int, count: int, annotator: str = "ada") -> int:
    """Somebody answers who likes neon alone. Gives how many questions there were."""
    studio.labels.annotator(annotator)
    answered = 0
    while answered < count and (asked := studio.labels.lease(campaign, annotator, min(20, count - answered))):
        for assignment in asked:
            is_neon = [image in NEON for image in studio.archive.labels.lease_of(assignment.token).images]
            outcome = "tie" if is_neon[0] == is_neon[1] else "first" if is_neon[0] else "second"
            studio.labels.vote(f"{annotator} {assignment.token}", assignment.token, Answer.pair(outcome))
        answered += len(asked)
    return answered


def test_a_taste_is_learned_as_labels_come_in(studio: Studio) -> None:
    campaign = campaign_of(studio)
    assert studio.tastes.line(campaign).text == "Your taste model says nothing before 20 answers; there are 0."
    assert answer(studio, campaign, 40) == 40
    line = studio.tastes.line(campaign)
    assert line.state == "learning" and "learning from 40 answers" in line.text
    until(lambda: studio.tastes.line(campaign).state == "ready")
    line = studio.tastes.line(campaign, "ada")
    assert line.accuracy is not None and line.low is not None and line.accuracy > 0.8 and line.n == 30
    assert line.low < line.accuracy and line.labels == 40
    assert line.text.startswith(f"Your taste model is right {line.accuracy:.0%}".replace("%", " %"))
    assert "(30 held-out pairs)" in line.text
    assert studio.tastes.line(campaign, "bea").accuracy is None  # who answered nothing
    assert studio.tastes.curve(campaign) is None  # computed in the background, once somebody asks
    until(lambda: studio.tastes.curve(campaign) is not None)
    curve = studio.tastes.curve(campaign) or []
    assert [point.labels for point in curve] == [10, 20, 32] and curve[-1].accuracy > 0.8
    assert all(point.low <= point.accuracy <= point.high and point.n for point in curve)
    (job,) = [job for job in studio.jobs.newest() if job.kind == "features"]
    assert job.status == "done" and job.payload["pictures"] == 40
    with pytest.raises(BadInput, match="have these features"):
        studio.jobs.retry(job.id)
    with pytest.raises(NotFound):
        studio.tastes.line(99)


def test_further_pairs_are_those_that_tell_most_and_a_share_of_chance(studio: Studio) -> None:
    campaign = campaign_of(studio)
    answer(studio, campaign, 40)
    first = studio.further_questions.more(campaign, "ada", 5, seed=0)
    assert {studio.labels.item(item).chosen_by for item in first} == {"random"}  # nothing is learned yet
    studio.tastes.learn(campaign)
    more = [studio.labels.item(item) for item in studio.further_questions.more(campaign, "ada", 10, seed=1)]
    assert [item.chosen_by for item in more].count("random") == 2
    assert all((item.score is None) == (item.chosen_by == "random") for item in more)
    pool = studio.archive.labels.pools.of(campaign)
    assert len(pool.pictures) == 40 and len(pool.items) == len(set(pool.items)) == 55
    assert answer(studio, campaign, 100) == 15
    assessment = studio.tastes.learn(campaign)
    chosen = [label.chosen_by for label in assessment.answers.labels]
    assert chosen.count("bald") == 8 and sum(n for _, n in assessment.tally().values()) < 55
    # Of four pictures a prompt has six pairs: when all were asked there is none left.
    assert len(studio.further_questions.more(campaign, "ada", 100)) == 5
    with pytest.raises(BadInput, match="asked about already"):
        studio.further_questions.more(campaign, "ada")
    with pytest.raises(BadInput, match="1 to 200"):
        studio.further_questions.more(campaign, "ada", 0)


def test_an_answer_that_the_others_make_unlikely_is_found_and_asked_again(studio: Studio) -> None:
    campaign = campaign_of(studio)
    answer(studio, campaign, 40)
    assert studio.further_questions.doubtful(campaign) == []  # nothing is learned yet
    first = next(iter(studio.labels.labels([campaign])))
    slip = Answer.pair("second" if first.answer.outcome == "first" else "first")
    question = studio.labels.undo("back", campaign, "ada", first.id)[1]
    studio.labels.vote("slip", question.token, slip)
    studio.tastes.learn(campaign)
    (label, likelihood), *_ = studio.further_questions.doubtful(campaign)
    assert label.id == "slip" and likelihood < 0.2 and studio.looking_back.tokens([label])["slip"]
    item = studio.labels.item(studio.further_questions.again(campaign, "slip"))
    assert item.images == tuple(picture.sha256 for picture in label.pictures) and item.chosen_by == "disagreement"
    with pytest.raises(NotFound, match="no doubtful answer"):
        studio.further_questions.again(campaign, first.id)


def test_features_are_chosen_among_those_that_suit_the_pictures(studio: Studio) -> None:
    campaign = campaign_of(studio, prompts=6)
    assert studio.tastes.extractors(campaign)[0] == "oracle"
    studio.tastes.use(campaign, "tones")
    with pytest.raises(BadInput, match="Label some pairs"):
        studio.tastes.learn(campaign)
    answer(studio, campaign, 24)
    assert studio.tastes.learn(campaign).taste.basis.mean.shape == (30,)
    for extractor, error in (("own_clip", BadInput), ("sense", NotFound)):
        with pytest.raises(error):
            studio.tastes.use(campaign, extractor)


def test_statistics_know_the_checks_of_a_campaign(studio: Studio) -> None:
    campaign = campaign_of(studio, prompts=2)
    answer(studio, campaign, 8)
    values = statistics(studio.archive.labels, studio.labels.campaign(campaign))
    (quality,) = values["annotators"]
    assert quality["annotator"] == "ada" and quality["labels"] == 8 and quality["flags"] == []
    assert values["agreement"]["value"] is None
    assert standings(studio.labels.labels([campaign])) == []  # all pictures are of one recipe
    pool = studio.archive.labels.pools.of(campaign)
    pair = (pool.pictures[0].reference, pool.pictures[1].reference)
    check = NewItem("a check", pair, purpose="check", expected=Answer.pair("first"))
    (item,) = studio.labels.add_items(campaign, [check])
    assert studio.archive.labels.items.right_answers(campaign) == {item: Answer.pair("first")}
    assert studio.archive.labels.pools.of(campaign) == pool  # a check's spoilt picture is no candidate


def test_scorers_are_held_against_the_labels(studio: Studio) -> None:
    campaign = campaign_of(studio, prompts=6)
    answer(studio, campaign, 24)
    assert studio.scores.agreement(campaign, "world_clip") is None
    job = studio.scores.start(campaign, "world_clip")
    studio.jobs.wait(job)
    scores = studio.scores.scores(campaign, "world_clip")
    assert len(scores) == 24 and all(-1 <= score <= 1 for score in scores.values())
    agreement = studio.scores.agreement(campaign, "world_clip", "ada")
    assert agreement is not None and agreement.n == 18
    assert agreement.interval.low <= agreement.accuracy <= agreement.interval.high
    for again in (lambda: studio.scores.start(campaign, "world_clip"), lambda: studio.jobs.retry(job)):
        with pytest.raises(BadInput, match="are scored by it"):
            again()
    with pytest.raises(NotFound, match="--models-dir"):
        studio.scores.start(campaign, "pick_score")
    assert [why == "" for _, why in studio.scores.scorers()] == [True, True, False, False, False, False]


def test_a_studio_closes_while_a_taste_is_learned(stencil_dir: Path, tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / "workspace", model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as studio:
        campaign = campaign_of(studio)
        answer(studio, campaign, 40)
        assert studio.tastes.line(campaign).state == "learning"
    with Studio(settings, backend="inline") as studio:
        assert studio.labels.counts(campaign).labels == 40
        assert studio.tastes.learn(campaign).taste.labels == 40


def test_an_interval_is_as_wide_as_prompts_are_alike() -> None:
    accuracy, even, n = accuracy_of(dict.fromkeys(range(20), (8.0, 10)))
    assert (accuracy, n) == (0.8, 200) and even.low < 0.8 < even.high
    halves = {number: (10.0, 10) if number < 16 else (0.0, 10) for number in range(20)}
    accuracy, uneven, n = accuracy_of(halves)
    assert (accuracy, n) == (0.8, 200) and uneven.low < even.low - 0.05
    with pytest.raises(ValueError, match="nothing"):
        accuracy_of({0: (0.0, 0)})
