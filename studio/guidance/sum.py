"""A sum of methods: each adds its own step away from the conditional prediction.

    g = g_1 + weight*(g_2 - c)

Rows that both ask for are asked for once. Two methods that both move the sampler's state cannot be added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import ClassVar

import torch
from pydantic import SerializeAsAny

from studio.core.errors import BadInput
from studio.core.params import param
from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import Guidance, Guided, Network, Plan, Request, State, StepCtx
from studio.guidance.prediction import Pred
from studio.guidance.wrapper import WRAPPERS, Wrapper, is_cond


@WRAPPERS.register("sum")
class Sum(Wrapper):
    """Add the effect of a second method."""

    source: ClassVar[str] = "this project"
    label: ClassVar[str] = "sum"

    weight: float = param(1.0, low=0, high=2, step=0.05, help="how much of the second method's effect is added")
    # Filled in when it is built; None only between reading the parameters and that.
    added: SerializeAsAny[Guidance] | None = None

    def check(self, inner: Guidance) -> None:
        if self.added is None:
            raise BadInput("The guidance wrapper sum lacks the method it adds: give it as 'added'.", field="added")

    @property
    def other(self) -> Guidance:
        """The method added."""
        assert self.added is not None
        return self.added

    def nfe(self, inner: Guidance) -> int:
        return inner.nfe() + self.other.nfe()  # at most: what both ask for is one row

    def rounds(self, inner: Guidance, ctx: StepCtx) -> list[list[Request]]:
        both = zip_longest(inner.rounds(ctx), self.other.rounds(ctx))  # side by side, as `plan` runs them
        return [[*(first or ()), *(second or ())] for first, second in both]

    def networks(self, inner: Guidance) -> frozenset[Network]:
        return inner.networks() | self.other.networks()

    def init(self, inner: Guidance, shape: Sequence[int]) -> State:
        one, two = inner.init(tuple(shape)), self.other.init(tuple(shape))
        return (torch.full((shape[0],), float(len(one)), dtype=torch.float64), *one, *two)

    def plan(self, inner: Guidance, ctx: StepCtx) -> Plan:
        one, two = _split(ctx.state)
        first = _Course(inner.plan(replace(ctx, state=one)), ctx)
        second = _Course(self.other.plan(replace(ctx, state=two)), ctx)
        while first.asks or second.asks:
            # Equal requests of both are one row; any other of the second may share a name with one of the first.
            known = {request.key(ctx): request.name for request in first.asks}
            names = {request.name: known.get(request.key(ctx), f"{request.name} (added)") for request in second.asks}
            fresh = [replace(r, name=names[r.name]) for r in second.asks if names[r.name] not in known.values()]
            answers = yield [*first.asks, *fresh]
            second.send({name: answers[asked] for name, asked in names.items()})
            first.send({request.name: answers[request.name] for request in first.asks})
        return self._added(first.end(), second.end(), first.cond or second.cond, ctx)

    def _added(self, one: Guided, two: Guided, cond: Pred | None, ctx: StepCtx) -> Guided:
        if one.x is not None and two.x is not None:
            raise BadInput("Two guidance methods that both move the latents cannot be added; leave one out.")
        x0 = at_least_float32(one.x0)
        if cond is not None:
            x0 = x0 + self.weight * (at_least_float32(two.x0) - cond.x0)
        count = torch.full((len(x0),), float(len(one.state)), dtype=torch.float64)
        diag = {**one.diag, **{f"{name} (added)": value for name, value in two.diag.items()}}
        x = one.x if two.x is None else two.x
        return Guided(x0.to(ctx.x.dtype), (count, *one.state, *two.state), x, diag)

    def describe(self) -> str:
        return f"plus {self.weight:g} times ({self.other.describe()})"


class _Course:
    """One of two plans that run side by side: what it asks now, and in the end its outcome."""

    def __init__(self, plan: Plan, ctx: StepCtx) -> None:
        self._plan = plan
        self._ctx = ctx
        self._end: Guided | None = None
        self.cond: Pred | None = None
        self.asks: list[Request] = []
        self._advance(lambda: next(plan))

    def send(self, answers: Mapping[str, Pred]) -> None:
        if self._end is not None:
            return
        for request in self.asks:
            if self.cond is None and is_cond(request, self._ctx):
                self.cond = answers[request.name]
        self._advance(lambda: self._plan.send(answers))

    def _advance(self, move: Callable[[], list[Request]]) -> None:
        try:
            self.asks = move()
            while not self.asks:  # a round that asks nothing is over at once
                self.asks = self._plan.send({})
        except StopIteration as end:
            self._end, self.asks = end.value, []

    def end(self) -> Guided:
        assert self._end is not None
        return self._end


def _split(state: State) -> tuple[State, State]:
    """The states of the two, packed as (how many belong to the first [B], theirs, the other's)."""
    count = int(state[0][0])
    return state[1 : 1 + count], state[1 + count :]
