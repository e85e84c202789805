"""A text encoder of a few lines: words are tokens, and what a token becomes depends on those before it, as in CLIP."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from studio.prompts.layout import Token

CONTEXT, WIDTH = 8, 6
START, END = 1, 2


class WordEncoder:
    """Six words per chunk. passes: how many rows have been encoded."""

    limit = CONTEXT - 2

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        generator = torch.Generator().manual_seed(0)
        self.table = torch.randn(1000, WIDTH, generator=generator) + 0.3  # a mean well away from 0
        self.dtype = dtype
        self.passes = 0

    def tokenise(self, texts: Sequence[str]) -> list[Token]:
        return [
            Token(3 + hash_of(word[0]), number, *word.span())
            for number, text in enumerate(texts)
            for word in re.finditer(r"\w+|[^\w\s]", text)
        ]

    def framed(self, ids: Sequence[int]) -> list[int]:
        row = [START, *ids[: self.limit], END]
        return row + [END] * (CONTEXT - len(row))

    def embed(self, ids: Tensor) -> Tensor:
        self.passes += len(ids)
        position = torch.arange(1, ids.shape[1] + 1)[:, None]
        return (self.table[ids].cumsum(1) / position + self.table[ids]).to(self.dtype)  # [n, L, D]

    def plain(self, text: str) -> Tensor:
        """The encoding of up to six words, without any weighting: [1, L, D]."""
        return self.embed(torch.tensor([self.framed([token.id for token in self.tokenise([text])])]))


def hash_of(word: str) -> int:
    """A number below 900 for a word, the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 900
