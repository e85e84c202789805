"""A sum of methods: each adds its own step away from the conditional prediction.

    g = g_1 + weight*(g_2 - c)

Rows that both ask for are asked for once. Two methods that both move the sampler's state cannot be added, nor two that
change the prediction itself, in attention: neither asks for the c that their effects are counted from.
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
from studio.guidance.asking import nominal_steps
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
        if any(_lacks_cond([*inner.rounds(step), *self.added.rounds(step)], step) for step in nominal_steps()):
            raise BadInput(
                "Effects that are added are counted from the plain prediction for the prompt, and none of these "
                "methods asks for it: guidance in attention changes it.",
                "Add a method that does, such as pag, or take a higher scale of the one.",
                field="added",
            )

    @property
    def addend(self) -> Guidance:
        """The method added."""
        assert self.added is not None
        return self.added

    def nfe(self, inner: Guidance) -> int:
        return inner.nfe() + self.addend.nfe()  # at most: what both ask for is one row

    def rounds(self, inner: Guidance, ctx: StepCtx) -> list[list[Request]]:
        both = zip_longest(inner.rounds(ctx), self.addend.rounds(ctx))  # side by side, as `plan` runs them
        return [[*(first or ()), *(second or ())] for first, second in both]

    def networks(self, inner: Guidance) -> frozenset[Network]:
        return inner.networks() | self.addend.networks()

    def breaks_history(self, inner: Guidance) -> str:
        return inner.breaks_history() or self.addend.breaks_history()

    def init(self, inner: Guidance, shape: Sequence[int]) -> State:
        first, second = inner.init(tuple(shape)), self.addend.init(tuple(shape))
        return (torch.full((shape[0],), float(len(first)), dtype=torch.float64), *first, *second)

    def plan(self, inner: Guidance, ctx: StepCtx) -> Plan:
        first_state, second_state = _split(ctx.state)
        first = _Course(inner.plan(replace(ctx, state=first_state)), ctx)
        second = _Course(self.addend.plan(replace(ctx, state=second_state)), ctx)
        while first.asks or second.asks:
            # Equal requests of both are one row; any other of the second may share a name with one of the first.
            rows_of_first = {request.key(ctx): request.name for request in first.asks}
            names = {
                request.name: rows_of_first.get(request.key(ctx), f"{request.name} (added)") for request in second.asks
            }
            fresh = [replace(r, name=names[r.name]) for r in second.asks if names[r.name] not in rows_of_first.values()]
            answers = yield [*first.asks, *fresh]
            second.send({name: answers[row] for name, row in names.items()})
            first.send({request.name: answers[request.name] for request in first.asks})
        return self._added(first.end(), second.end(), first.cond or second.cond, ctx)

    def _added(self, first: Guided, second: Guided, cond: Pred | None, ctx: StepCtx) -> Guided:
        if first.x is not None and second.x is not None:
            raise BadInput("Two guidance methods that both move the latents cannot be added; leave one out.")
        x0 = at_least_float32(first.x0)
        if cond is not None:
            x0 = x0 + self.weight * (at_least_float32(second.x0) - cond.x0)
        count = torch.full((len(x0),), float(len(first.state)), dtype=torch.float64)
        diag = {**first.diag, **{f"{name} (added)": value for name, value in second.diag.items()}}
        x = first.x if second.x is None else second.x
        return Guided(x0.to(ctx.x.dtype), (count, *first.state, *second.state), x, diag)

    def describe(self) -> str:
        return f"plus {self.weight:g} times ({self.addend.describe()})"


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


def _lacks_cond(rounds: list[list[Request]], ctx: StepCtx) -> bool:
    """Whether attention is guided in a step of which nobody asks what the prediction were without."""
    requests = [request for requests in rounds for request in requests]
    guided = any(request.attention is not None for request in requests)
    return guided and not any(is_cond(request, ctx) for request in requests)


def _split(state: State) -> tuple[State, State]:
    """The states of the two, packed as (how many belong to the first [B], theirs, the other's)."""
    count = int(state[0][0])
    return state[1 : 1 + count], state[1 + count :]
