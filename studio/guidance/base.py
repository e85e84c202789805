"""The protocol of guidance: a method asks for predictions, receives them, and gives the guided one.

A method is a generator over one step: it yields lists of `Request`, is sent the answers by name, and returns
`Guided`. Most ask once: they derive from `OneRound`, say which predictions they need and how to combine them.
Nothing of a run is kept on the method: its state goes in with `StepCtx` and comes out with `Guided`.

Conditions by name: "pos" the prompt, "empty" the empty prompt, "neg/0", "neg/1", ... the negative prompts, "neg" their
weighted mean.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import Params
from studio.core.registry import Registry
from studio.diffusion.schedule import Schedule
from studio.guidance.attention import AttentionGuidance
from studio.guidance.perturbation import Perturbation
from studio.guidance.prediction import NoisePoint, Pred, Preds

Network = Literal["main", "weak"]

# What a method carries from step to step, () when fresh. Tensors are [B, ...], one entry per sample.
State = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Request:
    """One prediction asked for.

    name: what the answer is called.
    cond: a condition's name.
    x, at: where, None for the step's own.
    perturb: what is done to the network, None for nothing.
    model: which network, "main" or "weak", an early checkpoint of it.
    t: the time to feed in place of at.t, [B], one per sample; x stays what it is at `at`.
    attention: what is done where the condition is attended to, None for nothing.
    """

    name: str
    cond: str
    x: Tensor | None = None
    at: NoisePoint | None = None
    perturb: Perturbation | None = None
    model: Network = "main"
    t: Tensor | None = None
    attention: AttentionGuidance | None = None

    def key(self, ctx: StepCtx) -> tuple[object, ...]:
        """Equal for requests of one round of a step whose answers are equal, whatever they are called."""
        return (self.cond, self.attention, *self.place(ctx))

    def place(self, ctx: StepCtx) -> tuple[object, ...]:
        """The same but for the conditions: where, and of which network."""
        x, at = ctx.x if self.x is None else self.x, self.at or ctx.at
        return (id(x), at, id(self.t), self.perturb, self.model)


@dataclass(frozen=True, eq=False)
class StepCtx:
    """All a method may know of a step.

    i: 0 .. n-1.
    n: how many steps there are.
    at, at_next: this level and the next; at_next.t of the last step is 0.
    x: [B, C, H, W] as fed to the network.
    state: what the previous step returned, or `init`'s.
    negatives: how many "neg/k" there are.
    negative_weights: a share of each, summing to 1 but for those that are outside their windows, which have 0 here.
    prev: the previous step's outcome.
    peek: guided x0 -> the x the solver would go to.
    diagnose: whether `diag` is wanted; what it costs is spent only then.
    schedule: what the network was trained with.
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
    diagnose: bool = False
    schedule: Schedule | None = None

    @property
    def acting(self) -> tuple[int, ...]:
        """Which of the negative prompts are within their windows."""
        if not self.negative_weights:
            return tuple(range(self.negatives))
        return tuple(k for k, weight in enumerate(self.negative_weights) if weight > 0)

    @property
    def uncond(self) -> str:
        """The condition guidance moves away from: the negative prompts that act, else the empty prompt."""
        match self.acting:
            case ():
                return "empty"
            case (only,):
                return f"neg/{only}"
            case _:
                return "neg"

    @classmethod
    def ahead(
        cls,
        i: int,
        n: int,
        at: NoisePoint,
        negative_weights: tuple[float, ...] = (),
        schedule: Schedule | None = None,
    ) -> StepCtx:
        """What is known of a step before the run: its x is a stand-in, of which only the identity counts."""
        x = torch.empty(0)
        return cls(i, n, at, at, x, (), len(negative_weights), negative_weights, schedule=schedule)


@dataclass(frozen=True, eq=False)
class Guided:
    """The outcome of one step.

    x0: guided, of ctx.x's shape and dtype.
    state: for the next step.
    x: replaces the state of the sampler, for methods that move it; None leaves it.
    diag: numbers per sample, [B], where they were asked for.
    push: guided minus conditional x0, kept beside them for the next step to compare with.
    """

    x0: Tensor
    state: State = ()
    x: Tensor | None = None
    diag: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    push: Tensor | None = None


Plan = Generator[list[Request], Mapping[str, Pred], Guided]


@dataclass(frozen=True)
class Quantity:
    """A number told per step and sample.

    label: the title of its plot.
    unit: "" for none.
    plot: how it is drawn.
    """

    label: str
    unit: str = ""
    plot: Literal["line", "bar", "heat"] = "line"


