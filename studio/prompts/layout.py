"""From words to tokens in chunks: what the text encoder is given, and what does not fit.

Without torch, so that the page can tell at once what an encoding will hold. Fragments are tokenised apart, as A1111
and compel do: a weight never makes a token of two words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from studio.core.errors import BadInput
from studio.prompts.plan import Chunk, Wording
from studio.prompts.tree import Span

Overflow = Literal["cut", "chunk"]
MAX_CHUNKS = 16  # 1200 tokens of CLIP's; cross-attention pays for every one at every step


class Token(NamedTuple):
    """One token. fragment: which of the texts it is from; start, end: the characters of that text it stands for."""

    id: int
    fragment: int
    start: int
    end: int


class Tokeniser(Protocol):
    """A text encoder's tokeniser, as far as prompts need it."""

    @property
    def limit(self) -> int:
        """Tokens that fit into one chunk, start and end not counted."""
        ...

    def tokenise(self, texts: Sequence[str]) -> list[Token]:
        """Give the tokens of each text, in order, without start, end and padding."""
        ...

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Give the row the encoder reads: start, up to `limit` ids, end, padding."""
        ...


@dataclass(frozen=True)
class TokenChunk:
    """What one pass of the text encoder reads. tokens and cut, which did not fit, index into fragments."""

    tokens: tuple[Token, ...]
    fragments: Chunk
    cut: tuple[Token, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each token that is read."""
        return tuple(self.weight(token) for token in self.tokens)

    def weight(self, token: Token) -> float:
        """The weight of a token of this chunk."""
        return self.fragments[token.fragment].weight

    def span(self, token: Token) -> Span:
        """Where in the source of the prompt a token of this chunk stands."""
        return self.fragments[token.fragment].source_span(token.start, token.end)

    def cut_text(self) -> str:
        """The words that did not fit."""
        if not self.cut:
            return ""
        number, start = self.cut[0].fragment, self.cut[0].start
        texts = [fragment.text for fragment in self.fragments[number:]]
        return "".join([texts[0][start:], *texts[1:]]).strip()


@dataclass(frozen=True)
class Layout:
    """The tokens of a wording. chunks: one or more. limit: of one chunk."""

    chunks: tuple[TokenChunk, ...]
    limit: int

    @property
    def kept(self) -> int:
        """How many tokens are read."""
        return sum(len(chunk.tokens) for chunk in self.chunks)

    @property
    def cut(self) -> int:
        """How many tokens did not fit."""
        return sum(len(chunk.cut) for chunk in self.chunks)

    @property
    def cut_text(self) -> str:
        """The words that are not read."""
        return " ".join(text for chunk in self.chunks if (text := chunk.cut_text()))


def lay_out(wording: Wording, tokeniser: Tokeniser, overflow: Overflow) -> Layout:
    """Tokenise a wording and divide it into chunks of at most the tokeniser's limit.

    overflow: what becomes of words beyond the limit: "cut" leaves them out, "chunk" goes on in a new chunk. A chunk
    that the prompt itself begins (BREAK) is a new one either way. Raises BadInput for more than 16 chunks.
    """
    chunks: list[TokenChunk] = []
    limit = tokeniser.limit
    _check_chunks(len(wording.chunks), limit)  # each is one at least: nothing has to be tokenised to tell
    for fragments in wording.chunks:
        tokens = tokeniser.tokenise([fragment.text for fragment in fragments])
        size = limit if overflow == "chunk" else max(len(tokens), 1)
        for start in range(0, max(len(tokens), 1), size):
            piece = tuple(tokens[start : start + size])
            chunks.append(TokenChunk(piece[:limit], fragments, piece[limit:]))
    _check_chunks(len(chunks), limit)
    return Layout(tuple(chunks), limit)


def chunk_count(wording: Wording, tokeniser: Tokeniser, overflow: Overflow) -> int:
    """How many chunks `lay_out` gives; words that are cut need not be tokenised to know. Raises as it does."""
    if overflow == "chunk":
        return len(lay_out(wording, tokeniser, overflow).chunks)
    _check_chunks(len(wording.chunks), tokeniser.limit)
    return len(wording.chunks)


def fits_whatever_its_tokens(wording: Wording, limit: int) -> bool:
    """Whether a wording has so few letters that it cannot take more chunks than are read.

    A token stands for one letter at least; this holds for ASCII alone, which no normalisation makes longer.
    """
    lengths = [sum(len(fragment.text) for fragment in fragments) for fragments in wording.chunks]
    plain = all(fragment.text.isascii() for fragments in wording.chunks for fragment in fragments)
    return plain and sum(max(1, math.ceil(length / limit)) for length in lengths) <= MAX_CHUNKS


def _check_chunks(count: int, limit: int) -> None:
    if count > MAX_CHUNKS:
        message = f"The prompt takes {count} chunks of {limit} tokens; at most {MAX_CHUNKS} are read."
        raise BadInput(message, "Shorten it.")
