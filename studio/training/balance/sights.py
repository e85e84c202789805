"""The pictures a balance is looked at in: the concept with its attributes unsaid, a neighbour, something unrelated."""

from __future__ import annotations

from studio.training.balance.plan import BalancePlan
from studio.training.balance.sentences import unsaid
from studio.training.erase.concept import Concept
from studio.training.erase.preview import Sight, neighbours
from studio.training.erase.preview import sights as sights_of_erasure

OF_CONCEPT = 6  # a share is not seen in fewer
_SEEDS_ON = 2000  # past those of looks and of the check (studio.training.balance.job)


def sights(plan: BalancePlan) -> tuple[Sight, ...]:
    """Six prompts with the concept, one with the object that looks most like it, which leaves as much unsaid, and one
    that shares nothing with it.
    """
    texts = unsaid(plan, OF_CONCEPT, plan.seed + _SEEDS_ON)
    concept = plan.object
    beside = Concept(words=concept.words, synonyms=concept.synonyms, substitute=neighbours(concept)[0])
    neighbour = plan.preserves[0] if plan.preserves else beside.replaced_in(texts[0])
    unrelated = sights_of_erasure([concept], True)[-1]
    return (
        *(Sight(role="concept", prompt=text) for text in texts),
        Sight(role="neighbour", prompt=neighbour),
        unrelated,
    )
