"""Tokens in chunks: what is read, what is cut, where each stands."""

from __future__ import annotations

import pytest

from studio.core.errors import BadInput
from studio.prompts import Layout, Overflow, compile, lay_out, parse
from studio.prompts.layout import TokenChunk
from studio.prompts.plan import Wording
from tests.prompts.encoders import WordEncoder

ENCODER = WordEncoder()
LONG = "one two (three four five:2) six seven eight"


def layout(prompt: str, overflow: Overflow) -> Layout:
    (item,) = compile(parse(prompt, "a1111"), 5).items()
    assert isinstance(item, Wording)
    return lay_out(item, ENCODER, overflow)


def sizes(prompt: str, overflow: Overflow) -> list[int]:
    return [len(chunk.tokens) for chunk in layout(prompt, overflow).chunks]


def test_weights_follow_their_words() -> None:
    (chunk,) = layout("a (red:2) (big star:0.5), x", "cut").chunks
    assert chunk.weights == (1, 2, 0.5, 0.5, 1, 1)


def test_what_does_not_fit_is_cut_and_shown() -> None:
    cut = layout(LONG, "cut")
    assert (cut.kept, cut.cut, cut.cut_text, cut.limit) == (6, 2, "seven eight", 6)
    assert layout("one two three four five (six seven:2) eight", "cut").cut_text == "seven eight"
    assert layout("a b c d e f g BREAK a b c d e f g", "cut").cut_text == "g g"


def test_or_goes_on_in_a_new_chunk() -> None:
    chunks = layout(LONG, "chunk")
    assert (chunks.kept, chunks.cut, chunks.cut_text) == (8, 0, "")
    assert [chunk.weights for chunk in chunks.chunks] == [(1, 1, 2, 2, 2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("prompt", "cut", "chunk"),
    [
        ("", [0], [0]),
        ("a b c d e f", [6], [6]),
        ("a BREAK b c", [1, 2], [1, 2]),
        ("BREAK", [0, 0], [0, 0]),
        ("a b c d e f g BREAK h", [6, 1], [6, 1, 1]),
    ],
)
def test_sizes(prompt: str, cut: list[int], chunk: list[int]) -> None:
    assert sizes(prompt, "cut") == cut and sizes(prompt, "chunk") == chunk


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("a b, c d e f", ["a b ,", "c d e f"]),
        ("a, b, c d e", ["a , b ,", "c d e"]),
        ("a b c d e, f", ["a b c d e ,", "f"]),
        ("a b c d e f, g", ["a b c d e f", ", g"]),
        ("a b c d e f g h", ["a b c d e f", "g h"]),
        ("a, (b c d:2) e f g", ["a ,", "b c d e f g"]),
        ("a, b c d e f g h i j", ["a ,", "b c d e f g", "h i j"]),
        ("a b, c BREAK d e, f g h i", ["a b , c", "d e ,", "f g h i"]),
    ],
)
def test_a_new_chunk_begins_behind_the_last_comma(prompt: str, chunks: list[str]) -> None:
    texts = [" ".join(_words(chunk)) for chunk in layout(prompt, "chunk").chunks]
    assert texts == chunks


def _words(chunk: TokenChunk) -> list[str]:
    return [chunk.fragments[token.fragment].text[token.start : token.end] for token in chunk.tokens]


def test_tokens_stand_in_the_source() -> None:
    source = r"a \(big\) [red:blue:9](star:2)"
    (chunk,) = layout(source.replace(":9", ":0"), "cut").chunks
    said = [source[slice(*chunk.span(token))] for token in (*chunk.tokens, *chunk.cut)]
    assert said == ["a", "(", "big", ")", "blue", "star"]


def test_the_number_of_chunks_has_a_limit() -> None:
    assert len(sizes("a " * 96, "chunk")) == 16 and len(sizes("a BREAK " * 15, "cut")) == 16
    with pytest.raises(BadInput, match="17 chunks of 6 tokens; at most 16"):
        layout("a " * 97, "chunk")
    with pytest.raises(BadInput, match="17 chunks of 6 tokens; at most 16"):
        layout("a BREAK " * 16, "cut")
