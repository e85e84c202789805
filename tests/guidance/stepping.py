"""Drive one step of any guidance method with predictions made up by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation, from_x0
from studio.guidance import Guidance, Guided, NoisePoint, Pred, Request, State, StepCtx, run_plan

AT = NoisePoint(a=0.6, s=0.8, t=600.0)
NEXT = NoisePoint(a=0.8, s=0.6, t=400.0)
SHAPE = (3, 4, 5, 6)

# Gives the prediction of the data for a request, at the x and noise level it names.
Network = Callable[[Request, Tensor, NoisePoint], Tensor]


def random(seed: int, dtype: torch.dtype = torch.float64, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Standard normal numbers, [B, C, H, W]."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def by_condition(table: Mapping[str, Tensor]) -> Network:
    """A network that answers by condition alone; anything but "pos" and the negatives is "empty"."""
    return lambda request, x, at: table.get(request.cond, table["empty"])


class Step:
    """One step of a method on given predictions; counts the rows of network work it asks for."""

    def __init__(
        self, network: Network, x: Tensor, kind: Parameterisation = "v_prediction", at: NoisePoint = AT
    ) -> None:
        self.network = network
        self.x = x
        self.kind: Parameterisation = kind
        self.at = at
        self.at_next = NEXT
        self.rows = 0
        self.widest = 0
        self.conditions: list[str] = []
        self.rounds: list[list[Request]] = []

    def run(self, method: Guidance, state: State | None = None, i: int = 0, negatives: int = 0) -> Guided:
        if state is None:
            state = method.init(self.x.shape)
        ctx = StepCtx(
            i=i,
            n=20,
            at=self.at,
            at_next=self.at_next,
            x=self.x,
            state=state,
            negatives=negatives,
            diagnose=True,
            peek=lambda x0: NEXT.a * x0 + NEXT.s * (self.x - self.at.a * x0) / self.at.s,
        )
        return run_plan(method.plan(ctx), self._answer)

    def _answer(self, requests: list[Request]) -> dict[str, Pred]:
        self.rows += len(requests)
        self.rounds.append(requests)
        self.widest = max(self.widest, len(requests))
        self.conditions += [request.cond for request in requests]
        assert len({request.name for request in requests}) == len(requests), "answers are told apart by name"
        answers: dict[str, Pred] = {}
        for request in requests:
            x = self.x if request.x is None else request.x
            at = self.at if request.at is None else request.at
            x0 = self.network(request, x, at)
            raw = from_x0(self.kind, x0, x, at.a, at.s).to(self.x.dtype)
            answers[request.name] = Pred(self.kind, raw, x, at)
        return answers


def guide(
    method: Guidance,
    cond: Tensor,
    uncond: Tensor,
    x: Tensor | None = None,
    kind: Parameterisation = "sample",
    state: State | None = None,
) -> Guided:
    """One step with these two predictions of the data."""
    step = Step(by_condition({"pos": cond, "empty": uncond}), random(99, cond.dtype) if x is None else x, kind)
    return step.run(method, state)
