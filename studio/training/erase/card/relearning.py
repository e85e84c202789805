"""The concept taught again on top of the edit, from a few of the base's own pictures of it: how soon is it back?

What is only suppressed is soon relearned; what a model never knew takes longer. A short training by the ordinary loss
of diffusion, of fixed steps, through the trainer of all edits. It goes on top of the edit, which stays as it is. The
loss is that of negation (studio.erasure.negation), whose factors learn to draw the concept at -1: so they are added at
-1.

Source: relearning attacks on erased concepts, "Erased or dormant", arXiv:2505.16174, and concept resurgence,
arXiv:2410.08074. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from studio.erasure.columns import CONCEPT
from studio.training.erase.card.subject import Subject
from studio.training.erase.texts import wordings

RELEARNED = "relearned"  # what the stack is called
STRENGTH = -1.0
PICTURES = 5
TRAINING_STEPS = 60
WORLD_S = 20.0  # of one core, on Stencil: the steps measured at 7, the five pictures at 2, and with room
RANK, LR, BATCH = 4, 1e-3, 4


def relearning_plan(subject: Subject, refs: Sequence[Mapping[str, Any]], way_steps: int) -> dict[str, Any]:
    """Plain values of a studio.training.lora.plan.Plan: the same for every card of an erasure.

    subject: in Stencil's world. refs: the edit, as a stack has it. way_steps: of the base's pictures of it.
    """
    of_concepts = [wordings(concept, True, subject.seed + 2).pairs for concept in subject.concepts]
    in_turn = (pairs[place][0] for place in range(max(map(len, of_concepts))) for pairs in of_concepts)
    return {
        "name": RELEARNED,
        "model": subject.model,
        "loss": "negation",
        "prompts": [{CONCEPT: text} for text in islice(dict.fromkeys(in_turn), PICTURES)],
        "bank": {"condition": CONCEPT, "ways": 1, "steps": way_steps, "renoised": True},
        "beneath": [dict(ref) for ref in refs],
        "layers": "xattn",
        "rank": RANK,
        "alpha": float(RANK),
        "steps": TRAINING_STEPS,
        "batch": BATCH,
        "lr": LR,
        "seed": subject.seed,
    }
