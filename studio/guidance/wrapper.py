"""What is put around a method, whichever it is: when it acts, how strongly, what is done to its outcome.

    WRAPPERS.register("rescale")        one file per wrapper, its fields its parameters
    Wrapped(inner=cfg, wrapper=...)     a method again: wrappers compose, the innermost first

A wrapper sees the conditional prediction among the answers its method was given; no row is asked for twice.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from pydantic import SerializeAsAny
from torch import Tensor

from studio.core.params import Params
from studio.core.registry import Registry
from studio.guidance.base import Guidance, Guided, Network, Plan, Request, State, StepCtx
from studio.guidance.prediction import Pred


class Wrapper(Params):
    """A wrapper's parameters and what it does: how the method runs, in `plan`, or only what comes of it, in `finish`.

    source: where it comes from.
    label: for menus.
    """

    source: ClassVar[str]
    label: ClassVar[str]

    def check(self, inner: Guidance) -> None:
        """Raise BadInput where the parameters do not go together, or not with the method."""

    def nfe(self, inner: Guidance) -> int:
        """Rows of one step at most."""
        return inner.nfe()

    def rounds(self, inner: Guidance, ctx: StepCtx) -> list[list[Request]]:
        """What a step asks, as `Guidance.rounds`."""
        return inner.rounds(ctx)

    def networks(self, inner: Guidance) -> frozenset[Network]:
        """The networks it asks."""
        return inner.networks()

    def breaks_history(self, inner: Guidance) -> str:
        """What a sampler that goes by earlier steps takes wrong, as `Guidance.breaks_history`."""
        return inner.breaks_history()

    def init(self, inner: Guidance, shape: Sequence[int]) -> State:
        """The state of a fresh run."""
        return inner.init(tuple(shape))

    def plan(self, inner: Guidance, ctx: StepCtx) -> Plan:
        """One step."""
        guided, preds = yield from followed(inner.plan(ctx))
        if "pos" not in preds:  # a step that asks the network nothing has nothing to be measured against
            return guided
        return replace(guided, x0=self.finish(guided.x0, preds["pos"], ctx).to(ctx.x.dtype))

    def finish(self, x0: Tensor, cond: Pred, ctx: StepCtx) -> Tensor:
        """Change guided x0, [B, C, H, W]; cond: the conditional prediction of this step."""
        return x0

    def describe(self) -> str:
        """A few words with the numbers."""
        return type(self).label


WRAPPERS: Registry[type[Wrapper]] = Registry("guidance wrapper")


class Wrapped(Guidance):
    """A method with a wrapper around it, a method again."""

    source: ClassVar[str] = "this project"
    neutral: ClassVar[dict[str, Any]] = {}
    native_space: ClassVar = "any"

    inner: SerializeAsAny[Guidance]
    wrapper: SerializeAsAny[Wrapper]

    def init(self, shape: torch.Size | tuple[int, ...]) -> State:
        return self.wrapper.init(self.inner, shape)

    def nfe(self) -> int:
        return self.wrapper.nfe(self.inner)

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        return self.wrapper.rounds(self.inner, ctx)

    def networks(self) -> frozenset[Network]:
        return self.wrapper.networks(self.inner)

    def breaks_history(self) -> str:
        return self.wrapper.breaks_history(self.inner)

    def plan(self, ctx: StepCtx) -> Plan:
        return self.wrapper.plan(self.inner, ctx)

    def rest(self, name: str) -> float:
        return self.inner.rest(name)

    def changed(self, name: str, value: float) -> Guidance:
        return self.model_copy(update={"inner": self.inner.changed(name, value)})

    def describe(self) -> str:
        return f"{self.inner.describe()}; {self.wrapper.describe()}"


def method_of(guidance: Guidance) -> Guidance:
    """The method inside all wrappers."""
    while isinstance(guidance, Wrapped):
        guidance = guidance.inner
    return guidance


def is_plain(request: Request) -> bool:
    """Whether a request is for the network as it is, or as guidance in its attention makes it better."""
    return request.perturb is None and request.model == "main"


def is_cond(request: Request, ctx: StepCtx) -> bool:
    """Whether a request is for the plain conditional prediction where the step begins."""
    at_start = (request.x is None or request.x is ctx.x) and (request.at is None or request.at == ctx.at)
    return request.cond == "pos" and at_start and is_plain(request) and request.attention is None


def followed(plan: Plan) -> Generator[list[Request], Mapping[str, Pred], tuple[Guided, dict[str, Pred]]]:
    """Run a plan to its end, and give with its outcome the plain predictions it was sent, by condition.

    Of several rounds the last counts: methods that move the state ask at the end where they have moved it. A prediction
    that guidance in attention has changed counts where the plain one was not asked for beside it.
    """
    preds: dict[str, Pred] = {}
    try:
        requests = next(plan)
        while True:
            answers = yield requests
            for request in sorted(requests, key=lambda request: request.attention is None):
                if is_plain(request):
                    preds[request.cond] = answers[request.name]
            requests = plan.send(answers)
    except StopIteration as end:
        return end.value, preds


CONDITIONAL = Request("cond", "pos")


def conditional(ctx: StepCtx) -> Generator[list[Request], Mapping[str, Pred], Guided]:
    """A step without guidance: one row, state left as it is."""
    answers = yield [CONDITIONAL]
    return Guided(answers["cond"].x0.to(ctx.x.dtype), ctx.state)
