"""The protocol of guidance: a method asks for predictions, receives them, and gives the guided one.

A method is a generator over one step: it yields lists of `Request`, is sent the answers by name, and returns
`Guided`. Most ask once: they derive from `OneRound`, say which predictions they need and how to combine them.
Nothing of a run is kept on the method: its state goes in with `StepCtx` and comes out with `Guided`.

Conditions by name: "pos" the prompt, "empty" the empty prompt, "neg/0", "neg/1", ... the negative prompts, "neg" their
weighted mean.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import Params, load
from studio.core.recipe import GuidanceSpec
from studio.core.registry import Registry
from studio.diffusion.parameterisation import Kind, from_x0, to_eps, to_x0
from studio.diffusion.schedule import Schedule
from studio.guidance.perturbation import Perturbation

Network = Literal["main", "weak"]

# What a method carries from step to step, () when fresh. Tensors are [B, ...], one entry per sample.
State = tuple[Tensor, ...]


@dataclass(frozen=True)
class NoisePoint:
    """One noise level: x = a*x0 + s*eps; t is the time the network is fed. Comes from a Grid, never a scheduler."""

    a: float
    s: float
    t: float

    @property
    def lam(self) -> float:
        """Half log-SNR log(a/s); infinite at either end."""
        if self.s == 0:
            return math.inf
        return math.log(self.a / self.s) if self.a > 0 else -math.inf

    @property
    def s_flow(self) -> float:
        """The same level as a flow's: x/(a+s) = (1 - s_flow)*x0 + s_flow*eps."""
        return self.s / (self.a + self.s)


@dataclass(frozen=True, eq=False)
class Request:
    """One prediction asked for.

    name: what the answer is called. cond: a condition's name. x, at: where, None for the step's own.
    perturb: what is done to the network, None for nothing. model: which network, "main" or "weak", an early
    checkpoint of it. t: the time to feed in place of at.t, [B], one per sample; x stays what it is at `at`.
    """

    name: str
    cond: str
    x: Tensor | None = None
    at: NoisePoint | None = None
    perturb: Perturbation | None = None
    model: Network = "main"
    t: Tensor | None = None


class Pred:
    """One prediction, viewed in whichever space a method works; each view is computed when first read.

    kind, raw: the network's output, [B, C, H, W], and what it means. x, at: what it was fed.
    Views have x's shape, in float32 or better. `eps` and `v` of a "sample" need at.s > 0.
    """

    def __init__(self, kind: Kind, raw: Tensor, x: Tensor, at: NoisePoint) -> None:
        self.kind: Kind = kind
        self.raw = raw
        self.x = x
        self.at = at

    @cached_property
    def x0(self) -> Tensor:
        """The data."""
        return to_x0(self.kind, self.raw, self.x, self.at.a, self.at.s)

    @cached_property
    def eps(self) -> Tensor:
        """The noise."""
        return to_eps(self.kind, self.raw, self.x, self.at.a, self.at.s)

    @cached_property
    def v(self) -> Tensor:
        """v = a*eps - s*x0."""
        return self.at.a * self.eps - self.at.s * self.x0

    @cached_property
    def u(self) -> Tensor:
        """The flow's velocity u = eps - x0, large t being noise."""
        return self.eps - self.x0

    def raw_of(self, x0: Tensor) -> Tensor:
        """Give the raw output that would have predicted `x0` here. at.s > 0, unless the kind is "sample"."""
        return from_x0(self.kind, x0, self.x, self.at.a, self.at.s)


class Preds(Mapping[str, Pred]):
    """The answers of one round, by name: `preds.cond.x0` or `preds["cond"].x0`."""

    def __init__(self, answers: Mapping[str, Pred]) -> None:
        self._answers = dict(answers)

    def __getitem__(self, name: str) -> Pred:
        return self._answers[name]

    def __getattr__(self, name: str) -> Pred:
        if name.startswith("_") or name not in self._answers:
            raise AttributeError(f"no prediction named {name!r}")
        return self._answers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


