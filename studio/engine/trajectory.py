"""One image on its way from noise to latents, as a coroutine.

It yields the rows of network work it needs next and is sent their raw outputs. So many images, of different guidance,
step counts and prompts, can share evaluations of the network without knowing of each other (studio.engine.batcher).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from studio.core.errors import NonFinite
from studio.core.recipe import Recipe
from studio.diffusion.grid import Grid, make_grid
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.solvers import Solver, build_solver
from studio.engine.ahead import moved_away, rows_of
from studio.engine.conditions import Conditions
from studio.engine.edits.manifest import DENOISERS
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.timed import Stack
from studio.engine.noise import NoiseSource
from studio.engine.perturb import AttentionRow
from studio.guidance import Guidance, Guided, NoisePoint, Perturbation, Pred, Request, StepCtx, build
from studio.guidance.diagnostics import first_sample, observed
from studio.models.bundle import Conditioning, ModelBundle

CALMER = "Take a lower guidance scale, or fp32 in place of fp16."


@dataclass(frozen=True, eq=False)
class NetworkRow:
    """One row of network work.

    x: [1, C, h, w].
    t: the time fed.
    cond: conditioning of one row.
    stack: edits.
    perturb, model: as in studio.guidance.Request. A weak network has no edits: they were made for the main one.
    attention: what is done where the prompt is attended to, None for nothing.
    """

    x: Tensor
    t: float
    cond: Conditioning
    stack: EditStack = EMPTY
    perturb: Perturbation | None = None
    model: str = "main"
    attention: AttentionRow | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for rows whose output is equal. By identity: comparing values would cost more than it saves."""
        attention = None if self.attention is None else self.attention.key
        return (id(self.x), self.t, id(self.cond), self.stack.id, self.perturb, self.model, attention)


@dataclass(frozen=True, eq=False)
class StepReport:
    """Where one image is: `step` of `steps` done (1 .. steps) for the recipe of this index.

    x0: guided prediction of its data, [1, C, h, w], for previews.
    rows: of network work so far; one asked for twice at once is one.
    diag: what guidance did, by the names of studio.guidance.diagnostics; empty unless it was asked for.
    """

    index: int
    step: int
    steps: int
    x0: Tensor
    rows: int
    diag: Mapping[str, float] = field(default_factory=dict[str, float])


Run = Generator[list[NetworkRow], Sequence[Tensor], Tensor]


