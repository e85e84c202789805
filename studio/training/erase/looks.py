"""What a training that erases is looked at in, to end it in time: prompts of the concept, read for its substitute.

An object or a colour passes through blends, and through other objects and colours, before its substitute is drawn; so a
training that ends when the concept is gone ends too early. The prompts are none that it learns from, and neither they
nor their seeds are those of its report card.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from studio.training.erase.card.subject import Attribute, value_named
from studio.training.erase.concept import Concept
from studio.training.erase.plan import ErasePlan
from studio.training.erase.texts import wordings
from studio.training.evaluate.cases import Case
from studio.training.evaluate.protocol import Protocol
from studio.world.reading import Wanted

PICTURES = 12  # of a look; of more concepts one each
LOOKS = 8  # in as many steps as a method usually has
FIRST_SEED = 790_000  # below those of cards
STEPS = 8  # of a picture: what the base draws in as many is what is asked for


def looks_plan(plan: ErasePlan, usual_steps: int) -> dict[str, Any] | None:
    """Plain values of a studio.training.lora.plan.LooksPlan; None where a substitute is none that the oracle knows.

    plan: in Stencil's world. usual_steps: of the method, which say how often it is looked.
    """
    expectations = [_substitute(concept) for concept in plan.concepts]
    pairs = [_unseen(concept, plan) for concept in plan.concepts]
    if None in expectations or not all(pairs):
        return None
    rows_of_concepts = [[(expectations[place], pair) for pair in of_concept] for place, of_concept in enumerate(pairs)]
    in_turn = [rows[i] for i in range(max(map(len, rows_of_concepts))) for rows in rows_of_concepts if i < len(rows)]
    chosen = list(islice(in_turn, max(PICTURES, len(plan.concepts))))
    texts = [[(pair[side], expectation) for expectation, pair in chosen] for side in (0, 1)]
    cases, ceiling = (
        [Case(text, FIRST_SEED + i, expectation).plain() for i, (text, expectation) in enumerate(side)]
        for side in texts
    )
    return {
        "name": "substitute drawn",
        "every": max(1, usual_steps // LOOKS),
        "cases": cases,
        "ceiling": ceiling,
        "protocol": Protocol(steps=STEPS).model_dump(mode="json"),
    }


def _substitute(concept: Concept) -> Wanted | None:
    """What its substitute's pictures show; None for none, or none that the oracle knows."""
    kind: Attribute = concept.kind or "object"
    value = value_named(kind, concept.substitute) if concept.substitute else None
    if value is None:
        return None
    if kind == "style":
        return Wanted(style=value)
    return Wanted(things=((value, None) if kind == "object" else (None, value),))


def _unseen(concept: Concept, plan: ErasePlan) -> list[tuple[str, str]]:
    """Sentences that say it and none of the other concepts, beside the same with its substitute."""
    trained = {text for text, _ in wordings(concept, True, plan.seed).pairs}
    neighbours = [neighbour for neighbour in plan.concepts if neighbour is not concept]
    pairs = wordings(concept, True, plan.seed + 1).pairs
    return [
        pair
        for pair in pairs
        if pair[0] not in trained and not any(neighbour.named_in(pair[0]) for neighbour in neighbours)
    ]
