"""The shipped text encoder: plain prompts keep their bits and token ids, weights do what their rules say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from studio.models.embedded import EmbeddedModel, load_stencil
from studio.models.tokens import PromptTokenizer
from studio.prompts import compile, parse
from studio.prompts.layout import Token
from studio.prompts.weighting import STYLES, Style, encode
from studio.world.words import COLOUR_WORDS, OBJECT_WORDS, STYLE_WORDS
from tests.prompts.strategies import prompts

LONG = "a striped purple star left of a shaded blue circle on a grey background, " * 3


@dataclass(frozen=True)
class StencilEncoder:
    model: EmbeddedModel

    @property
    def limit(self) -> int:
        return self.model.tokenizer.limit

    def tokenise(self, texts: Sequence[str]) -> list[Token]:
        return self.model.tokenizer.tokenise(texts)

    def framed(self, ids: Sequence[int]) -> list[int]:
        return self.model.tokenizer.framed(ids)

    def embed(self, ids: Tensor) -> Tensor:
        return self.model.embed(ids).tokens


@pytest.fixture(scope="module")
def encoder(stencil_dir: Path) -> StencilEncoder:
    return StencilEncoder(load_stencil(stencil_dir))


@pytest.fixture(scope="module")
def tokenizer(stencil_dir: Path) -> PromptTokenizer:
    return PromptTokenizer(stencil_dir)


def encoded(encoder: StencilEncoder, prompt: str, style: Style) -> Tensor:
    (item,) = compile(parse(prompt, "a1111"), 20).items()
    return encode(item, encoder, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("prompt", ["", "a red star", "a (red:1) star,", "a zebra ⭐ \u202e x\0y", LONG])
def test_plain_prompts_keep_their_bits(encoder: StencilEncoder, prompt: str, style: Style) -> None:
    assert torch.equal(
        encoded(encoder, prompt, style), encoder.model.encode_one(prompt.replace("(red:1)", "red")).tokens
    )


@settings(max_examples=100, deadline=None)
@given(prompt=prompts)
def test_and_their_token_ids(tokenizer: PromptTokenizer, prompt: str) -> None:
    assert tokenizer.framed([token.id for token in tokenizer.tokenise([prompt])]) == tokenizer.ids(prompt)


def test_weight_0_is_the_prompt_without_the_words(encoder: StencilEncoder) -> None:
    without = encoder.model.encode_one("a neon ring on a night background").tokens
    weighted = encoded(encoder, "a neon (cyan:0) ring on a night background", "compel")
    torch.testing.assert_close(weighted, without, rtol=0, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    words=st.lists(st.sampled_from([*OBJECT_WORDS, *COLOUR_WORDS, *STYLE_WORDS]), min_size=1, max_size=8),
    weight=st.floats(0, 2),
)
def test_rescale_keeps_the_mean(encoder: StencilEncoder, words: list[str], weight: float) -> None:
    plain = encoder.model.encode_one(" ".join(words)).tokens.double()
    product = encoded(encoder, f"({words[0]}:{weight:.3f}) {' '.join(words[1:])}", "a1111_no_rescale").double()
    scaled = encoded(encoder, f"({words[0]}:{weight:.3f}) {' '.join(words[1:])}", "a1111").double()
    size = (plain.mean() / product.mean()).abs().clamp(min=1).item()  # the scale magnifies rounding with it
    assert abs(scaled.mean() - plain.mean()) < 1e-6 * size


def test_more_weight_goes_further(encoder: StencilEncoder) -> None:
    plain = encoder.model.encode_one("a neon cyan ring").tokens
    for style in ("a1111_no_rescale", "compel"):
        way = [(encoded(encoder, f"a neon (cyan:{w}) ring", style) - plain).norm() for w in (0.1, 0.5, 0.9, 1, 1.3, 2)]
        assert way[0] > way[1] > way[2] > way[3] == 0 and way[3] < way[4] < way[5]
