"""Weights on words, as arithmetic on text embeddings.

Two rules are in use. A1111's multiplies each token's embedding by its weight and scales the whole chunk so that its
mean is what it was. compel's moves a token away from the empty prompt's embedding for weights from 1 on, and for less
averages with an encoding of the prompt without those words.

A1111's scale is a quotient of two means, meant for CLIP ViT-L, whose mean is well away from 0. The mean of Stencil's
encodings is near 0, where the quotient can be anything, also negative: there take "a1111_no_rescale" or "compel".

Embeddings are [1, k*L, D]: k chunks of L tokens one after the other, each with start and end of its own. Arithmetic in
float32, result in the encoder's dtype. A chunk in which all weights are 1 is the plain encoding, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from studio.core.errors import NotFound
from studio.prompts.layout import Overflow, TokenChunk, Tokeniser, lay_out
from studio.prompts.plan import Encodable, Wording

Style = Literal["a1111", "a1111_no_rescale", "compel", "ignore"]
STYLES: tuple[Style, ...] = get_args(Style)

_LEAST = 1e-5  # compel's least weight: tan would be infinite at 0


class Encoder(Tokeniser, Protocol):
    """A text encoder and its tokeniser."""

    def embed(self, ids: Tensor) -> Tensor:
        """Encode rows of token ids [n, L], int64 on the CPU, as `framed` gives them: [n, L, D]."""
        ...


def encode(item: Encodable, encoder: Encoder, style: Style, overflow: Overflow = "cut") -> Tensor:
    """Encode one item of a plan: [1, k*L, D], in the encoder's dtype and on its device.

    style: the rule for weights; "a1111_no_rescale" leaves the mean as it comes, "ignore" takes all weights for 1.
    overflow: see `lay_out`. Each chunk is encoded alone, so that its numbers do not depend on its company. The parts of
    a mix are brought to equal length by encodings of the empty prompt, as compel does.
    Raises NotFound for an unknown style, BadInput for more than 16 chunks.
    """
    if style not in STYLES:
        raise NotFound(f"There is no rule {style!r} for weights; there are {', '.join(STYLES)}.")
    with torch.inference_mode():
        run = _Run(encoder, style, overflow)
        if isinstance(item, Wording):
            return run.wording(item)
        parts = equal_length([run.wording(wording) for _, wording in item.parts], encoder)
        mixed = sum(weight * part.float() for (weight, _), part in zip(item.parts, parts, strict=True))
        assert isinstance(mixed, Tensor)  # a mix has at least one part
        return mixed.to(parts[0].dtype)


def equal_length(embeddings: list[Tensor], encoder: Encoder) -> list[Tensor]:
    """Lengthen embeddings [1, k*L, D] to the longest of them, with encodings of the empty prompt."""
    longest = max(embedding.shape[1] for embedding in embeddings)
    if all(embedding.shape[1] == longest for embedding in embeddings):
        return embeddings
    empty = _embed(encoder, [])
    return [
        torch.cat([embedding, *[empty] * ((longest - embedding.shape[1]) // empty.shape[1])], dim=1)
        for embedding in embeddings
    ]


def _embed(encoder: Encoder, ids: list[int]) -> Tensor:
    return encoder.embed(torch.tensor([encoder.framed(ids)]))  # [1, L, D]


@dataclass(frozen=True)
class _Run:
    """One call of `encode`."""

    encoder: Encoder
    style: Style
    overflow: Overflow

    @cached_property
    def empty(self) -> Tensor:
        return _embed(self.encoder, [])

    def wording(self, wording: Wording) -> Tensor:
        layout = lay_out(wording, self.encoder, self.overflow)
        return torch.cat([self.chunk(chunk) for chunk in layout.chunks], dim=1)

    def chunk(self, chunk: TokenChunk) -> Tensor:
        if self.style == "ignore" or all(weight == 1 for weight in chunk.weights):
            return self.plain(chunk)
        return self.averaged(chunk) if self.style == "compel" else self.multiplied(chunk)

    def plain(self, chunk: TokenChunk) -> Tensor:
        return _embed(self.encoder, [token.id for token in chunk.tokens])

    def multiplied(self, chunk: TokenChunk) -> Tensor:
        """A1111's rule: e_i * w_i, then all of the chunk times mean(e) / mean(e * w).

        Start, end and padding have the weight 1 and take part in both means. Where the weighted mean is 0 the chunk
        is left unscaled.
        """
        plain = self.plain(chunk)
        e = plain.float()  # [1, L, D]
        weighted = e * _per_token(chunk.weights, e)
        if self.style == "a1111":
            ratio = (e.double().mean() / weighted.double().mean()).item()
            weighted = weighted * ratio if math.isfinite(ratio) else weighted
        return weighted.to(plain.dtype)

    def averaged(self, chunk: TokenChunk) -> Tensor:
        """compel's rule: the mean of `raised`, with weight 1, and for each fragment of w < 1 the chunk without it, with
        weight tan((1-w) pi/2). Weights below 1e-5 count as 1e-5.

        Differs from compel 2.5.1, on purpose: there w < 1 also draws the fragment's tokens towards the empty prompt,
        so w = 0.5 is not the half-way its comments and manual promise; and a long prompt is divided into chunks anew
        without the fragment, where we leave the fragment out of its own chunk.
        """
        total, weights = self.raised(chunk), 1.0
        for number, fragment in enumerate(chunk.fragments):
            rest = tuple(token for token in chunk.tokens if token.fragment != number)
            if fragment.weight >= 1 or len(rest) == len(chunk.tokens):
                continue
            share = math.tan((1 - max(fragment.weight, _LEAST)) * math.pi / 2)
            total = total + share * self.raised(TokenChunk(rest, chunk.fragments))
            weights += share
        return (total / weights).to(self.empty.dtype)

    def raised(self, chunk: TokenChunk) -> Tensor:
        """compel's rule for w >= 1: e_empty + w (e - e_empty), float32; smaller weights count as 1 here."""
        e, empty = self.plain(chunk).float(), self.empty.float()  # [1, L, D]
        w = _per_token(tuple(max(weight, 1.0) for weight in chunk.weights), e)
        return torch.where(w == 1, e, empty + w * (e - empty))


def _per_token(weights: tuple[float, ...], e: Tensor) -> Tensor:
    """Weights of a chunk's tokens as [1, L, 1], with 1 for start, end and padding."""
    row = torch.ones(1, e.shape[1], 1, device=e.device)
    row[0, 1 : 1 + len(weights), 0] = torch.tensor(weights, device=e.device)
    return row
