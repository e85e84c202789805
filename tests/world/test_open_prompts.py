"""Open prompts: nothing of style or colour in them, all different, and with words put in still English."""

import numpy as np

from studio.world.open_prompts import HIDDEN_WORDS, OpenPrompt, open_prompts
from studio.world.scene import BACKGROUND_NAMES, OBJECTS
from studio.world.words import COLOUR_WORDS, STYLE_WORDS

UNSAID = {
    word
    for table in (COLOUR_WORDS, STYLE_WORDS)
    for entry in table.values()
    for word in (entry.usual, *entry.synonyms, *entry.rare)
}


def test_prompts_are_different_say_neither_style_nor_colour_and_as_many_a_background_as_wished() -> None:
    everything = open_prompts(np.random.default_rng(0), 10_000)
    texts = [prompt.text for prompt in everything]
    assert len(set(texts)) == len(texts) == len(OBJECTS) * (1 + len(BACKGROUND_NAMES))
    assert not {word for text in texts for word in text.split()} & UNSAID
    assert {prompt.background for prompt in open_prompts(np.random.default_rng(1), 12, background=0)} == {""}
    assert "" not in {prompt.background for prompt in open_prompts(np.random.default_rng(1), 72, background=1)}
    assert open_prompts(np.random.default_rng(3), 20) == open_prompts(np.random.default_rng(3), 20)


def test_hidden_words_stand_before_the_object_with_the_article_they_take() -> None:
    prompt = OpenPrompt("star", "night")
    assert prompt.text == "a star at night"
    assert prompt.saying(("outlined", "red")) == "an outlined red star at night"
    assert OpenPrompt("house").saying(()) == "a house"
    assert [len(group) for group in HIDDEN_WORDS] == [len(STYLE_WORDS), len(COLOUR_WORDS)]
