"""The prompts people type first: every object and value, what they state; wordings that training never builds."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from studio.training.embedded import typed
from studio.training.embedded.data import scene_at
from studio.training.embedded.phrasings import PHRASINGS
from studio.world.caption import caption
from studio.world.phrasing import STYLE_ADJECTIVES, phrase
from studio.world.reading import Reading, SeenThing, Wanted
from studio.world.scene import BACKGROUND_NAMES, OBJECTS, STYLE_NAMES
from studio.world.words import BACKGROUND_WORDS, COLOUR_WORDS, OBJECT_WORDS, SIZE_WORDS, Words

RIGHT = Reading((SeenThing("star", "red"),), "one", "neon", "night", "medium", "center", False, 0.0)


def build_of(text: str) -> str:
    """A sentence with what it states taken out: `a O of C` and the like."""
    tables: dict[str, dict[str, Words]] = {
        "O": OBJECT_WORDS, "C": COLOUR_WORDS, "B": BACKGROUND_WORDS, "Z": SIZE_WORDS,
    }  # fmt: skip
    kind_of = {w: k for k, table in tables.items() for e in table.values() for w in (e.usual, *e.synonyms)}
    kind_of |= {word: "S" for words in STYLE_ADJECTIVES.values() for word in words if " " not in word}
    words = [str(word) for word in re.findall(r"[a-z0-9]+|[^\sa-z0-9]+", text.lower())]
    return " ".join(kind_of.get(word, word) for word in words)


def test_no_wording_is_built_like_a_sentence_of_training() -> None:
    rng = np.random.default_rng(0)
    scenes = [scene_at(i, seed=90, two=0.45, empty=0.0) for i in range(12_000)]
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
    cells = typed.open_prompts(300)[kind]
    objects = Counter(wanted.things[0][0] for _, wanted in cells)
    other = Counter(wanted.background or wanted.style for _, wanted in cells)
    assert set(objects) == set(OBJECTS) and max(objects.values()) - min(objects.values()) <= 1
    assert set(other) == set(values) and max(other.values()) - min(other.values()) <= 4
    assert len({prompt for prompt, _ in cells}) == len(OBJECTS) * len(values)


def test_full_prompts_are_of_each_object_alone() -> None:
    prompts = typed.full_prompts(5)
    assert set(prompts) == set(OBJECTS)
    for name, each in prompts.items():
        assert len(each) == len(set(each)) == 5 and all(name in prompt.split() for prompt in each)


def test_right_means_valid_and_all_that_was_stated() -> None:
    assert typed.is_right(RIGHT, Wanted((("star", None),), count=1))
    assert typed.is_right(RIGHT, Wanted((("star", "red"),), style="neon", background="night"))
    assert not typed.is_right(RIGHT, Wanted((("star", "blue"),)))
    assert not typed.is_right(RIGHT, Wanted((("star", "red"),), count=2))
    broken = Reading((SeenThing("star", "red"),), "one", "neon", "night", "medium", "center", True, 1.0)
    assert not typed.is_right(broken, Wanted((("star", "red"),)))


def test_rows_count_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(bundle: Any, prompts: list[str], seeds: range, **_: Any) -> np.ndarray:
        drawn.extend(seeds)
        return np.zeros((len(prompts), 1, 1, 3), dtype=np.uint8)

    class OneInFour:
        def read(self, images: Any, /) -> list[Reading]:
            broken = Reading((), "empty", "flat", "white", "small", "center", True, 1.0)
            return [broken if i % 4 == 0 else RIGHT for i in range(len(images))]

    monkeypatch.setattr(typed, "draw", draw)
    rows = typed.rows(None, OneInFour(), open_n=24, each_n=8, seeds=1)  # type: ignore[arg-type]
    by_name = {f"{row.group}: {row.name}": row for row in rows}
    assert by_name["open prompts: object alone: invalid"].value == 0.25
    assert by_name["open prompts: object alone: invalid"].passed is False
    assert by_name["open prompts: object alone: as stated"].passed is None
    assert by_name["full prompts: star: invalid"].n == 8
    assert by_name["own wordings: read right"].value <= 3 / 40  # one star in red is asked for, and RIGHT is at night
    assert len(drawn) == len(set(drawn)) == 3 * 24 + 12 * 8 + 40, "two pictures of one seed"