class Guidance(Params):
    """A guidance method: a frozen value whose fields are its parameters.

    source: where it comes from.
    neutral: parameters under which it gives the conditional prediction.
    native_space: the space its paper works in; "any" where the space makes no difference.
    label: for menus.
    denoiser: the kind of network it is for.
    diagnostics: what its own `diag` holds beside the shared ones.
    excused: clauses of the contract it rightly breaks.
    """

    source: ClassVar[str]
    neutral: ClassVar[dict[str, Any]]
    native_space: ClassVar[Literal["any", "x0", "raw", "eps", "flow"]]
    label: ClassVar[str] = ""
    denoiser: ClassVar[Literal["any", "unet", "transformer"]] = "any"
    diagnostics: ClassVar[Mapping[str, Quantity]] = {}
    excused: ClassVar[Mapping[str, str]] = {}

    def describe(self) -> str:
        """One line for the page: the formula with the numbers of these parameters."""
        values = ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in self
        )
        return f"g = {type(self).__name__}({values})"

    def rest(self, name: str) -> float:
        """The value of a parameter at which it does nothing; a schedule fades towards it."""
        return float(self.neutral.get(name, 0))

    def changed(self, name: str, value: float) -> Guidance:
        """The same method with another value of one parameter, which the caller has checked."""
        return self.model_copy(update={name: value})

    def init(self, shape: torch.Size | tuple[int, ...]) -> State:
        """Give the state of a fresh run of samples of this shape, [B, C, H, W]."""
        return ()

    @abstractmethod
    def nfe(self) -> int:
        """Count the rows of network work one sample costs at most per step, with at most one negative prompt."""

    @abstractmethod
    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        """Say what `plan` will ask of a step, round by round, none of them empty; ctx: as `StepCtx.ahead` gives it.

        Tensors in it stand for values that are not known yet: one tensor is one value.
        """

    def rows(self, i: int, n: int, at: NoisePoint) -> int:
        """Count the rows of step i of n, which is at that noise level, of a recipe of one prompt."""
        ctx = StepCtx.ahead(i, n, at)
        return sum(len({request.key(ctx) for request in requests}) for requests in self.rounds(ctx))

    def breaks_history(self) -> str:
        """Say what it does at a step that a sampler which goes by earlier steps takes wrong; "" where it does not.

        As words that follow its label, for `studio.services.pairing`.
        """
        return ""

    def networks(self) -> frozenset[Network]:
        """Name the networks it asks."""
        return frozenset({"main"})

    @abstractmethod
    def plan(self, ctx: StepCtx) -> Plan:
        """Ask for predictions, in one or more rounds, and return what they come to."""


class OneRound(Guidance):
    """A method that asks once per step; answers come under the names of its needs.

    needs: of "cond", "uncond" (the negative prompt where there is one), "empty" and "negatives" ("neg/0", ..., those
    that act).
    """

    needs: ClassVar[tuple[str, ...]]

    def active_needs(self) -> tuple[str, ...]:
        """Give the needs that matter with these parameters; a method says less where a prediction cannot count."""
        return self.needs

    def nfe(self) -> int:
        return sum(need != "negatives" for need in self.active_needs())

    @abstractmethod
    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        """Give guided x0, in float32 or better, and the new state. preds holds what `active_needs` names."""

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        """Give what `diagnostics` names, [B] each. Called only where it is asked for; state: as before the step."""
        return {}

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        conds = {"cond": "pos", "uncond": ctx.uncond, "empty": "empty"}
        requests: list[Request] = []
        for need in self.active_needs():
            names = [f"neg/{k}" for k in ctx.acting] if need == "negatives" else [need]
            requests += [Request(name, conds.get(name, name)) for name in names]
        return [requests]

    def plan(self, ctx: StepCtx) -> Plan:
        preds = Preds((yield self.rounds(ctx)[0]))
        x0, state = self.combine(preds, ctx, ctx.state)
        diag = self.observe(preds, ctx, ctx.state) if ctx.diagnose else {}
        return Guided(x0.to(ctx.x.dtype), state, diag=diag)


GUIDANCE: Registry[type[Guidance]] = Registry("guidance method")


def run_plan(plan: Plan, answer: Callable[[list[Request]], Mapping[str, Pred]]) -> Guided:
    """Drive one step's plan to its end, answering each round in turn. `answer` gives a Pred per request, by name."""
    try:
        requests = next(plan)
        while True:
            requests = plan.send(answer(requests))
    except StopIteration as end:
        return end.value
