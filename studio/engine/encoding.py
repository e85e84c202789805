"""Prompts to conditionings: what the prompt language says, read by a model's text encoders as its edits have them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.kinds import going_on, heed
from studio.models.bundle import Conditioning, ModelBundle
from studio.prompts import Dialect, lay_out
from studio.prompts.layout import Token
from studio.prompts.plan import Encodable, Mix
from studio.prompts.weighting import Style, encode

KEPT = 256
TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
_STYLES: dict[Dialect, Style] = {"a1111": "a1111", "compel": "compel", "plain": "ignore"}


class PromptEncoder:
    """Encodes the prompts of one model and keeps what it encoded. Used on the engine's thread only."""

    def __init__(self, bundle: ModelBundle, room: WeightRoom) -> None:
        self._bundle = bundle
        self._room = room
        self._kept: OrderedDict[tuple[object, ...], Conditioning] = OrderedDict()

    def encode(
        self,
        item: Encodable,
        dialect: Dialect,
        stack: EditStack = EMPTY,
        should_stop: Callable[[], bool] = going_on,
    ) -> Conditioning:
        """One row. Equal items under equal edits are one object, so that whoever compares can do so by identity.

        should_stop: asked before each pass of a text encoder; of these a long text with weights takes hundreds.
        Raises BadInput for a prompt too long, or an edit that does not fit; Cancelled where it should stop.
        """
        edits = stack.part(TEXT_ENCODERS)
        key = (item, dialect, edits.id)
        if key not in self._kept:
            self._room.use(edits, TEXT_ENCODERS)
            self._kept[key] = self._encoded(item, dialect, should_stop)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def forget(self) -> None:
        """Empty the cache, as whoever changes a text encoder by other ways than edits must."""
        self._kept.clear()
        self._bundle.forget_prompts()

    def _encoded(self, item: Encodable, dialect: Dialect, should_stop: Callable[[], bool]) -> Conditioning:
        plain = _plain(item)
        if plain is not None and (plain == "" or self._fits(plain)):
            heed(should_stop)
            return self._bundle.encode_one(plain)  # to the bit what a pipeline without a prompt language encodes
        reader = _Reader(self._bundle, should_stop)
        # Ordinary tensors, as the bundle's own: see encode_one of the families.
        with torch.no_grad():
            style = self._bundle.weighting or _STYLES[dialect]
            tokens = encode(item, reader, style, self._bundle.overflow)
        return Conditioning(tokens.clone(), self._extras(item, reader))

    def _fits(self, text: str) -> bool:
        return (
            self._bundle.overflow == "cut" or len(self._bundle.tokenizer.word_ids(text)) <= self._bundle.tokenizer.limit
        )

    def _extras(self, item: Encodable, reader: _Reader) -> dict[str, Tensor]:
        """Pooled encodings carry no weights: those of the first chunk, as plain text."""
        wording = item.parts[0][1] if isinstance(item, Mix) else item
        first = lay_out(wording, reader, self._bundle.overflow).chunks[0]
        ids = torch.tensor([reader.framed([token.id for token in first.tokens])])
        with torch.no_grad():
            return dict(reader.read(ids).extras)


class _Reader:
    """A bundle as the prompt language wants to see it, for one item: nothing of it is tokenised or read twice."""

    def __init__(self, bundle: ModelBundle, should_stop: Callable[[], bool]) -> None:
        self._bundle = bundle
        self._should_stop = should_stop
        self._tokens: dict[tuple[str, ...], list[Token]] = {}
        self._rows: dict[tuple[int, ...], Conditioning] = {}

    @property
    def limit(self) -> int:
        return self._bundle.tokenizer.limit

    def tokenise(self, texts: Sequence[str]) -> list[Token]:
        key = tuple(texts)
        if key not in self._tokens:
            self._tokens[key] = self._bundle.tokenizer.tokenise(texts)
        return self._tokens[key]

    def framed(self, ids: Sequence[int]) -> list[int]:
        return self._bundle.tokenizer.framed(ids)

    def embed(self, ids: Tensor) -> Tensor:
        return self.read(ids).tokens

    def read(self, ids: Tensor) -> Conditioning:
        """The encoding of one row of ids, [1, L]."""
        key = tuple(ids[0].tolist())
        if key not in self._rows:
            heed(self._should_stop)
            self._rows[key] = self._bundle.embed(ids.to(self._bundle.device))
        return self._rows[key]


def _plain(item: Encodable) -> str | None:
    """The text of an item that is words of weight 1 in one chunk; None of any other."""
    if isinstance(item, Mix) or len(item.chunks) != 1 or any(part.weight != 1 for part in item.chunks[0]):
        return None
    return "".join(part.text for part in item.chunks[0])
