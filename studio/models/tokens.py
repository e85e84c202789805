"""Prompts to tokens, with an account of what was cut and which words the model does not know.

Needs only `tokenizers` and the model folder's tokenizer/, so the page can tell without loading the model. The engine
encodes with the same class: what the report says is what the model sees.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from studio.core.errors import AssetError
from studio.models import clip_vocabulary
from studio.prompts import Dialect, Overflow, compile, lay_out, parse, unclosed
from studio.prompts.layout import Token

_WORD_END = clip_vocabulary.WORD_END


@dataclass(frozen=True)
class TokenRow:
    """One token of a prompt.

    token: as the vocabulary spells it.
    weight: from the prompt's brackets; 1 without.
    chunk: number of the chunk it is in, from 0.
    is_read: whether it fits, and the model reads it.
    start, end: the characters of the prompt as typed that it stands for.
    """

    token: str
    weight: float
    chunk: int
    is_read: bool
    start: int
    end: int


@dataclass(frozen=True)
class TokenReport:
    """What becomes of a prompt.

    tokens: how many it has.
    limit: how many the model can read at once.
    tokens_read: how many it reads.
    cut: the text beyond.
    unknown_words: words the model has no token of its own for, once each, in order; it sees them spelled in pieces.
    chunks: tokens read in each chunk; `limit` is that of one.
    rows: token by token, those that are cut included.
    unclosed: where in the prompt opening brackets stand that weigh everything behind them.

    Syntax of the prompt's dialect is no token. Of a prompt that changes, alternates or is several prompts, all but
    unknown_words is told of that wording of it of which most is cut, else of the longest.
    """

    tokens: int
    limit: int
    tokens_read: int
    cut: str
    unknown_words: tuple[str, ...]
    chunks: tuple[int, ...] = ()
    rows: tuple[TokenRow, ...] = ()
    unclosed: tuple[int, ...] = ()

    @property
    def is_cut(self) -> bool:
        return self.tokens > self.tokens_read


class PromptTokenizer:
    """CLIP's tokenizer as a model folder has it. Thread-safe: nothing is set after construction.

    context: tokens the text encoder reads at once, the two that mark start and end included. start_id, end_id, pad_id:
    of the special tokens; some models pad with the end token, some with another.
    """

    def __init__(self, model_dir: Path, context: int | None = None, subfolder: str = "tokenizer") -> None:
        """Read <model_dir>/<subfolder>: tokenizer.json, or vocab.json and merges.txt, and its config.

        A folder with only the config has CLIP's own vocabulary, which nearly all models share. Raises AssetError.
        """
        folder = model_dir / subfolder
        try:
            config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
            self._tokenizer = _tokenizer(folder)
            self.context = int(context or config["model_max_length"])
            pad_id = self._tokenizer.token_to_id(_content(config["pad_token"]))
        except Exception as error:  # tokenizers raises bare Exception for a missing or broken file
            raise AssetError(f"The tokenizer in {folder} cannot be read: {str(error).rstrip('.')}.") from None
        if pad_id is None:
            raise AssetError(f"The tokenizer in {folder} has no token {config['pad_token']!r} to pad with.")
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        marks = self._tokenizer.encode("").ids
        if len(marks) != 2:
            raise AssetError(f"The tokenizer in {folder} does not mark a prompt's start and end.")
        self.start_id, self.end_id = marks
        self.pad_id = pad_id

    def shares_words(self, tokenizer: PromptTokenizer) -> bool:
        """Whether both give every prompt the same ids, padding aside."""
        return self._tokenizer.get_vocab() == tokenizer._tokenizer.get_vocab()

    @property
    def limit(self) -> int:
        """Tokens of a prompt that fit."""
        return self.context - 2

    def word_ids(self, text: str) -> list[int]:
        """Give the ids of a text alone: no start, no end, no padding, nothing cut."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def ids(self, prompt: str) -> list[int]:
        """Give `context` token ids: start, the prompt cut to `limit`, end, padding. As CLIPTokenizer with
        padding="max_length" and truncation.
        """
        encoded = self._tokenizer.encode(prompt)
        ids = encoded.ids
        if len(ids) > self.context:
            ids = [*ids[: self.context - 1], ids[-1]]
        return ids + [self.pad_id] * (self.context - len(ids))

    def tokenise(self, texts: Sequence[str]) -> list[Token]:
        """Give the tokens of each text, without start and end. Start and end of a token are counted in its text."""
        encodings = enumerate(map(self._encode, texts))
        return [
            Token(id, number, *offsets)
            for number, encoding in encodings
            for id, offsets in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Give `context` token ids: start, up to `limit` ids, end, padding. As `ids` for the tokens of a prompt."""
        row = [self.start_id, *ids[: self.limit], self.end_id]
        return row + [self.pad_id] * (self.context - len(row))

    def report(
        self, prompt: str, dialect: Dialect = "plain", *, overflow: Overflow = "cut", steps: int = 20
    ) -> TokenReport:
        """Account for a prompt. steps: for how many to look, where it changes with them.

        Raises BadInput for a prompt that `parse`, `compile` or `lay_out` refuses.
        """
        wordings = compile(parse(prompt, dialect), steps).wordings()
        layouts = [lay_out(wording, self, overflow) for wording in wordings]
        layout = max(layouts, key=lambda layout: (layout.cut, layout.kept))
        texts = {part.text: None for wording in wordings for chunk in wording.chunks for part in chunk}
        unknown = {word: None for text in texts for word in self._unknown_words(text)}
        rows = tuple(
            TokenRow(
                self._tokenizer.id_to_token(token.id) or "", chunk.weight(token), number, is_read, *chunk.span(token)
            )
            for number, chunk in enumerate(layout.chunks)
            for is_read, tokens in ((True, chunk.tokens), (False, chunk.cut))
            for token in tokens
        )
        return TokenReport(
            tokens=layout.kept + layout.cut,
            limit=layout.limit,
            tokens_read=layout.kept,
            cut=layout.cut_text,
            unknown_words=tuple(unknown),
            chunks=tuple(len(chunk.tokens) for chunk in layout.chunks),
            rows=rows,
            unclosed=tuple(unclosed(prompt, dialect)),
        )

    def _encode(self, text: str) -> Encoding:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _unknown_words(self, text: str) -> tuple[str, ...]:
        encoded = self._encode(text)
        return _unknown_words(encoded.tokens, encoded.offsets, text)


def _unknown_words(tokens: list[str], offsets: list[tuple[int, int]], prompt: str) -> tuple[str, ...]:
    """Words made of more than one token: runs of tokens up to one that ends a word. Punctuation is no word."""
    words: dict[str, None] = {}
    start, pieces = 0, 0
    for token, (low, high) in zip(tokens, offsets, strict=True):
        if pieces == 0:
            start = low
        pieces += 1
        if token.endswith(_WORD_END):
            word = prompt[start:high].strip()
            if pieces > 1 and word.strip(string.punctuation):
                words[word] = None
            pieces = 0
    return tuple(words)


def _tokenizer(folder: Path) -> Tokenizer:
    """Build it from whichever files there are. Raises anything."""
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "vocab.json").is_file():
        vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        return clip_vocabulary.build(vocabulary, lines)
    return clip_vocabulary.build(*clip_vocabulary.shipped())


def _content(token: str | dict[str, str]) -> str:
    """A special token is text, or in older files an object that holds it."""
    return token["content"] if isinstance(token, dict) else token
