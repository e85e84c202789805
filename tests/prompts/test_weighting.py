"""Weights as arithmetic: closed forms on an encoder of a few lines, and the plain bits where nothing is weighted."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from studio.core.errors import NotFound
from studio.prompts import Overflow, compile, parse
from studio.prompts.plan import Fragment, Wording
from studio.prompts.weighting import STYLES, Style, encode, equal_length
from tests.prompts.encoders import CONTEXT, WIDTH, WordEncoder
from tests.tolerance import rounding

ENCODER = WordEncoder()
EMPTY = ENCODER.plain("")


def encoded(prompt: str, style: Style, overflow: Overflow = "cut", *, dialect: Any = "a1111") -> Tensor:
    (item,) = compile(parse(prompt, dialect), 5).items()
    return encode(item, ENCODER, style, overflow)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("prompt", ["", "a red star", "a (red:1) star", "a [red:blue:0] star"])
def test_weight_1_everywhere_is_the_plain_encoding(prompt: str, style: Style) -> None:
    words = prompt.replace("(red:1)", "red").replace("[red:blue:0]", "blue")
    assert torch.equal(encoded(prompt, style), ENCODER.plain(words))


def test_ignore_takes_every_weight_for_1() -> None:
    assert torch.equal(encoded("a (red:3) (star:0.1)", "ignore"), ENCODER.plain("a red star"))


# -- A1111's rule ---------------------------------------------------------------------------------------------------


def test_multiplied() -> None:
    plain = ENCODER.plain("a red star")
    row = torch.tensor([1, 1, 2, 0.5, 1, 1, 1, 1])[None, :, None]  # start, a, red, star, end, padding
    product = encoded("a (red:2) (star:0.5)", "a1111_no_rescale")
    torch.testing.assert_close(product, plain * row, rtol=0, atol=0)
    rescaled = encoded("a (red:2) (star:0.5)", "a1111")
    torch.testing.assert_close(rescaled, plain * row * (plain.mean() / (plain * row).mean()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=1, max_size=6))
def test_rescale_keeps_the_mean(weights: list[float]) -> None:
    fragments = tuple(Fragment(f"w{number} ", weight) for number, weight in enumerate(weights))
    weighted = encode(Wording((fragments,)), ENCODER, "a1111")
    plain = ENCODER.plain("".join(fragment.text for fragment in fragments))
    size = max(float(weighted.abs().max()), float(plain.abs().max()))  # small weights make large numbers that cancel
    assert abs(weighted.double().mean() - plain.double().mean()) < rounding(torch.float32, 8, size)


def test_rescale_keeps_a_mean_of_large_numbers_that_cancel() -> None:
    weights = (0.0, 0.0, 0.0625, 0.0, 0.015625, 0.0)
    fragments = tuple(Fragment(f"w{number} ", weight) for number, weight in enumerate(weights))
    weighted = encode(Wording((fragments,)), ENCODER, "a1111")
    plain = ENCODER.plain("".join(fragment.text for fragment in fragments))
    size = float(weighted.abs().max())
    assert abs(weighted.double().mean() - plain.double().mean()) < rounding(torch.float32, 8, size)


def test_a_mean_of_0_is_left_unscaled() -> None:
    class Centred(WordEncoder):
        def embed(self, ids: Tensor) -> Tensor:
            return torch.ones(len(ids), CONTEXT, WIDTH) * torch.tensor([1.0, -1.0] * (WIDTH // 2))

    (item,) = compile(parse("(a:2)", "a1111"), 1).items()
    assert torch.isfinite(encode(item, Centred(), "a1111")).all()


def test_each_chunk_is_weighted_by_itself() -> None:
    both = encoded("a (b:2) BREAK c", "a1111")
    assert both.shape == (1, 2 * CONTEXT, WIDTH)
    torch.testing.assert_close(both, torch.cat([encoded("a (b:2)", "a1111"), ENCODER.plain("c")], 1), rtol=0, atol=0)


# -- compel's rule --------------------------------------------------------------------------------------------------


def test_raised_away_from_the_empty_prompt() -> None:
    plain, weighted = ENCODER.plain("a red star"), encoded("a (red:1.5) star", "compel")
    expected = plain.clone()
    expected[:, 2] = EMPTY[:, 2] + 1.5 * (plain[:, 2] - EMPTY[:, 2])
    torch.testing.assert_close(weighted, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("weight", "share"), [(0.5, 1.0), (0.9, 0.158384), (0.1, 6.313752), (0.75, math.sqrt(2) - 1)])
def test_lowered_towards_the_prompt_without_the_words(weight: float, share: float) -> None:
    whole, without = ENCODER.plain("a red star"), ENCODER.plain("a star")
    expected = (whole + share * without) / (1 + share)
    torch.testing.assert_close(encoded(f"a (red:{weight}) star", "compel"), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [0, -3])
def test_weight_0_is_the_prompt_without_the_words(weight: float) -> None:
    weighted = encoded(f"a (red:{weight}) star", "compel")
    torch.testing.assert_close(weighted, ENCODER.plain("a star"), rtol=0, atol=1e-3)


def test_raised_and_lowered_at_once() -> None:
    """Each lowered fragment adds one encoding without it, in which the raised ones stay raised."""
    weighted = encoded("(a:2) (b:0.5) (c:0.5)", "compel")
    parts = [encoded(prompt, "compel") for prompt in ("(a:2) b c", "(a:2) c", "(a:2) b")]
    torch.testing.assert_close(weighted, sum(parts, torch.zeros(())) / 3)


def test_words_that_were_cut_cost_no_pass() -> None:
    encoder = WordEncoder()
    (item,) = compile(parse("a b c d e (f:1.2) " + "(x:0.5) (y:0.4) " * 100, "a1111"), 1).items()
    assert encode(item, encoder, "compel").shape == (1, CONTEXT, WIDTH) and encoder.passes == 2


# -- blend, conjunction of chunks, length ---------------------------------------------------------------------------


def test_blend() -> None:
    a, b = ENCODER.plain("a star"), ENCODER.plain("b")
    blended = encoded('("a star", "b").blend(1, 3)', "compel", dialect="compel")
    torch.testing.assert_close(blended, 0.25 * a + 0.75 * b, rtol=1e-6, atol=1e-6)
    total = encoded('("a star", "b").blend(1, -2, no_normalize)', "compel", dialect="compel")
    torch.testing.assert_close(total, a - 2 * b, rtol=1e-6, atol=1e-6)
    first = encoded('("a star", "b").blend(1, 0)', "compel", dialect="compel")
    assert torch.equal(first, a)


def test_parts_of_unequal_length_are_filled_up_with_empty_prompts() -> None:
    long = encoded("a b c d e f g h", "compel", "chunk")
    blended = encoded('("a b c d e f g h", "x").blend()', "compel", "chunk", dialect="compel")
    filled = torch.cat([ENCODER.plain("x"), EMPTY], 1)
    torch.testing.assert_close(blended, (long + filled) / 2, rtol=1e-6, atol=1e-6)
    assert equal_length([EMPTY, EMPTY], ENCODER)[0] is EMPTY
    assert torch.equal(equal_length([EMPTY, long], ENCODER)[0], torch.cat([EMPTY, EMPTY], 1))


def test_and_puts_encodings_one_after_the_other() -> None:
    joined = encoded('("a star", "b+").and()', "compel", dialect="compel")
    assert torch.equal(joined, torch.cat([ENCODER.plain("a star"), encoded("b+", "compel", dialect="compel")], 1))


def test_long_prompts() -> None:
    long = "a b c d e f g h"
    assert torch.equal(encoded(long, "compel", "cut"), ENCODER.plain("a b c d e f"))
    whole = torch.cat([ENCODER.plain("a b c d e f"), ENCODER.plain("g h")], 1)
    assert torch.equal(encoded(long, "compel", "chunk"), whole)


@pytest.mark.parametrize("style", STYLES)
def test_half_precision_stays_half(style: Style) -> None:
    half = WordEncoder(torch.float16)
    (item,) = compile(parse('("a (b)1.5 (c)0.5", "d").blend()', "compel"), 1).items()
    assert encode(item, half, style).dtype == torch.float16


def test_unknown_style() -> None:
    with pytest.raises(NotFound, match="there are a1111, "):
        encoded("a", "comfy")  # type: ignore[arg-type]
