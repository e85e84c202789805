"""Debiasing in closed form: how much of each attribute is added to a concept's text, until pictures are as wanted.

Source: Unified Concept Editing in Diffusion Models, arXiv:2308.14761, section 4.3. A concept's vectors c are sent to
v = c + sum_k gamma_k d_k, d_k the way from a sentence that leaves an attribute unsaid to the same that says it. The
solution of the closed form (studio.erasure.closed_form) is linear in its ways, so with G_k the map of attribute k alone
the whole is sum_k gamma_k G_k, solved once; what is found by looking at pictures are the numbers gamma. They are
integrated: after each look gamma_k grows by a share of what attribute k lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

STEP = 0.5  # of the integrator
LIMIT = 3.0  # of gamma, to both sides: beyond, texts are none that the model has seen


def lacking(targets: Sequence[float], shares: Sequence[float]) -> list[float]:
    """What each attribute lacks of its wanted share, -1 to 1, among the pictures that show any of them.

    targets: shares that add to 1. shares: of all pictures, those that show it; their sum may be less than 1. What shows
    none of the attributes says nothing of their proportions: the differences add to 0, and so do the gammas.
    """
    total = sum(shares)
    if total == 0:
        return [0.0] * len(targets)  # there is nothing to steer by
    return [target - share / total for target, share in zip(targets, shares, strict=True)]


def stepped(
    gammas: Sequence[float], targets: Sequence[float], shares: Sequence[float], step: float = STEP, limit: float = LIMIT
) -> list[float]:
    """The next gammas: each with a step of what its attribute lacks, held within the limit."""
    if not 0 < step <= 2:
        raise ValueError(f"the step is in (0, 2], not {step:g}")
    moved = (gamma + step * lack for gamma, lack in zip(gammas, lacking(targets, shares), strict=True))
    return [max(-limit, min(limit, gamma)) for gamma in moved]


def farthest(targets: Sequence[float], shares: Sequence[float]) -> float:
    """The greatest difference between a wanted share and that of all pictures, 0 to 1.

    What shows none of the attributes counts against it, as a picture that is broken does.
    """
    return max(abs(target - share) for target, share in zip(targets, shares, strict=True))
