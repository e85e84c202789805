"""What comes from a page is what it should be, or refused in a sentence before the database stumbles over it."""

from __future__ import annotations

import math
from typing import Any

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.storage.labels.rows import Circumstances

MAX_ID_CHARS = 200
MAX_COMMENT_CHARS = 2000
MAX_WORDS_CHARS = 200  # of a device, or a page's version
MAX_LATENCY_MS = 7 * 24 * 3600 * 1000.0


def checked_number(value: Any, field: str) -> int:
    """Give a number of ours. Raises NotFound for what cannot be one."""
    if type(value) is not int or not 0 < value < 2**63:
        raise NotFound(f"There is no {field} number {shown(value)}.", field=field)
    return value


def checked_id(value: Any) -> str:
    """Give an id of what is sent. Raises BadInput."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS or not value.isprintable():
        message = f"What is sent needs an id of 1 to {MAX_ID_CHARS} printable characters, not {shown(value)}."
        raise BadInput(message, field="id")
    return value


def checked_token(value: Any) -> str:
    """Give what may be a token. Raises NotFound."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 100:
        raise NotFound(f"No question {shown(value)} was given to anybody.", "Load the page again.", field="token")
    return value


def checked_name(value: Any) -> str:
    """Give what may be an annotator's name. Raises NotFound for what nobody is called."""
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise NotFound(f"There is no annotator {shown(value)}.", "Choose a name first.", field="annotator")
    return value


def check_words(subject: str, value: Any, most: int, field: str) -> None:
    """Raise BadInput unless it is text that the database takes."""
    fits = isinstance(value, str) and len(value) <= most and "\0" not in value
    if not fits or value.encode("utf-8", "ignore").decode() != value:
        raise BadInput(f"{subject} must be text of at most {most} characters, not {shown(value)}.", field=field)


def checked_circumstances(circumstances: Circumstances) -> Circumstances:
    """Raise BadInput for what no answer came about under."""
    check_words("A comment", circumstances.comment, MAX_COMMENT_CHARS, "comment")
    check_words("A device", circumstances.device, MAX_WORDS_CHARS, "device")
    check_words("A version", circumstances.ui_version, MAX_WORDS_CHARS, "ui_version")
    latency: Any = circumstances.latency_ms
    if latency is not None and not (_is_real(latency) and 0 <= latency <= MAX_LATENCY_MS):
        raise BadInput(f"An answer takes 0 ms to a week, not {shown(latency)}.", field="latency_ms")
    confidence: Any = circumstances.confidence
    if confidence is not None and not (_is_real(confidence) and 0 < confidence <= 1):
        raise BadInput(f"Confidence is above 0 and up to 1, not {shown(confidence)}.", field="confidence")
    for name in ("shown_at", "first_paint_at", "answered_at"):
        time = getattr(circumstances, name)
        if time is not None and time.tzinfo is None:
            raise BadInput(f"A time comes with its zone, unlike {name}, {shown(time)}.", field=name)
    return circumstances


def _is_real(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
