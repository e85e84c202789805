"""What a step asks the network: for the rows of a batch, by the needs of a loss, all in one evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from studio.diffusion.predictions import STATE, Need, Prediction
from studio.models.bundle import Conditioning, ModelBundle
from studio.training.lora.anchors import anchors_for
from studio.training.lora.states import Drawn

Anchors = Mapping[tuple[str, int], Conditioning]  # of a step, by condition and number


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from, B rows.

    prompts: column -> one for each row.
    x: [B, C, h, w].
    t: [B].
    a, s: [B, 1, 1, 1], with x = a x0 + s eps.
    noise: eps, where it is known.
    widths: [B], share of the log-SNR that a row's time stands for.
    beside: x of further states, by name.
    numbers: what a loss is told of the rows besides, name -> [B].
    """

    prompts: Mapping[str, Sequence[str]]
    x: Tensor
    t: Tensor
    a: Tensor
    s: Tensor
    noise: Tensor | None = None
    widths: Tensor | None = None
    beside: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    numbers: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def at(self, state: str) -> Tensor:
        """x of a state."""
        return self.x if state == STATE else self.beside[state]

    def truth(self, state: str) -> Prediction:
        """As a network would give that knew the noise."""
        assert self.noise is not None, "a plan without pictures is refused where a loss asks for this"
        return Prediction("epsilon", self.noise, self.at(state), self.a, self.s)


Question = tuple[Batch, Need]


def placed(
    prompts: Mapping[str, Sequence[str]],
    states: Drawn,
    bundle: ModelBundle,
    widths: Tensor | None = None,
    numbers: Mapping[str, Tensor] | None = None,
) -> Batch:
    """A batch where the network computes."""
    device = bundle.device
    a, s = (part.float().view(-1, 1, 1, 1).to(device) for part in bundle.schedule.at(states.t.double()))
    noise = None if states.noise is None else states.noise.to(device)
    widths = None if widths is None else widths.to(device)
    beside = {name: x.to(device) for name, x in states.beside.items()}
    placed_numbers = {name: values.to(device) for name, values in (numbers or {}).items()}
    return Batch(prompts, states.x.to(device), states.t.to(device), a, s, noise, widths, beside, placed_numbers)


def strengths_of(questions: Sequence[Question]) -> list[float]:
    """Of every row, where all are the student's."""
    return [need.strength for batch, need in questions for _ in batch.x]


def draw_anchors(batch: Batch, needs: Sequence[Need], bundle: ModelBundle, generator: torch.Generator) -> Anchors:
    """The anchors that needs ask for, one for each row."""
    asked = dict.fromkeys((need.condition, need.anchor) for need in needs if need.anchor)
    return {
        (condition, number): anchors_for(_encoded(batch.prompts[condition], bundle), generator)
        for condition, number in asked
    }


def ask(
    questions: Sequence[Question], bundle: ModelBundle, anchors: Anchors | None = None
) -> dict[tuple[int, str], Prediction]:
    """Ask all of them in one evaluation; the answers by batch and name."""
    conditions = [
        (anchors or {})[need.condition, need.anchor] if need.anchor else _encoded(batch.prompts[need.condition], bundle)
        for batch, need in questions
    ]
    raw = bundle.predict(
        torch.cat([batch.at(need.state) for batch, need in questions]),
        torch.cat([batch.t for batch, _ in questions]),
        bundle.stack(conditions),
    )
    parts = raw.split([len(batch.x) for batch, _ in questions])
    return {
        (id(batch), need.name): Prediction(bundle.parameterisation, part, batch.at(need.state), batch.a, batch.s)
        for (batch, need), part in zip(questions, parts, strict=True)
    }


def _encoded(prompts: Sequence[str], bundle: ModelBundle) -> Conditioning:
    """Made outside of inference mode, in which what the page encodes is made: gradients pass by it."""
    with torch.inference_mode():
        encoded = bundle.encode(tuple(prompts))
    return Conditioning(encoded.tokens.clone(), {name: extra.clone() for name, extra in encoded.extras.items()})
