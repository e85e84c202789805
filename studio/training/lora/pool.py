"""Noisy latents from ways that the student walks itself, one for each row of a batch (own path).

A way is DDIM under classifier-free guidance. It is taken one step on after each step of the training, with what the
student has predicted in it; at its end another begins. So what is learned at is where the model will be when pictures
are drawn with it, and costs next to nothing: the predictions are there anyhow, but for those without a prompt.

Source: the walk with the model that learns is that of LECO and of Concept Sliders (arXiv:2311.12092), drawn anew there
for every step; the pool of ways at staggered places is measured in the trial of docs/design/0023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import torch
from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.parameterisation import Parameterisation, to_x0
from studio.diffusion.predictions import STATE, UNCONDITIONAL, Need, Prediction
from studio.training.lora.plan import PoolPlan
from studio.training.lora.states import Drawn


class Pool:
    """B ways under way.

    rows: [B] int64, which row of the prompts each is walked under.
    at: [B] int64, how many of its steps each has taken.
    x: [B, C, h, w] float32 on the CPU, where each is.
    """

    def __init__(self, grid: Grid, prompt_rows: int, batch: int, shape: Sequence[int], generator: torch.Generator):
        """grid: of a way. prompt_rows: how many there are to choose from. shape: of one state, [C, h, w]."""
        self._grid, self._prompt_rows = grid, prompt_rows
        self._a, self._s = (torch.tensor(levels, dtype=torch.float64) for levels in (grid.a, grid.s))
        self._t = torch.tensor(grid.timesteps, dtype=torch.float64)
        self.rows = torch.randint(prompt_rows, (batch,), generator=generator)
        self.at = torch.zeros(batch, dtype=torch.int64)
        self.x = torch.randn((batch, *shape), generator=generator)

    @property
    def stagger(self) -> Tensor:
        """[B]: at which of its steps each way should be when the training begins, spread evenly over a way."""
        batch = len(self.rows)
        return torch.arange(batch) * len(self._grid) // batch

    def states(self) -> Drawn:
        """Where the ways are."""
        return Drawn(self.x, self._t[self.at].float())

    def advance(self, guided_x0: Tensor, generator: torch.Generator, chosen: Tensor | None = None) -> None:
        """Take the ways one step on, each towards the data that is predicted in it. DDIM, arXiv:2010.02502, eq. 12.

        guided_x0: [B, C, h, w]. chosen: [B] bool, which of them; None for all. generator: of those that begin anew.
        """
        chosen = torch.ones_like(self.at, dtype=torch.bool) if chosen is None else chosen
        a, s, a_next, s_next = (
            level[index].view(-1, 1, 1, 1).float()
            for level, index in ((self._a, self.at), (self._s, self.at), (self._a, self.at + 1), (self._s, self.at + 1))
        )
        along = s_next / s
        stepped = along * self.x + (a_next - along * a) * guided_x0.cpu()
        self.x = torch.where(chosen.view(-1, 1, 1, 1), stepped, self.x)
        self.at = self.at + chosen
        for place in (self.at == len(self._grid)).nonzero().flatten().tolist():
            self.rows[place] = torch.randint(self._prompt_rows, (), generator=generator)
            self.at[place] = 0
            self.x[place] = torch.randn(self.x.shape[1:], generator=generator)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint; a step that was begun changes nothing of it."""
        return {"rows": self.rows.clone(), "at": self.at.clone(), "x": self.x.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.rows, self.at, self.x = (state[name].clone() for name in ("rows", "at", "x"))


def is_on_way(need: Need) -> bool:
    """Whether what a loss needs is what a way could be walked with."""
    return need.by == "student" and need.state == STATE and not need.anchor


def way_strengths(plan: PoolPlan | None, needs: Sequence[Need]) -> tuple[float, ...]:
    """The strengths that ways are walked at, in turn: those at which a loss asks the student under their prompt."""
    walked_needs = (need for need in needs if plan is not None and is_on_way(need) and need.condition == plan.condition)
    return tuple(dict.fromkeys(need.strength for need in walked_needs)) or (1.0,)


def way_needs(plan: PoolPlan | None, needs: Sequence[Need]) -> tuple[Need, ...]:
    """What the ways want of the student that a loss with these needs does not ask for anyhow."""
    if plan is None:
        return ()
    conditions = (plan.condition, *((UNCONDITIONAL,) if plan.guidance_scale != 1 else ()))
    pairs_asked = {(need.condition, need.strength) for need in needs if is_on_way(need)}
    return tuple(
        Need(f"way/{condition}/{strength:g}", "student", condition, strength=strength)
        for condition, strength in product(conditions, way_strengths(plan, needs))
        if (condition, strength) not in pairs_asked
    )


def guided_x0(
    plan: PoolPlan,
    kind: Parameterisation,
    of_needs: Mapping[tuple[str, float], Prediction],
    strengths: Sequence[float] = (1.0,),
) -> Tensor:
    """The data that classifier-free guidance predicts, [B, C, h, w]; no gradient.

    of_needs: by condition and strength. strengths: of the ways, in turn.
    """
    conditional = of_needs[plan.condition, strengths[0]]
    raw = _in_turn([of_needs[plan.condition, strength] for strength in strengths])
    if plan.guidance_scale != 1:
        null = _in_turn([of_needs[UNCONDITIONAL, strength] for strength in strengths])
        raw = null + plan.guidance_scale * (raw - null)
    return to_x0(kind, raw, conditional.x, conditional.a, conditional.s)


def _in_turn(predictions: Sequence[Prediction]) -> Tensor:
    """Raw outputs, row after row of the next prediction."""
    raws = [prediction.raw.detach() for prediction in predictions]
    return torch.stack([raws[row % len(raws)][row] for row in range(len(raws[0]))])
