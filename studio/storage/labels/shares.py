"""Shares that are kept from the beginning and cannot be foreseen: one of each 1/share in a row, which one by a hash."""

from __future__ import annotations

import hashlib
from fractions import Fraction


def chosen(key: str, count: int, share: float) -> int:
    """How many of the first `count` ordinals are chosen.

    key: of what is counted; other keys choose others. No regularity in the order can fall in with that.
    share: 0 to 1, as accurate as a thousandth.
    """
    exact = Fraction(share).limit_denominator(1000)
    if count <= 0 or not 0 < exact < 1:
        return max(count, 0) if exact >= 1 else 0
    block = (count - 1) * exact.numerator // exact.denominator
    start, end = (-(-number * exact.denominator // exact.numerator) for number in (block, block + 1))
    chance = int.from_bytes(hashlib.sha256(f"{key}:{block}".encode()).digest()[:8])
    return block + (start + chance % (end - start) < count)


def is_chosen(key: str, ordinal: int, share: float) -> bool:
    """Whether one ordinal, from 0, is chosen."""
    return chosen(key, ordinal + 1, share) > chosen(key, ordinal, share)
