"""What guidance asks of a model besides its prediction for the prompt: what not every model can give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studio.guidance.base import Guidance, Network, NoisePoint, StepCtx
from studio.guidance.wrapper import method_of

_STEPS = 20  # of the run looked at where none is given


@dataclass(frozen=True)
class Asks:
    """What a method, in its wrappers, asks of a model.

    networks: those it asks.
    unconditional: whether it asks for the empty or a negative prompt.
    layers: the layers of each perturbation it asks for, () for the model's own choice.
    denoiser: the kind of network it is for, "any", "unet" or "transformer".
    """

    networks: frozenset[Network]
    unconditional: bool
    layers: frozenset[tuple[str, ...]]
    denoiser: str = "any"

    def words(self) -> tuple[str, ...]:
        """The same in words for a menu: "main", "weak", "uncond", "layers", "unet", "transformer"."""
        features = [word for word, is_asked in (("uncond", self.unconditional), ("layers", self.layers)) if is_asked]
        return (*sorted(self.networks), *features, *([] if self.denoiser == "any" else [self.denoiser]))


def asks_of(guidance: Guidance, steps: Iterable[StepCtx] | None = None) -> Asks:
    """Look at what a method, in its wrappers, will ask at these steps; None looks at twenty, from noise to data."""
    requests = [request for step in steps or nominal_steps() for round in guidance.rounds(step) for request in round]
    return Asks(
        guidance.networks(),
        any(request.cond != "pos" for request in requests),
        frozenset(request.perturb.layers for request in requests if request.perturb is not None),
        type(method_of(guidance)).denoiser,
    )


def uses_negatives(guidance: Guidance) -> bool:
    """Whether a negative prompt makes a difference to a method, in its wrappers."""
    requests = [request for step in nominal_steps((1.0,)) for round in guidance.rounds(step) for request in round]
    conditions = {request.cond for request in requests}
    conditions |= {request.attention.cond for request in requests if request.attention is not None}
    return any(cond.startswith("neg") for cond in conditions)


def nominal_steps(negative_weights: tuple[float, ...] = ()) -> Iterable[StepCtx]:
    """Steps of a run on nothing in particular, from noise to data, with negative prompts of these weights."""
    for i in range(_STEPS):
        left = 1 - (i + 0.5) / _STEPS
        yield StepCtx.ahead(i, _STEPS, NoisePoint((1 - left**2) ** 0.5, left, 999 * left), negative_weights)