@dataclass(frozen=True, eq=False)
class StepCtx:
    """All a method may know of a step.

    i: 0 .. n-1. x: [B, C, H, W] as fed to the network. at, at_next: this level and the next (at_next.t of the last
    step is 0). state: what the previous step returned, or `init`'s. negatives: how many "neg/k" there are.
    negative_weights: a share of each, summing to 1.
    prev: the previous step's outcome. peek: guided x0 -> the x the solver would go to. schedule: what the network was
    trained with.
    """

    i: int
    n: int
    at: NoisePoint
    at_next: NoisePoint
    x: Tensor
    state: State = ()
    negatives: int = 0
    negative_weights: tuple[float, ...] = ()
    prev: Guided | None = None
    peek: Callable[[Tensor], Tensor] | None = None
    schedule: Schedule | None = None

    @property
    def uncond(self) -> str:
        """The condition guidance moves away from: the negative prompts where there are any, else the empty prompt."""
        if not self.negatives:
            return "empty"
        return "neg/0" if self.negatives == 1 else "neg"


@dataclass(frozen=True, eq=False)
class Guided:
    """The outcome of one step: guided x0, of ctx.x's shape and dtype, and the state for the next step.

    x: replaces the state of the sampler, for methods that move it; None leaves it. diag: numbers per sample, [B].
    """

    x0: Tensor
    state: State = ()
    x: Tensor | None = None
    diag: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


Plan = Generator[list[Request], Mapping[str, Pred], Guided]


class Guidance(Params):
    """A guidance method: a frozen value whose fields are its parameters.

    source: where it comes from. neutral: parameters under which it gives the conditional prediction.
    native_space: the space its paper works in; "any" where the space makes no difference.
    """

    source: ClassVar[str]
    neutral: ClassVar[dict[str, Any]]
    native_space: ClassVar[Literal["any", "x0", "raw", "eps", "flow"]]

    def init(self, shape: torch.Size | tuple[int, ...]) -> State:
        """Give the state of a fresh run of samples of this shape, [B, C, H, W]."""
        return ()

    @abstractmethod
    def nfe(self) -> int:
        """Count the rows of network work one sample costs per step, with these parameters; the most of any step."""

    def rows(self, i: int, n: int, at: NoisePoint) -> int:
        """Count the rows of step i of n, which is at that noise level. Methods that pause at some levels say less."""
        return self.nfe()

    def width(self) -> int:
        """Count the rows of one round, the most of any; less than `nfe` for methods of several rounds."""
        return self.nfe()

    def networks(self) -> frozenset[Network]:
        """Name the networks it asks."""
        return frozenset({"main"})

    @abstractmethod
    def plan(self, ctx: StepCtx) -> Plan:
        """Ask for predictions, in one or more rounds, and return what they come to."""


class OneRound(Guidance):
    """A method that asks once per step. needs: of "cond", "uncond"; answers come under these names."""

    needs: ClassVar[tuple[str, ...]]

    def active_needs(self) -> tuple[str, ...]:
        """Give the needs that matter with these parameters; a method says less where a prediction cannot count."""
        return self.needs

    def nfe(self) -> int:
        return len(self.active_needs())

    @abstractmethod
    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        """Give guided x0, in float32 or better, and the new state. preds holds what `active_needs` names."""

    def plan(self, ctx: StepCtx) -> Plan:
        conds = {"cond": "pos", "uncond": ctx.uncond}
        answers = yield [Request(name, conds[name]) for name in self.active_needs()]
        x0, state = self.combine(Preds(answers), ctx, ctx.state)
        return Guided(x0.to(ctx.x.dtype), state)


GUIDANCE: Registry[type[Guidance]] = Registry("guidance method")


def build(spec: GuidanceSpec) -> Guidance:
    """Build the method a recipe names. Raises NotFound for the name, BadInput for a parameter."""
    return load(GUIDANCE.get(spec.method), spec.params, f"guidance method {spec.method}")


def run_plan(plan: Plan, answer: Callable[[list[Request]], Mapping[str, Pred]]) -> Guided:
    """Drive one step's plan to its end, answering each round in turn. `answer` gives a Pred per request, by name."""
    try:
        requests = next(plan)
        while True:
            requests = plan.send(answer(requests))
    except StopIteration as end:
        return end.value
