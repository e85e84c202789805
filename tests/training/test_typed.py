"""The prompts people type first: every object and value, what they state; wordings that training never builds."""

import re
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio.core.recipe import Recipe
from studio.training.embedded import gates, typed
from studio.training.embedded.data import scene_at
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts, Result
from studio.training.evaluate.suites.typed import each_object, open_prompts
from studio.training.evaluate.suites.wordings import PHRASINGS
from studio.world.caption import caption
from studio.world.phrasing import STYLE_ADJECTIVES, phrase
from studio.world.reading import Reading, SeenThing, Wanted
from studio.world.scene import BACKGROUND_NAMES, OBJECTS, STYLE_NAMES
from studio.world.words import BACKGROUND_WORDS, COLOUR_WORDS, OBJECT_WORDS, SIZE_WORDS, Words

RIGHT = Reading((SeenThing("star", "red"),), "one", "neon", "night", "medium", "center", False, 0.0)
BROKEN = Reading((SeenThing("star", "red"),), "one", "neon", "night", "medium", "center", True, 1.0)


def build_of(text: str) -> str:
    """A sentence with what it states taken out: `a O of C` and the like."""
    tables: dict[str, dict[str, Words]] = {
        "O": OBJECT_WORDS,
        "C": COLOUR_WORDS,
        "B": BACKGROUND_WORDS,
        "Z": SIZE_WORDS,
    }
    kind_of = {w: k for k, table in tables.items() for e in table.values() for w in (e.usual, *e.synonyms)}
    kind_of |= {word: "S" for words in STYLE_ADJECTIVES.values() for word in words if " " not in word}
    words = [str(word) for word in re.findall(r"[a-z0-9]+|[^\sa-z0-9]+", text.lower())]
    return " ".join(kind_of.get(word, word) for word in words)


@pytest.mark.parametrize("count", [3_000, pytest.param(12_000, marks=pytest.mark.slow)])
def test_no_wording_is_built_like_a_sentence_of_training(count: int) -> None:
    rng = np.random.default_rng(0)
    scenes = [scene_at(i, seed=90, two=0.45, empty=0.0) for i in range(count)]
    trained = {build_of(sentence) for scene in scenes for sentence in (phrase(scene, rng), caption(scene, rng))}
    assert len(PHRASINGS) == 40
    assert [text for text, _ in PHRASINGS if build_of(text) in trained] == []


def test_wordings_state_what_their_words_say() -> None:
    for text, wanted in PHRASINGS:
        words = set(re.findall(r"[a-z]+", text.lower()))
        assert {name for name, _ in wanted.things} | {colour for _, colour in wanted.things} <= words, text
        assert wanted.background is None or wanted.background in words, text
        assert wanted.count == len(wanted.things)


@pytest.mark.parametrize(("kind", "values"), [("with background", BACKGROUND_NAMES), ("with style", STYLE_NAMES)])
def test_open_prompts_meet_everything_evenly(kind: str, values: tuple[str, ...]) -> None:
    cases = open_prompts(300)[kind]
    stated = [case.expectation for case in cases if case.expectation is not None]
    objects = Counter(wanted.things[0][0] for wanted in stated)
    other = Counter(wanted.background or wanted.style for wanted in stated)
    assert set(objects) == set(OBJECTS) and max(objects.values()) - min(objects.values()) <= 1
    assert set(other) == set(values) and max(other.values()) - min(other.values()) <= 4
    assert len({case.prompt for case in cases}) == len(OBJECTS) * len(values)


def test_full_prompts_are_of_each_object_alone() -> None:
    cases = each_object(5)
    assert set(cases) == set(OBJECTS)
    for name, each in cases.items():
        assert len(each) == len({case.prompt for case in each}) == 5
        assert all(name in case.prompt.split() for case in each)


def test_right_means_valid_and_all_that_was_stated() -> None:
    def is_right(reading: Reading, wanted: Wanted | None) -> bool | None:
        return Result(Case("a star", 1, wanted), Facts("", {}, reading)).is_right

    assert is_right(RIGHT, Wanted((("star", None),), count=1))
    assert is_right(RIGHT, Wanted((("star", "red"),), style="neon", background="night"))
    assert is_right(RIGHT, Wanted((("star", "blue"),))) is False
    assert is_right(RIGHT, Wanted((("star", "red"),), count=2)) is False
    assert is_right(BROKEN, Wanted((("star", None),))) is False
    assert is_right(RIGHT, None) is None


def test_rows_count_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def by_bundle(bundle: Any) -> Any:
        def draw(recipes: list[Recipe]) -> Iterator[tuple[int, np.ndarray]]:
            drawn.extend(recipe.seed for recipe in recipes)
            yield from ((i, np.zeros((1, 1, 3), np.uint8)) for i in range(len(recipes)))

        return draw

    class OneInFour:
        def read(self, images: Any, /) -> list[Reading]:
            return [BROKEN if i % 4 == 0 else RIGHT for i in range(len(images))]

    monkeypatch.setattr(gates, "by_bundle", by_bundle)
    bundle: Any = SimpleNamespace(default_size_px=32)
    rows = typed.rows(bundle, OneInFour(), open_n=24, each_n=8, seeds=1)
    by_name = {f"{row.group}: {row.name}": row for row in rows}
    assert by_name["open prompts: object alone: invalid"].value == 0.25
    assert by_name["open prompts: object alone: invalid"].passed is False
    assert by_name["open prompts: object alone: as stated"].passed is None
    assert by_name["full prompts: star: invalid"].n == 8
    assert by_name["own wordings: read right"].value <= 3 / 40  # one star in red is asked for, and RIGHT is at night
    assert len(drawn) == len(set(drawn)) == 3 * 24 + 12 * 8 + 40, "two pictures of one seed"
