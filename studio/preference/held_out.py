"""Which prompts are kept from training: the same ones whenever and wherever somebody asks.

By prompt and not by label, so that what is measured on the others was never trained on in another picture of it.
"""

from __future__ import annotations

import hashlib

SHARE = 0.2  # of the prompts


def is_held_out(prompt: str, share: float = SHARE) -> bool:
    """Whether labels of a prompt only measure. share: of all prompts, 0 to 1.

    Depends on the prompt's words alone, in any case and spacing; a larger share holds out all that a smaller one does.
    """
    words = " ".join(prompt.casefold().split())
    place = int.from_bytes(hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return place < share * 2**64
