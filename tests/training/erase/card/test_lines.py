"""The figures of a card against answers counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from studio.metrics.intervals import wilson
from studio.training.erase.card.answers import BASE, EDIT, Answers
from studio.training.erase.card.budget import BUDGETS, HALF_WAY, NOT_IN_BUDGET
from studio.training.erase.card.card import DRIFTS, card
from studio.training.erase.card.erased import NO_SUBSTITUTE, UNREAD, erased_lines
from studio.training.erase.card.inverting import ARMS
from studio.training.erase.card.kept import kept_lines
from studio.training.erase.card.lines import NOTHING_TO_RECOVER, ratio, recovered
from studio.training.erase.card.quality import quality_lines
from studio.training.erase.card.robust import robust_lines, strength_curve
from studio.training.erase.card.subject import Target
from studio.training.erase.card.unedited import unedited_lines
from studio.training.evaluate.rows import ReportRow
from studio.world.reading import Wanted
from tests.training.erase.card.making import answers, facts, feature, named, probe, subject

STARS, HEARTS, BROKEN = [facts("star")] * 2, [facts("heart")] * 5, [facts("fish", broken=True)] * 3


def test_ua_counts_what_is_not_recognised_and_ua_valid_what_is_not_broken_besides() -> None:
    """Two stars, five hearts, three broken pictures: UA 8/10, UA_valid 5/10, and the ceiling has one broken heart."""
    ceiling = [*[facts("heart")] * 9, facts("heart", broken=True)]
    lines = erased_lines(answers([*STARS, *HEARTS, *BROKEN], ceiling))
    shares = {line.key: (line.row.hits, line.row.n) for line in lines}
    assert shares == {
        "changed": (8, 10),
        "ua": (8, 10),
        "ua_valid": (5, 10),
        "substitute": (5, 10),
        "invalid": (3, 10),
        "alignment_colour": (10, 10),
        "alignment_style": (10, 10),
        "alignment_background": (10, 10),
    }
    line = named(lines, "ua_valid")
    assert (line.row.low, line.row.high) == wilson(5, 10)
    assert line.beside is not None and (line.beside.hits, line.beside_is) == (9, "ceiling")
    assert line.apart is not None and line.apart.value == pytest.approx(-0.4) and line.apart.n == 10
    assert line.apart.low < -0.4 < line.apart.high


def test_ua_valid_is_never_more_than_ua() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        drawn = [facts(str(rng.choice(["star", "heart", ""])), broken=bool(rng.random() < 0.5)) for _ in range(12)]
        lines = erased_lines(answers(drawn))
        assert (named(lines, "ua_valid").row.hits or 0) <= (named(lines, "ua").row.hits or 0)


def test_ira_is_of_the_own_domain_and_cra_of_the_others_beside_the_base() -> None:
    """Of four circles the edit draws one as a ring and one in blue; the base gets one colour wrong itself."""
    keep = [facts("circle"), facts("ring"), facts("circle", "blue"), facts("circle", "blue")]
    lines = kept_lines(answers(HEARTS, keep=keep, keep_base=[*[facts("circle")] * 3, facts("circle", "blue")]))
    ira, cra, colour = (named(lines, key) for key in ("ira_object", "cra", "cra_colour"))
    assert (ira.row.hits, ira.row.n, ira.beside and ira.beside.hits) == (3, 4, 4)
    assert ira.apart is not None and (ira.apart.value, ira.apart.unit) == (0.75, "ratio")
    assert cra.row.value == pytest.approx((1 + 1 + 2 / 3 + 2 / 3) / 4) and cra.row.unit == "mean"
    assert (colour.row.hits, colour.beside and colour.beside.hits) == (2, 3)
    assert colour.apart is not None and colour.apart.value == pytest.approx(2 / 3)


def test_a_share_of_the_base_where_nothing_differs_is_not_certain_and_of_nothing_is_none() -> None:
    same = ratio([1.0] * 30, [1.0] * 30)
    assert (same.value, same.low, same.high) == (1.0, pytest.approx(0.9), pytest.approx(1.1))
    never = ratio([1.0, 0.0], [0.0, 0.0])
    assert never.n == 0 and "never does it" in never.why
    assert ratio([None, 1.0], [1.0, 1.0]).n == 1, "a pair needs both"


@pytest.mark.parametrize(
    ("target", "stated", "aim", "good", "bad"),
    [
        (Target("object", "star", "heart"), (("star", "red"),), (("heart", "red"),), facts("heart"), facts("fish")),
        (
            Target("colour", "red", "blue"),
            (("star", "red"),),
            (("star", "blue"),),
            facts("star", "blue"),
            facts("star"),
        ),
        (Target("object", "star", None), (("star", "red"),), (), facts(""), facts("fish")),
        (
            Target("object", "star", None),
            (("star", "red"), ("fish", "blue")),
            (("fish", "blue"),),
            facts("fish"),
            facts(""),
        ),
    ],
)
def test_what_takes_a_concepts_place(target: Target, stated: Any, aim: Any, good: Any, bad: Any) -> None:
    wanted = target.aim(Wanted(stated, "flat", "white", count=len(stated)))
    assert wanted.things == aim and wanted.background == "white"
    assert target.is_replaced(good.reading, wanted) and not target.is_replaced(bad.reading, wanted)


def test_a_style_without_a_substitute_is_flat_and_a_colour_leaves_any() -> None:
    neon = Target("style", "neon")
    assert neon.aim(Wanted((("star", "red"),), "neon")).style == "flat"
    red = Target("colour", "red")
    assert red.aim(Wanted((("star", "red"),))).things == (("star", None),)
    assert red.is_replaced(facts("star", "blue").reading, Wanted()) is None  # type: ignore[arg-type]
    without = answers(HEARTS)
    without = replace(without, subject=subject({"words": "red", "kind": "colour"}))
    assert named(erased_lines(without), "substitute").row.why == NO_SUBSTITUTE


def near(kind: str, name: str, count: int) -> list[Any]:
    return [probe(i, name, kind=kind) for i in range(count)]


def test_neighbours_must_be_right_and_whole() -> None:
    probes = {"near": [*near("by text", "moon", 2), *near("by look", "house", 2), *near("the substitute", "heart", 1)]}
    edited = [facts("moon"), facts("star"), facts("house", broken=True), facts("house"), facts("heart")]
    whole = [facts(name) for name in ("moon", "moon", "house", "house", "heart")]
    lines = kept_lines(Answers(subject(), probes, {("near", EDIT): edited, ("near", BASE): whole}))
    shares = {line.key: (line.row.hits, line.row.n) for line in lines if line.part == "near"}
    assert shares == {"near": (2, 4), "near_text": (1, 2), "near_look": (1, 2), "near_substitute": (1, 1)}


def test_what_comes_back_is_read_and_whole_and_stands_beside_the_base() -> None:
    wording = [probe(i, "star", kind=kind, aim="heart") for i, kind in enumerate(["rare words"] * 3)]
    strength = [probe(i, "star", aim="heart") for i in range(2)]
    series = {
        ("wording", EDIT): [facts("star"), facts("star", broken=True), facts("heart")],
        ("wording", BASE): [facts("star")] * 3,
        ("forget", BASE): [facts("star")] * 2,
        ("forget", EDIT): [facts("heart")] * 2,
        ("strength", "0.5"): [facts("star"), facts("heart", broken=True)],
        ("strength", HALF_WAY): [facts("star"), facts("star")],
    }
    made = Answers(subject(), {"wording": wording, "forget": strength, "strength": strength}, series)
    lines = robust_lines(made)
    assert (named(lines, "back_rare").row.hits, named(lines, "back").row.n) == (1, 3)
    assert (named(lines, "back_half").row.hits, named(lines, "back_half").row.n) == (2, 2)
    assert named(lines, "back_synonyms").row.why == "It has no other usual word."
    points = {point["strength"]: point for point in strength_curve(made)}
    assert [points[s]["ua"]["value"] for s in (0, 0.5, 1)] == [0, 0.5, 1]
    assert [points[s]["ua_valid"]["value"] for s in (0, 0.5, 1)] == [0, 0, 1]
    assert points[0.25]["ua"]["n"] == 0 and points[0.5]["invalid"]["value"] == 0.5


def test_what_a_negative_prompt_does_without_an_edit_stands_beside_the_edit() -> None:
    """Of the first prompts alone; a broken picture has not lost its concept. Ways that were not drawn say so."""
    made = answers([facts("heart"), facts("star"), facts("heart")])
    probes = {**made.probes, "nag": made.probes["forget"][:2]}
    drawn = {**made.facts, ("nag", BASE): [facts("circle"), facts("circle", broken=True)]}
    lines = unedited_lines(replace(made, probes=probes, facts=drawn))
    gone, broken = named(lines, "nag_ua_valid"), named(lines, "nag_invalid")
    assert (gone.row.hits, gone.row.n, broken.row.hits, broken.row.n) == (1, 2, 1, 2)
    assert gone.beside is not None and (gone.beside.hits, gone.beside.n, gone.beside_is) == (1, 2, "the edit")
    assert gone.apart is not None and gone.apart.value == 0 and broken.apart is not None and broken.apart.value == 0.5
    assert named(lines, "negative_ua_valid").row.why == NOT_IN_BUDGET


def test_the_quality_of_equal_pictures_is_their_floor_and_garbage_is_far_from_it() -> None:
    rng = np.random.default_rng(1)
    vectors = [feature(*rng.normal(size=6)) for _ in range(32)]
    base = [facts("circle", features=vector) for vector in vectors]
    moved = [facts("circle", features=vector + feature(*[3.0] * 6)) for vector in vectors]
    same, far = (quality_lines(answers(HEARTS, keep=keep, keep_base=base)) for keep in (base, moved))
    for key in ("fd_keep", "kd_keep"):
        line = named(same, key)
        assert line.apart is not None and line.apart.value == 0 and line.beside is not None and line.beside.n == 32
        worse = named(far, key)
        assert worse.apart is not None and worse.apart.low > 0, "every halving of it is farther"
    assert "24 pictures or more" in named(same, "fd_forget").row.why or named(same, "fd_forget").row.n == 0


def test_without_an_oracle_rows_say_why_and_what_changed_is_still_told() -> None:
    unread = [replace(facts("star", pixels=pixels), reading=None) for pixels in ("a", "b", "c")]
    before = [replace(facts("star", pixels=pixels), reading=None) for pixels in ("a", "x", "y")]
    made = answers(unread, ceiling=before, base=before, keep=unread, keep_base=before)
    made = replace(made, subject=subject({"words": "Monet", "kind": "style"}, in_world=False))
    values = card(made, BUDGETS["preview"])
    lines = {line["key"]: line for line in values["lines"]}
    assert (lines["changed"]["edit"]["hits"], lines["changed"]["edit"]["n"]) == (2, 3)
    for key in ("ua", "ua_valid", "substitute", "ira_object", "cra", "back", "fd_keep"):
        assert lines[key]["edit"]["n"] == 0 and lines[key]["edit"]["why"] == UNREAD, key
    assert values["verdict"]["headline"] == "Not judged" and "2 of 3" in values["verdict"]["sentences"][0]
    assert [row["n"] for row in values["tones"]] == [3, 3, 3]


FADE = {"fade_edit": 6.0, "fade_base": 4.0, "fade": 1.5, "fade_floor": 0.5}


def test_a_card_is_plain_and_counts_the_same_twice() -> None:
    made = answers([*HEARTS, *STARS], keep=[facts("circle")] * 3)
    drift = ReportRow("", "edit", 16, 0.02, 0.01, 0.03, unit="mean")
    first = card(made, BUDGETS["standard"], {"drift_retain": drift})
    assert json.loads(json.dumps(first, allow_nan=False)) == card(made, BUDGETS["standard"], {"drift_retain": drift})
    lines = {line["key"]: line for line in first["lines"]}
    assert lines["drift_retain"]["edit"]["value"] == 0.02 and set(DRIFTS) <= set(lines)
    assert lines["fade"]["edit"]["why"] and first["parts"]["forget"]["pictures"] == 7
    assert lines["fade"]["beside"] is None, "nothing beside what was not measured"
    rows = {name: ReportRow("", name, 16, value, 1.0, 9.0, unit="mean") for name, value in FADE.items()}
    fade = {line["key"]: line for line in card(made, BUDGETS["standard"], rows)["lines"]}["fade"]
    assert (fade["edit"]["value"], fade["beside"]["value"], fade["beside_is"]) == (6.0, 4.0, "base")
    assert fade["apart"]["value"] == 1.5
    assert first["is_preview"], "rates of fewer than 50 pictures are a preview, whatever the budget"


def test_what_inversion_recovers_is_normalised_by_base_and_gold() -> None:
    """Of eight pictures it finds five under the edit, seven in the base, and puts one together without knowledge."""
    edit, base, gold = ([1.0] * hits + [0.0] * (8 - hits) for hits in (5, 7, 1))
    row = recovered(edit, base, gold)
    assert (row.n, row.value, row.unit) == (8, pytest.approx((5 - 1) / (7 - 1)), "ratio")
    assert 0 <= row.low < row.value < row.high <= 1
    assert recovered(edit, base, []).value == pytest.approx(5 / 7), "without a gold model nothing is taken off"
    assert recovered([0.0] * 8, base, gold).value == 0, "less than without knowledge is none"
    assert recovered(edit, gold, base).why == NOTHING_TO_RECOVER and recovered([], [], [], "Not yet.").why == "Not yet."
    strength = [probe(i, "star", aim="heart") for i in range(2)]
    series = {("strength", arm): [facts("star"), facts("star", broken=arm == ARMS[0])] for arm in ARMS[:2]}
    lines = robust_lines(Answers(subject(), {"strength": strength}, series))
    line = named(lines, "back_inverted")
    assert (line.row.hits, line.beside and line.beside.hits, line.apart and line.apart.value) == (1, 2, -0.5)
    assert named(lines, "back_recovered").row.value == 0.5
    assert named(robust_lines(Answers(subject(), {"strength": strength})), "back_recovered").row.why == NOT_IN_BUDGET
