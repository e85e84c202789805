"""The one denoising loop: orders and a model in, pictures out.

A recipe that is `isolated` runs alone, in evaluations of one fixed shape, and gives the same bits in any company.
Those that are `shared` run together, whatever they differ in; equal to rounding (1/255).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.core.errors import NonFinite
from studio.core.recipe import Recipe
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.kinds import going_on, heed
from studio.engine.order import Order, SampleOptions
from studio.engine.resident import encoder_of, room_of
from studio.engine.trajectory import CALMER, StepReport, Trajectory
from studio.engine.weak import asks_weak, no_weak
from studio.models.bundle import ModelBundle

Picture = npt.NDArray[np.uint8]  # [H, W, 3]
PLAIN = SampleOptions()

__all__ = [
    "Picture",
    "StepReport",
    "decode",
    "finished_in_turns",
    "latents_in_turns",
    "sample",
    "sample_in_turns",
    "sample_latents",
]


def sample(
    bundle: ModelBundle,
    orders: Sequence[Order],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = going_on,
    options: SampleOptions = PLAIN,
) -> Iterator[tuple[int, Picture]]:
    """Make the pictures; yield (index of the order, picture) as each is finished.

    Raises Cancelled within one step of `should_stop` giving True, NonFinite naming the step, BadInput or NotFound for
    guidance or a sampler the recipe gets wrong. Pictures already yielded are whole.
    """
    turns = sample_in_turns(bundle, orders, on_step, should_stop, options)
    yield from (finished for finished in turns if finished is not None)


def sample_in_turns(
    bundle: ModelBundle,
    orders: Sequence[Order],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = going_on,
    options: SampleOptions = PLAIN,
) -> Iterator[tuple[int, Picture] | None]:
    """As `sample`; and None after every evaluation of the network, where something more urgent may be done."""
    for finished in finished_in_turns(bundle, orders, on_step, should_stop, options):
        yield None if finished is None else finished[:2]


def finished_in_turns(
    bundle: ModelBundle,
    orders: Sequence[Order],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = going_on,
    options: SampleOptions = PLAIN,
) -> Iterator[tuple[int, Picture, Tensor] | None]:
    """As `sample_in_turns`, with the latents that the picture was decoded from, [1, C, h, w] in float32."""
    for finished in latents_in_turns(bundle, orders, on_step, should_stop, options):
        if finished is None:
            yield None
        else:
            index, latents = finished
            heed(should_stop)  # many may be done with the same step, and each takes the decoder a while
            # One at a time: the decoder's batch shape is fixed too.
            yield index, decode(bundle, latents, orders[index].recipe.steps), latents


def sample_latents(
    bundle: ModelBundle,
    orders: Sequence[Order],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = going_on,
    options: SampleOptions = PLAIN,
) -> Iterator[tuple[int, Tensor]]:
    """As `sample`, before the decoder: latents [1, C, h, w], float32."""
    turns = latents_in_turns(bundle, orders, on_step, should_stop, options)
    yield from (finished for finished in turns if finished is not None)


def latents_in_turns(
    bundle: ModelBundle,
    orders: Sequence[Order],
    on_step: Callable[[StepReport], None] = lambda report: None,
    should_stop: Callable[[], bool] = going_on,
    options: SampleOptions = PLAIN,
) -> Iterator[tuple[int, Tensor] | None]:
    """As `sample_latents`; and None after every evaluation of the network."""
    for indices in companies([order.recipe for order in orders]):
        heed(should_stop)
        trajectories = [_trajectory(index, orders[index], bundle, should_stop, options) for index in indices]
        runs = Batcher(bundle, room_of(bundle), options.max_rows, options.weak).run(trajectories, on_step, should_stop)
        while (finished := _next(runs)) != ():
            yield finished or None


def _trajectory(
    index: int, order: Order, bundle: ModelBundle, should_stop: Callable[[], bool], options: SampleOptions
) -> Trajectory:
    recipe, weak = order.recipe, options.weak
    encoder = options.encoder or encoder_of(bundle)
    conditions, faint = Conditions.of(recipe, encoder, order.stack, should_stop), None
    if asks_weak(recipe):
        if weak is None:
            raise no_weak(bundle.name, recipe.guidance)
        faint = Conditions.of(recipe, encoder_of(weak), should_stop=should_stop)
    return Trajectory(index, recipe, bundle, conditions, order.stack, faint, options.diagnose)


@torch.inference_mode()
def _next(runs: Iterator[tuple[int, Tensor] | None]) -> tuple[int, Tensor] | tuple[()] | None:
    """The next finished image, None after a round without one, () at the end.

    Inference mode is entered for each and never held while the caller has control.
    """
    return next(runs, ())


def companies(recipes: Sequence[Recipe]) -> list[tuple[int, ...]]:
    """Which recipes run together, by index, in the order of their first members."""
    shared = tuple(index for index, recipe in enumerate(recipes) if recipe.batching == "shared")
    alone = [(index,) for index, recipe in enumerate(recipes) if recipe.batching == "isolated"]
    return sorted([*alone, shared] if shared else alone)


@torch.inference_mode()
def decode(bundle: ModelBundle, latents: Tensor, steps: int) -> Picture:
    """Decode one image, [1, C, h, w]. Raises NonFinite if the decoder gives anything but numbers."""
    decoded = bundle.decode(latents)[0]  # [3, H, W]
    if not bool(torch.isfinite(decoded).all()):
        raise NonFinite(f"The decoder gave values that are not numbers after step {steps}.", CALMER)
    return decoded.permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu().numpy()