class Trajectory:
    """The run of one recipe. Everything that changes lives in `run`'s own frame."""

    def __init__(
        self,
        index: int,
        recipe: Recipe,
        bundle: ModelBundle,
        conditions: Conditions,
        stack: Stack = EMPTY,
        weak: Conditions | None = None,
        diagnose: bool = False,
    ) -> None:
        """stack: the edits of the network's weights; those of the text encoders are in the conditions already.

        weak: the conditions as the weak model encodes them; None where its guidance asks it nothing.
        diagnose: tell with every step what guidance did.
        """
        self.index = index
        self.stack = stack.part(DENOISERS)
        self.recipe = recipe
        self.guidance: Guidance = build(recipe.guidance)
        self.rows = 0
        self._conditions = conditions
        self._weak = weak
        self._diagnose = diagnose
        self._latest: Sequence[Tensor] = ()  # what the network gave last, to name who began should numbers end
        self._kind: Parameterisation = bundle.parameterisation
        self._grid = grid_of(recipe, bundle)
        self._solver = solver_of(recipe)
        self._bundle = bundle

    @cached_property
    def width(self) -> int:
        """Rows of the largest evaluation it takes part in, its own: what the batcher plans with. At least 1."""
        conditions, schedule = self._conditions, self._bundle.schedule
        steps = rows_of(self.guidance, conditions.plan, self._grid, schedule, conditions.length)
        return max(1, *(step.widest for step in steps))

    def start(self) -> Tensor:
        """The noise it begins from, [1, C, h, w]; a tensor of its own at every call."""
        return NoiseSource(self._bundle, self.recipe).start()

    def run(self, start: Tensor, on_step: Callable[[StepReport], None]) -> Run:
        """Yield rows, receive raw outputs, return latents [1, C, h, w] in float32.

        start: as `start` gives it; the same tensor for all that begin alike, so that their first rows are one.
        Raises NonFinite naming the step.
        """
        grid, steps = self._grid, self.recipe.steps
        levels = [NoisePoint(a, s, t) for a, s, t in zip(grid.a, grid.s, (*grid.timesteps, 0.0), strict=True)]
        source = NoiseSource(self._bundle, self.recipe)
        if stochastic := self._solver.needs_noise():
            source.start()  # what is added on the way comes after it in the image's own stream
        x = start
        state, memory, outcome = self._solver.init(), self.guidance.init(x.shape), None
        for i in range(len(grid)):
            ctx = StepCtx(
                i=i,
                n=len(grid),
                at=levels[i],
                at_next=levels[i + 1],
                x=x,
                state=memory,
                negatives=len(self._conditions.plan.shares),
                negative_weights=self._conditions.plan.weights(i),
                prev=outcome,
                peek=lambda x0, x=x, i=i, state=state: self._solver.peek(x, x0, i, grid, state),
                schedule=self._bundle.schedule,
                diagnose=self._diagnose,
            )
            outcome = yield from self._guided(ctx)
            memory = outcome.state
            moved = x if outcome.x is None else outcome.x
            noise = source.more() if stochastic else None
            x, state = self._solver.step(moved, outcome.x0, i, grid, state, noise)
            if not _is_finite(x):
                raise self._not_finite(i + 1, outcome.x0)
            on_step(StepReport(self.index, i + 1, steps, outcome.x0, self.rows, first_sample(outcome.diag)))
        return x

    def _guided(self, ctx: StepCtx) -> Generator[list[NetworkRow], Sequence[Tensor], Guided]:
        """One step of guidance, of as many rounds as it takes; none where it knows the outcome unasked."""
        plan = observed(self.guidance, ctx)
        try:
            requests = next(plan)
            while True:
                answers = (yield from self._ask(requests, ctx)) if requests else {}
                requests = plan.send(answers)
        except StopIteration as end:
            return end.value
        except torch.linalg.LinAlgError:  # a decomposition, as in diffusers' tangential guider, refuses NaN
            raise self._not_finite(ctx.i + 1, torch.full_like(ctx.x, torch.nan)) from None

    def _ask(
        self, requests: list[Request], ctx: StepCtx
    ) -> Generator[list[NetworkRow], Sequence[Tensor], Mapping[str, Pred]]:
        """One round: the rows of all requests together, then a prediction per request under its name."""
        places = [(ctx.x if request.x is None else request.x, request.at or ctx.at) for request in requests]
        parts = [self._conditions_of(request).parts(request.cond, ctx.i) for request in requests]
        rows = [
            NetworkRow(
                x,
                at.t if request.t is None else float(request.t[0]),
                cond,
                self.stack.at(ctx.i) if request.model == "main" else EMPTY,
                request.perturb,
                request.model,
                self._attention(request, cond, ctx.i),
            )
            for request, (x, at), condition_parts in zip(requests, places, parts, strict=True)
            for _, cond in condition_parts
        ]
        # A row asked at a time of its own counts even where that time comes to be the step's.
        shifted = [
            id(request.t) for request, condition_parts in zip(requests, parts, strict=True) for _ in condition_parts
        ]
        self.rows += len({(row.key, is_shifted) for row, is_shifted in zip(rows, shifted, strict=True)})
        self._latest = yield rows
        raws = iter(self._latest)
        answers: dict[str, Pred] = {}
        for request, (x, at), condition_parts in zip(requests, places, parts, strict=True):
            weighted = [(weight, next(raws)) for weight, _ in condition_parts]
            answers[request.name] = Pred(self._kind, _mixed(weighted), x, at)
        return answers

    def _attention(self, request: Request, cond: Conditioning, step: int) -> AttentionRow | None:
        """Guidance in the attention of one row. Conditions are encoded once: what is equal is one object."""
        if request.attention is None:
            return None
        away = moved_away(self._conditions_of(request).parts(request.attention.cond, step), cond)
        return AttentionRow(request.attention, away) if away else None

    def _not_finite(self, step: int, x0: Tensor) -> NonFinite:
        """Name the first that gave no numbers: the network, the guidance or the sampler."""
        names = ", ".join(repr(edit.name) for edit, _ in self.stack.at(step - 1))
        if not all(map(_is_finite, self._latest)):
            culprit = f"the network, with the edits {names}" if names else "the network"
            hint = "Take the edits off, or lower their strengths." if names else CALMER
        elif not _is_finite(x0):
            culprit, hint = f"the guidance method {self.recipe.guidance.method}", "Take a lower guidance scale."
        else:
            culprit, hint = f"the sampler {self.recipe.sampler}", "Take another sampler, or other parameters of it."
        message = f"The latents stopped being numbers at step {step} of {self.recipe.steps}; it began with {culprit}."
        return NonFinite(message, hint)

    def _conditions_of(self, request: Request) -> Conditions:
        if request.model == "main":
            return self._conditions
        assert self._weak is not None, "who builds a trajectory looks at what its guidance asks"
        return self._weak


def _mixed(weighted: list[tuple[float, Tensor]]) -> Tensor:
    """Raw outputs by weight; a single one of weight 1 is itself, to the bit."""
    (weight, first), *rest = weighted
    mixed = first if weight == 1 else weight * first
    for weight, raw in rest:
        mixed = mixed + weight * raw
    return mixed


def grid_of(recipe: Recipe, bundle: ModelBundle) -> Grid:
    """The noise levels a recipe visits. Raises NotFound."""
    if recipe.spacing == "auto":
        return bundle.grid(recipe.steps)
    return make_grid(recipe.spacing, bundle.schedule, recipe.steps)


def solver_of(recipe: Recipe) -> Solver:
    """The sampler a recipe names. Raises NotFound, BadInput."""
    return build_solver(recipe.sampler, recipe.sampler_params)


def _is_finite(x: Tensor) -> bool:
    """Whether everything in x is a number."""
    # A sum is NaN or infinite if any term is; one reduction instead of a mask and a reduction.
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())
