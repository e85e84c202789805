"""What the engine keeps beside a resident model: who writes to its weights, and its encoded prompts.

They live exactly as long as the bundle does: nothing here holds on to one, so when a model is evicted, so are they.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EMPTY
from studio.engine.encoding import PromptEncoder
from studio.models.bundle import ModelBundle


@dataclass(frozen=True)
class _Beside:
    room: WeightRoom
    encoder: PromptEncoder


_beside: WeakKeyDictionary[ModelBundle, _Beside] = WeakKeyDictionary()


def room_of(bundle: ModelBundle) -> WeightRoom:
    """The one writer of this model's weights."""
    return _of(bundle).room


def encoder_of(bundle: ModelBundle) -> PromptEncoder:
    """The model's prompts, encoded under its edits."""
    return _of(bundle).encoder


@contextmanager
def base_afterwards(bundle: ModelBundle) -> Iterator[None]:
    """Whatever is done to the weights within it, afterwards they are the base, bit for bit.

    Two models may share a part, each with a room of its own: between jobs no room may have a say in it.
    """
    try:
        yield
    finally:
        room_of(bundle).use(EMPTY)


def _of(bundle: ModelBundle) -> _Beside:
    if bundle not in _beside:
        room = WeightRoom(bundle.components())
        _beside[bundle] = _Beside(room, PromptEncoder(weakref.proxy(bundle), room))
    return _beside[bundle]
