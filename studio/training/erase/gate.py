"""The gate an erasure's edit carries (studio.engine.edits.transport), so that its strength can follow the prompt.

It is heeded where a recipe asks for it (EditRef.auto), and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from studio.training.erase.concept import Concept
from studio.training.erase.texts import Wordings, unrelated

RESTS = 24  # of the texts that do not call for the edit


def gate_of(concepts: Sequence[Concept], used: Sequence[Wordings]) -> dict[str, Any]:
    """As provenance has it: the concepts' words, and texts that say none of them, no prompt among these."""
    words = dict.fromkeys(word for concept in concepts for word in concept.called())
    return {
        "name": "spm",
        "params": {"prompts": list(words), "unrelated": list(islice(unrelated(concepts, used), RESTS))},
    }
