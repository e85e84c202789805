"""Seeds as they are typed and drawn."""

from __future__ import annotations

import secrets

from studio.core.errors import BadInput
from studio.core.params import shown

MAX_SEED = 2**64 - 1
MAX_TRAINING_SEED = 2**32 - 1


def parse_seed(typed: str | int | None, field: str = "seed") -> int | None:
    """Read a seed; None asks for a random one (nothing, or -1).

    It comes as text: a number would pass through JavaScript, where every second whole number above 2**53 is lost.
    Raises BadInput.
    """
    text = str("" if typed is None else typed).strip()
    if text in ("", "-1"):
        return None
    # isdecimal also holds for other scripts' digits, which int() reads as well; the length bound keeps int() quick.
    if not text.isdecimal() or len(text) > 40 or int(text) > MAX_SEED:
        allowed = f"a whole number from 0 to {MAX_SEED}, or -1 for a random one"
        raise BadInput(f"The {field.replace('_', ' ')} must be {allowed}, not {shown(text)}.", field=field)
    return int(text)


def parse_training_seed(typed: str | int | None) -> int:
    """Read the seed of what is made from sentences and trained: 0 where nothing is typed. Raises BadInput."""
    text = str("" if typed is None else typed).strip() or "0"
    if not text.isdecimal() or len(text) > 40 or int(text) > MAX_TRAINING_SEED:
        message = f"The seed must be a whole number from 0 to {MAX_TRAINING_SEED}, not {shown(text)}."
        raise BadInput(message, field="seed")
    return int(text)


def random_seed() -> int:
    """A seed from the whole range, from the system: never from a generator that a picture is drawn with."""
    return secrets.randbelow(MAX_SEED + 1)
