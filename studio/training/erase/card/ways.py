"""Ways to leave a concept out without an edit: a negative prompt, by three methods of guidance. Loads no torch.

A prompt that names the concept and its negative prompt say the same word: what the negative takes away, the prompt asks
for. Where that is enough, no edit is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.core.recipe import GuidanceSpec
from studio.training.evaluate.protocol import Protocol


@dataclass(frozen=True)
class Way:
    """One way to use a negative prompt. A part of the card is called by its key.

    name: what people call it.
    about: one sentence.
    method: of guidance.
    needs_scale: whether it does anything at a guidance scale of 1.
    """

    name: str
    about: str
    method: str
    needs_scale: bool = True


WAYS: Mapping[str, Way] = {
    "negative": Way(
        "negative prompt", "The concept's words in the usual field, away from which guidance moves.", "cfg"
    ),
    "perp-neg": Way("Perp-Neg", "The same, of which only what the prompt does not say counts.", "perp_neg"),
    "nag": Way("NAG", "The same words, acting in attention as well.", "nag", needs_scale=False),
}


def guidance_of(arm: Way, scale: float) -> GuidanceSpec:
    """The way's guidance at a scale of classifier-free guidance, all else as the method comes."""
    return GuidanceSpec(method=arm.method, params={"guidance_scale": scale})


def protocols_of(protocol: Protocol) -> dict[str, Protocol]:
    """Part -> how its pictures are drawn: as all of the card, but for the negative prompt and what makes use of it.

    At a scale of 1 those that do nothing there are left out.
    """
    scale = _scale(protocol.guidance)
    return {
        key: protocol.model_copy(update={"guidance": guidance_of(arm, scale), "negative": "field"})
        for key, arm in WAYS.items()
        if scale != 1 or not arm.needs_scale
    }


def _scale(guidance: GuidanceSpec) -> float:
    """The scale of classifier-free guidance of a card's own pictures, which are drawn by that alone."""
    from studio.guidance import spoken  # brings torch

    value = spoken(guidance).params.get("guidance_scale", 1.0)
    return float(value) if isinstance(value, int | float) else 1.0
