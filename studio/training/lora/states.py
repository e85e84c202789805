"""Where a training's noisy latents come from: the base's own ways from noise to picture, walked once and kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.conditions import Conditions
from studio.engine.resident import encoder_of
from studio.engine.trajectory import Row, Trajectory
from studio.models.bundle import Conditioning, ModelBundle
from studio.training.lora.plan import Plan

MAX_ROWS = 32  # of one evaluation, as where pictures are drawn


@dataclass(frozen=True, eq=False)
class Bank:
    """x: [R, N, C, h, w] float32 on the CPU, N states for each of the R rows of the prompts; t: [R, N], their times."""

    x: Tensor
    t: Tensor

    def draw(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A state for each of these rows of the prompts, [B]: x [B, C, h, w] and t [B]."""
        at = torch.randint(self.x.shape[1], rows.shape, generator=generator)
        return self.x[rows, at], self.t[rows, at]


def _predicted(bundle: ModelBundle, rows: Sequence[Row]) -> Sequence[Tensor]:
    """Raw outputs, each [1, C, h, w]."""
    raw = bundle.predict(
        torch.cat([row.x for row in rows]),
        torch.tensor([row.t for row in rows], device=bundle.device),
        Conditioning.cat([row.cond for row in rows], bundle.empty_chunk.tokens),
    )
    return raw.float().split(1)


def walk(plan: Plan, bundle: ModelBundle) -> Generator[None, None, Bank]:
    """Walk the base's ways of a plan. Yields after every evaluation of the network."""
    rows_x: list[Tensor] = []
    rows_t: list[Tensor] = []
    for number, prompts in enumerate(plan.prompts):
        recipes = [
            Recipe(
                model=plan.model,
                prompt=prompts[plan.bank.condition],
                syntax="plain",
                seed=(plan.seed + number * plan.bank.ways + way) % 2**64,
                steps=plan.bank.steps,
                width=bundle.default_size_px,
                height=bundle.default_size_px,
                sampler="ddim",
                guidance=GuidanceSpec(method="cfg", params={"guidance_scale": plan.bank.guidance_scale}),
            )
            for way in range(plan.bank.ways)
        ]
        states: list[tuple[Tensor, float]] = []
        with torch.inference_mode():
            trajectories = [
                Trajectory(index, recipe, bundle, Conditions.of(recipe, encoder_of(bundle)))
                for index, recipe in enumerate(recipes)
            ]
            runs = [one.run(one.start(), lambda report: None) for one in trajectories]
            asked = [next(run) for run in runs]
        while True:
            with torch.inference_mode():
                states += [(rows[0].x, rows[0].t) for rows in asked]
                flat = [row for rows in asked for row in rows]
                blocks = [flat[at : at + MAX_ROWS] for at in range(0, len(flat), MAX_ROWS)]
                answers = iter([row for block in blocks for row in _predicted(bundle, block)])
                sent = [[next(answers) for _ in rows] for rows in asked]
                try:  # all ways are of one length, and end together
                    asked = [run.send(answer) for run, answer in zip(runs, sent, strict=True)]
                except StopIteration:
                    break
            yield
        rows_x.append(torch.cat([x for x, _ in states]).cpu().clone())
        rows_t.append(torch.tensor([t for _, t in states]))
        yield
    with torch.inference_mode(False):  # what was made in inference mode could not be learned from
        return Bank(torch.stack(rows_x).clone(), torch.stack(rows_t))
