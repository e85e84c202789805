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
BACK = 20  # how near the end, in tokens, the last comma must be for a cut behind it; the web UI's default
MAX_CHUNKS = 16  # 1200 tokens of CLIP's; cross-attention pays for every one at every step


class Token(NamedTuple):
    """One token.

    fragment: which of the texts it is from.
    start, end: the characters of that text it stands for.
    """

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
    """The tokens of a wording.

    chunks: one or more.
    limit: of one chunk.
    """

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

    overflow: what becomes of words beyond the limit: "cut" leaves them out, "chunk" goes on in a new chunk. That begins
    behind the last comma or before the word that does not fit, if it is near (`_fitting`). A chunk that the prompt
    itself begins (BREAK) is a new one either way. Raises BadInput for more than 16 chunks.
    """
    chunks: list[TokenChunk] = []
    limit = tokeniser.limit
    _check_chunks(len(wording.chunks), limit)  # each is one at least: nothing has to be tokenised to tell
    for fragments in wording.chunks:
        tokens = tokeniser.tokenise([fragment.text for fragment in fragments])
        if overflow == "cut":
            chunks.append(TokenChunk(tuple(tokens[:limit]), fragments, tuple(tokens[limit:])))
            continue
        start = 0
        while start < len(tokens) or start == 0:
            size = _fitting(tokens[start : start + limit + 1], fragments, limit)
            chunks.append(TokenChunk(tuple(tokens[start : start + size]), fragments))
            start += size or 1
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

    A token stands for one letter at least; this holds for ASCII alone, which no normalisation makes longer. A chunk
    that goes on in another holds at least all but BACK of its tokens.
    """
    least = max(1, limit - BACK + 1)
    lengths = [sum(len(fragment.text) for fragment in fragments) for fragments in wording.chunks]
    plain = all(fragment.text.isascii() for fragments in wording.chunks for fragment in fragments)
    return plain and sum(max(1, math.ceil(length / least)) for length in lengths) <= MAX_CHUNKS


def _check_chunks(count: int, limit: int) -> None:
    if count > MAX_CHUNKS:
        message = f"The prompt takes {count} chunks of {limit} tokens; at most {MAX_CHUNKS} are read."
        raise BadInput(message, "Shorten it.")


def _fitting(tokens: Sequence[Token], fragments: Chunk, limit: int) -> int:
    """How many of these tokens make a chunk; as many as `limit`, or less than BACK fewer where that is a better place.

    Behind the last comma, as in the web UI (tokenize_line in modules/sd_hijack_clip.py), which has no other rule; else
    before a word, then a character, which would be cut in two otherwise: each chunk is encoded alone, so neither half
    would mean anything.
    tokens: one more than the limit, where there are more.
    """
    if len(tokens) <= limit:
        return len(tokens)
    if _text(tokens[limit], fragments) == ",":
        return limit
    places = range(limit, max(limit - BACK, 0), -1)
    comma = next((at for at in places if _text(tokens[at - 1], fragments) == ","), None)
    if comma is not None:
        return comma
    word = next((at for at in places if not _in_word(tokens[at - 1], tokens[at], fragments)), None)
    if word is not None:
        return word
    return next((at for at in places if not _in_character(tokens[at - 1], tokens[at])), limit)


def _text(token: Token, fragments: Chunk) -> str:
    return fragments[token.fragment].text[token.start : token.end].strip()


def _in_character(previous: Token, token: Token) -> bool:
    """Whether both are bytes of one character."""
    return previous.fragment == token.fragment and token.start < previous.end


def _in_word(previous: Token, token: Token, fragments: Chunk) -> bool:
    """Whether two tokens that follow each other are of one word: letters or digits on both sides, nothing between."""
    if previous.fragment != token.fragment or token.start > previous.end:
        return False
    text = fragments[token.fragment].text
    return token.start < previous.end or (text[previous.end - 1].isalnum() and text[token.start].isalnum())
