"""JSON out of files that anybody may have written: counted before it is parsed.

Parsed, a list in a list takes 60 bytes where its text took 3, so a text of a few megabytes makes a program hold
hundreds. Counting costs a tenth of parsing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_SETTINGS_BYTES = 1_000_000  # of a file of settings that people write or pass on: a hundred times the longest
MAX_SETTINGS_VALUES = 10_000
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STARTS = ",[{"  # each value but the whole stands behind one of these


def loads(
    text: str | bytes, max_values: int, *, pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Parse a text of at most so many values, counted by its commas and opening brackets: a list counts twice.

    text: bytes are UTF-8. pairs_hook: as json's object_pairs_hook. Raises ValueError for what is no JSON or has more
    values, RecursionError for what is nested too deep.
    """
    plain = text.decode("utf-8") if isinstance(text, bytes) else text
    # What stands in strings is no value, but taking them out costs more than counting too many.
    if _starts(plain) > max_values and _starts(_STRING.sub('""', plain)) > max_values:
        raise ValueError(f"it has more than {max_values} values")
    return json.loads(plain, object_pairs_hook=pairs_hook)


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's names and values, as a `pairs_hook`. Of a name that is there twice, two readers see two values.

    Raises ValueError.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the name {name[:60]!r} stands twice in one object")
        values[name] = value
    return values


def read_settings(path: Path) -> tuple[bytes, Any]:
    """Bytes and value of a file of settings, which is small and has no name twice.

    Raises ValueError, whose text is a clause with the place; OSError if it cannot be read.
    """
    if path.stat().st_size > MAX_SETTINGS_BYTES:
        raise ValueError(f"it is larger than {MAX_SETTINGS_BYTES} bytes")
    data = path.read_bytes()
    try:
        return data, loads(data, MAX_SETTINGS_VALUES, pairs_hook=without_repeats)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _starts(text: str) -> int:
    return sum(text.count(letter) for letter in _STARTS)
