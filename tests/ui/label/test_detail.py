"""What the answers of a campaign say, without a browser: recipes, taste, scorers, what was flagged."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from studio.core.recipe import Recipe
from studio.metrics.intervals import Interval
from studio.preference.answer import Answer
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.scoring import ScorerAgreement
from studio.services.labels.taste_curve import CurvePoint
from studio.services.labels.taste_line import TasteLine
from studio.services.presets import GuidancePresets
from studio.storage.labels.items import NewItem
from studio.storage.labels.log import Circumstances
from studio.ui.label.campaigns.handlers import Handlers
from tests.ui.fake_studio import FakeStudio

PROMPT = "a red star"


def compared(studio: FakeStudio) -> int:
    """A campaign of two recipes at one seed, of which the one with more steps always wins; two pairs are left."""
    recipes = [
        Recipe(prompt=PROMPT, seed=seed, steps=steps, width=64, height=64) for seed in range(8) for steps in (1, 2)
    ]
    pictures = [picture.id for picture in studio.pictures.draw(recipes)]
    plan = CampaignPlan("steps", source="brought", target_per_item=2, overlap_share=0, repeat_share=0, check_share=0)
    campaign = studio.labels.create(plan).id
    studio.labels.add_items(campaign, [NewItem(PROMPT, (pictures[2 * k], pictures[2 * k + 1])) for k in range(8)])
    studio.labels.annotator("Ada")
    for number, question in enumerate(studio.labels.lease(campaign, "Ada", 6)):
        marks = Circumstances(flagged=True, comment="a <b>hand</b> too many") if number == 0 else Circumstances()
        studio.labels.vote(f"vote-{number}", question.token, Answer.pair("second"), circumstances=marks)
    return campaign


@pytest.fixture
def do(fake: FakeStudio) -> Handlers:
    return Handlers(fake, GuidancePresets(fake.settings.workspace))


def test_how_far_people_agree_is_told_of_every_two_and_of_all(fake: FakeStudio, do: Handlers) -> None:
    recipes = [Recipe(prompt=PROMPT, seed=seed, steps=1, width=64, height=64) for seed in range(8)]
    pictures = [picture.id for picture in fake.pictures.draw(recipes)]
    plan = CampaignPlan("three", source="brought", target_per_item=3, overlap_share=0, repeat_share=0, check_share=0)
    campaign = fake.labels.create(plan).id
    fake.labels.add_items(campaign, [NewItem(f"star {k}", (pictures[2 * k], pictures[2 * k + 1])) for k in range(4)])
    said = {"Ada": "1122", "Bea": "1122", "Cyd": "1222"}
    for name, outcomes in said.items():
        fake.labels.annotator(name)
        for number, question in enumerate(fake.labels.lease(campaign, name, 4)):
            side = "first" if outcomes[int(question.prompt[-1])] == "1" else "second"
            fake.labels.vote(f"vote-{name}-{number}", question.token, Answer.pair(side))
    html = do.act("quality", campaign, None, None)["list"]
    # Which of two pictures is first is by their files: what chance gives depends on it, and so the kappas' digits.
    assert "Ada and Bea 1.00 (n = 4)." in html and re.search(r"Ada and Cyd 0\.\d\d \(n = 4\), Bea and Cyd 0", html)
    assert re.search(r"kappa of 4 items with 3 answers each: 0\.\d\d\.", html)


def test_recipes_stand_against_each_other_and_what_was_marked_is_seen_and_asked_no_more(
    fake: FakeStudio, do: Handlers
) -> None:
    campaign = compared(fake)
    html = do.act("quality", campaign, None, None)["list"]
    names = re.findall(r'<th scope="row">(Steps \d)</th><td>([\d,]+)</td>', html)
    assert [name for name, _ in names] == ["Steps 2", "Steps 1"]  # no more than tells them apart
    assert int(names[0][1].replace(",", "")) > 1000 > int(names[1][1].replace(",", "")) and "6 times" in html
    skills = [float(mean) for mean in re.findall(r"<td>([\d.]+) ± [\d.]+</td>", html)]
    assert skills[0] > 25 > skills[1]  # TrueSkill's of the two, who both began at 25
    assert "says nothing before 20 answers; there are 6" in html
    assert "“a &lt;b&gt;hand&lt;/b&gt; too many”" in html and "flagged, by Ada" in html
    ((label, token),) = fake.looking_back.marked(campaign)
    assert f'src="/label/picture/{token}-0"' in html
    assert "asked no more" in do.act("retire", campaign, str(label.item), None)["message"]
    assert 'data-op="retire"' in html and 'data-op="retire"' not in do.look({"quality": campaign})["list"]
    assert "not asked any more anyway" in do.act("retire", campaign, str(label.item), None)["message"]
    for wrong in ("x", None, "0"):
        assert "no item" in do.act("retire", campaign, wrong, None)["message"]


def test_further_questions_are_asked_of_the_pictures_there_are(fake: FakeStudio, do: Handlers) -> None:
    campaign = compared(fake)
    before = fake.labels.counts(campaign).items
    html = do.act("quality", campaign, None, None)["list"]
    assert 'data-field="count"' in html and '<option value="Ada">Ada</option>' in html
    asked = do.act("ask", campaign, {"count": "5", "annotator": "Ada"}, {"quality": campaign})
    assert "5 further questions" in asked["message"] and fake.labels.counts(campaign).items == before + 5
    for wrong in (None, {}, {"count": "x"}, {"count": "201", "annotator": "Ada"}):
        assert "1 to 200 further pairs" in do.act("ask", campaign, wrong, None)["message"]


def test_a_learned_taste_has_its_curve_and_scorers_say_how_often_they_agree(
    fake: FakeStudio, do: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = compared(fake)
    tastes, scores = fake.tastes, fake.scores
    ready = TasteLine("Your taste model is right 78 % of the time.", "ready", 40, 0.78, 0.7, 0.84, 30)
    monkeypatch.setattr(type(tastes), "line", lambda self, campaign: ready)
    curve: list[CurvePoint] | None = None
    monkeypatch.setattr(type(tastes), "curve", lambda self, campaign: curve)
    html = do.act("quality", campaign, None, None)["list"]
    assert "curve is being computed" in html and "data-look-again" in html  # and so it is looked at again
    curve = [CurvePoint(10, 0.6, 0.5, 0.7, 30), CurvePoint(32, 0.78, 0.7, 0.84, 30)]
    html = do.look({"quality": campaign})["list"]
    assert 'aria-label="Learning curve. predicted right: from 0.6 to 0.78' in html and "data-look-again" not in html

    doubt = next(iter(fake.labels.labels([campaign])))
    monkeypatch.setattr(type(fake.further_questions), "doubtful", lambda self, campaign: [(doubt, 0.03)])
    html = do.look({"quality": campaign})["list"]
    place = doubt.order.index(1) + 1
    assert f"picture {place} preferred, 3 % likely, by Ada" in html and f'data-value="{doubt.id}"' in html
    assert "is asked again" in do.act("again", campaign, doubt.id, None)["message"]
    assert "no doubtful answer" in do.act("again", campaign, "x", None)["message"]

    assert 'data-op="scores"' in html and "<h4>What published scorers say" not in html
    kinds = [SimpleNamespace(name=name, about=f"About {name}.") for name in ("clip", "pickscore", "hps")]
    reasons = ("", "", "Its weights are not there.")
    monkeypatch.setattr(type(scores), "scorers", lambda self: list(zip(kinds, reasons, strict=True)))
    agreements = {"clip": ScorerAgreement(0.75, Interval(0.5, 0.9), 12), "pickscore": None}
    monkeypatch.setattr(type(scores), "agreement", lambda self, campaign, name: agreements[name])
    started: list[str] = []
    monkeypatch.setattr(type(scores), "start", lambda self, campaign, name: started.append(name))
    answer = do.act("scores", campaign, None, {"quality": campaign})
    assert answer["looked"] == {"quality": campaign, "archived": False, "scores": True}
    html = answer["list"]
    assert "75 % of 12 (50 % to 90 %)" in html and "not scored yet" in html and "Its weights are not there." in html
    do.act("score", campaign, "pickscore", answer["looked"])
    assert started == ["pickscore"]
    assert "no features named" in do.act("features", campaign, "sense", None)["message"]


def test_a_snapshot_is_taken_of_the_answers_as_they_are(fake: FakeStudio, do: Handlers) -> None:
    campaign = compared(fake)
    assert 'data-op="snapshot"' in do.act("quality", campaign, None, None)["list"]
    taken = do.act("snapshot", campaign, {"name": "  six ", "revealed": False}, None)
    assert "The snapshot six is taken: 6 answers to learn from, 0 held out." in taken["message"]  # of one prompt
    assert "a snapshot &#x27;six&#x27; already" in do.act("snapshot", campaign, {"name": "six"}, None)["message"]
    for wrong in (None, {}, {"name": " "}):
        assert "A snapshot has a name" in do.act("snapshot", campaign, wrong, None)["message"]
