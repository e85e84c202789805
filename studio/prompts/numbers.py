"""Numbers in prompts: what is read as one, and how one is written so that reading it gives the same float."""

from __future__ import annotations

import re
from decimal import Decimal

# At most 30 decimals: a float that was read from so many is written with no more.
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,6}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")


def read_number(text: str) -> float | None:
    """Read a whole text as a number, white space around it allowed; None if it is none."""
    text = text.strip()
    return float(text) if NUMBER.fullmatch(text) else None


def written(value: float) -> str:
    """Write a number without an exponent, as short as reads back to the same: 1.25, 30, 0.00001."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
