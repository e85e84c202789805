"""The one denoising loop: recipes and a model in, pictures out.

Each image has its own generator on the CPU, seeded with the recipe's seed, and its noise is drawn alone as
[1, C, h, w] in float32. So seed 7 is the same picture alone or in a batch, on any device, and in a plain
StableDiffusionPipeline given `generator=torch.Generator().manual_seed(7)`. torch takes all seeds of 0 .. 2**64-1, but
its CPU generator (mt19937) is seeded with the lower 32 bits alone: seeds equal modulo 2**32 give the same picture,
here as in diffusers.

A recipe that is `isolated` runs alone, in batches of one fixed shape, and gives the same bits in any company.
Those that are `shared` run together where they differ only in prompt and seed; equal to rounding (1/255).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.core.errors import Cancelled, NonFinite
from studio.core.recipe import Recipe
from studio.diffusion.grid import GRIDS
from studio.diffusion.solvers import SOLVERS
from studio.guidance import Guidance, NoisePoint, Pred, Request, StepCtx, build, run_plan
from studio.models.bundle import ModelBundle

Picture = npt.NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True, eq=False)
class StepReport:
    """Where the loop is: `step` of `steps` done (1 .. steps) for the recipes with these indices.

    x0: guided prediction of their data, [B, C, h, w], for previews.
    """

    indices: tuple[int, ...]
    step: int
    steps: int
    x0: Tensor


def sample(
    bundle: ModelBundle,
    recipes: Sequence[Recipe],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = lambda: False,
    max_rows: int = 32,
) -> Iterator[tuple[int, Picture]]:
    """Make the pictures; yield (index of the recipe, picture) as each is finished.

    max_rows: most rows of one network evaluation, for shared batches.
    Raises Cancelled within one step of `should_stop` giving True, NonFinite naming the step, BadInput or NotFound for
    guidance the recipe gets wrong. Pictures already yielded are whole.
    """
    for indices in batches(recipes, max_rows):
        group = [recipes[index] for index in indices]
        latents = denoise(bundle, group, indices, on_step, should_stop)
        for row, index in enumerate(indices):  # one at a time: the decoder's batch shape is fixed too
            yield index, decode(bundle, latents[row : row + 1], recipes[index].steps)


def batches(recipes: Sequence[Recipe], max_rows: int) -> list[tuple[int, ...]]:
    """Group the indices of recipes into batches, in the order of their first members."""
    groups: dict[object, list[int]] = {}
    for index, recipe in enumerate(recipes):
        if recipe.batching == "isolated":
            key: object = index
        else:
            alike = recipe.model_copy(update={"prompt": "", "negative_prompt": "", "seed": 0})
            key = (alike, bool(recipe.negative_prompt))
        groups.setdefault(key, []).append(index)
    found: list[tuple[int, ...]] = []
    for members in groups.values():
        most = max(1, max_rows // build(recipes[members[0]].guidance).nfe())
        found += [tuple(members[i : i + most]) for i in range(0, len(members), most)]
    return found


@torch.inference_mode()
def denoise(
    bundle: ModelBundle,
    group: Sequence[Recipe],
    indices: tuple[int, ...],
    on_step: Callable[[StepReport], None],
    should_stop: Callable[[], bool],
) -> Tensor:
    """Run the loop for recipes that differ only in prompt and seed; give their latents [B, C, h, w], float32."""
    if should_stop():
        raise Cancelled("The job was stopped.")
    recipe = group[0]
    guidance = build(recipe.guidance)
    solver = SOLVERS.get(recipe.sampler)()
    grid = GRIDS.get(bundle.spacing)(bundle.schedule, recipe.steps)
    levels = [NoisePoint(a, s, t) for a, s, t in zip(grid.a, grid.s, (*grid.timesteps, 0.0), strict=True)]
    answerer = _Answerer(bundle, group, guidance)
    x = initial_noise(bundle, group)  # [B, C, h, w]
    state, memory, outcome = solver.init(), guidance.init(x.shape), None
    for i in range(len(grid)):
        ctx = StepCtx(
            i=i,
            n=len(grid),
            at=levels[i],
            at_next=levels[i + 1],
            x=x,
            state=memory,
            negatives=int(bool(recipe.negative_prompt)),
            prev=outcome,
            peek=lambda x0, x=x, i=i, state=state: solver.peek(x, x0, i, grid, state),
        )
        outcome = run_plan(guidance.plan(ctx), lambda asked, ctx=ctx: answerer(asked, ctx))
        memory = outcome.state
        x, state = solver.step(x if outcome.x is None else outcome.x, outcome.x0, i, grid, state)
        _check_finite(x, i + 1, recipe.steps)
        on_step(StepReport(indices, i + 1, recipe.steps, outcome.x0))
        if should_stop():
            raise Cancelled("The job was stopped.")
    return x


def initial_noise(bundle: ModelBundle, group: Sequence[Recipe]) -> Tensor:
    """Draw each recipe's noise from its own seed: [B, C, h, w], float32 on the model's device."""
    scale = bundle.latent_scale_px
    rows = []
    for recipe in group:
        generator = torch.Generator(device="cpu").manual_seed(recipe.seed)
        shape = (1, bundle.latent_channels, recipe.height // scale, recipe.width // scale)
        rows.append(torch.randn(shape, generator=generator, dtype=torch.float32))
    return torch.cat(rows).to(bundle.device)


@torch.inference_mode()
def decode(bundle: ModelBundle, latents: Tensor, steps: int) -> Picture:
    """Decode one image, [1, C, h, w]. Raises NonFinite if the decoder gives anything but numbers."""
    decoded = bundle.decode(latents)[0]  # [3, H, W]
    if not bool(torch.isfinite(decoded).all()):
        raise NonFinite(f"The decoder gave values that are not numbers after step {steps}.", _CALMER)
    return decoded.permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu().numpy()


_CALMER = "Take a lower guidance scale, or fp32 in place of fp16."


def _check_finite(x: Tensor, step: int, steps: int) -> None:
    # A sum is NaN or infinite if any term is; one reduction instead of a mask and a reduction.
    if not bool(torch.isfinite(x.sum())) and not bool(torch.isfinite(x).all()):
        raise NonFinite(f"The latents stopped being numbers at step {step} of {steps}.", _CALMER)


class _Answerer:
    """Answers the requests of one batch: one evaluation of the network for all those at the same place."""

    def __init__(self, bundle: ModelBundle, group: Sequence[Recipe], guidance: Guidance) -> None:
        self._bundle = bundle
        self._guidance = guidance
        self._prompts: dict[str, list[str]] = {
            "pos": [recipe.prompt for recipe in group],
            "empty": [""] * len(group),
            "neg/0": [recipe.negative_prompt for recipe in group],
        }
        self._stacked: dict[tuple[str, ...], Tensor] = {}

    def __call__(self, asked: list[Request], ctx: StepCtx) -> Mapping[str, Pred]:
        """Give a prediction per request, under its name. All requests of a round go into one evaluation."""
        for request in asked:
            if request.perturb is not None or request.model != "main":
                raise NotImplementedError(f"no such prediction yet: {request}")
        conds = tuple(request.cond for request in asked)
        if conds not in self._stacked:
            self._stacked[conds] = self._bundle.encode([prompt for cond in conds for prompt in self._prompts[cond]])
        places = [(ctx.x if request.x is None else request.x, request.at or ctx.at) for request in asked]
        rows = len(ctx.x)
        x = torch.cat([x for x, _ in places]) if len(places) > 1 else places[0][0]
        t = torch.tensor([at.t for _, at in places for _ in range(rows)], device=x.device)  # [len(asked) * B]
        raws = self._bundle.predict(x, t, self._stacked[conds]).chunk(len(asked))
        kind = self._bundle.parameterisation
        return {
            request.name: Pred(kind, raw, at_x, at)
            for request, raw, (at_x, at) in zip(asked, raws, places, strict=True)
        }
