"""Models under edits, asked at the same noisy states: pictures of one, both predictions, and what lies between.

Pictures of equal number have equal seeds, noise levels and noise, whichever model draws them and whichever is asked:
what differs is the models' own (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.core.errors import BadInput, NonFinite
from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.parameterisation import to_eps
from studio.diffusion.schedule import NoiseSchedule
from studio.engine.conditions import Conditions
from studio.engine.edits.stack import EditStack
from studio.engine.order import Order, SampleOptions
from studio.engine.resident import encoder_of, room_of
from studio.engine.sampler import latents_in_turns
from studio.metrics.divergence import log_snr, nats, stratified
from studio.models.bundle import Conditioning, ModelBundle
from studio.training.drift.request import Request
from studio.training.drift.rows import Measured

ROWS = 32  # of one evaluation, as where pictures are drawn
FLOW_EDGE = 0.02  # of a flow's times, at both ends


@dataclass(frozen=True, eq=False)
class Resident:
    """A side that can be asked.

    name: of its model, in a recipe.
    rows: most of one evaluation.
    """

    name: str
    bundle: ModelBundle
    stack: EditStack
    rows: int = ROWS

    def conditions(self, recipes: Sequence[Recipe]) -> Generator[None, None, list[Conditioning]]:
        """The prompt of each recipe as its text encoder has it under its edits. Yields after each."""
        conditions: list[Conditioning] = []
        for recipe in recipes:
            encoded = Conditions.of(recipe, encoder_of(self.bundle), self.stack)
            conditions.append(encoded.parts("pos", 0)[0][1])
            yield
        return conditions

    def eps(self, x: Tensor, t: Tensor, conditions: Sequence[Conditioning]) -> Tensor:
        """The noise it predicts, [B, ...] float32 on the CPU. One evaluation of the network."""
        bundle = self.bundle
        room_of(bundle).use(self.stack)
        with torch.inference_mode():
            cond = Conditioning.cat(conditions, bundle.empty_chunk.tokens)
            x, t = x.to(bundle.device), t.to(bundle.device)
            raw = bundle.predict(x, t, cond)
            a, s = (part.float().view(-1, 1, 1, 1) for part in bundle.schedule.at(t.double()))
            eps = to_eps(bundle.parameterisation, raw, x, a, s).cpu()
        if not bool(torch.isfinite(eps).all()):
            names = ", ".join(repr(edit.name) for edit, _ in self.stack) or "no edits"
            raise NonFinite(
                f"{self.name} with {names} predicts what is no number.", "Lower the strength, or take fp32."
            )
        return eps


def check_comparable(p: Resident, q: Resident) -> None:
    """Raise BadInput for models whose latents or noise schedules differ: no divergence is defined between them."""
    first, second = p.bundle, q.bundle
    alike = (
        first.latent_channels == second.latent_channels
        and first.latent_scale_px == second.latent_scale_px
        and type(first.schedule) is type(second.schedule)
        and (
            not isinstance(first.schedule, NoiseSchedule)
            or torch.equal(first.schedule.alphas_cumprod, second.schedule.alphas_cumprod)
        )
    )
    if not alike:
        raise BadInput(
            f"{p.name} and {q.name} have other latents or other noise: how far apart they are cannot be said.",
            "Compare models of one family.",
            field="model",
        )


@dataclass(frozen=True, eq=False)
class Group:
    """Divergences over the same pictures.

    p: who draws them.
    others: who is held against it, by the name of each.
    prompts: of each picture.
    """

    p: Resident
    others: dict[str, Resident]
    prompts: tuple[str, ...]

    def measure(self, request: Request) -> Generator[None, None, dict[str, Measured]]:
        """Each other's divergence. Yields after every evaluation of the network. Raises what drawing does."""
        recipes = _recipes(self.p, self.prompts, request)
        x0 = yield from _draw(self.p, recipes)
        t, widths = _times(self.p.bundle, request)
        noise = torch.stack([_noise(request.seed + number, request.levels, x0.shape[1:]) for number in range(len(x0))])
        flat_t, flat_widths = t.flatten(), widths.flatten()
        conditions: dict[str, list[Conditioning]] = {}
        for name, side in {"": self.p, **self.others}.items():
            conditions[name] = yield from side.conditions(recipes)
        sums = {name: torch.zeros(len(x0), dtype=torch.float64) for name in self.others}
        block = min(side.rows for side in (self.p, *self.others.values()))
        for first in range(0, len(flat_t), block):
            rows = torch.arange(first, min(first + block, len(flat_t)))
            pictures = rows // request.levels
            a, s = (part.float().view(-1, 1, 1, 1) for part in self.p.bundle.schedule.at(flat_t[rows].double()))
            x = a * x0[pictures] + s * noise.flatten(0, 1)[rows]
            prompt_conditions = {
                name: [conditions[name][picture] for picture in pictures.tolist()] for name in conditions
            }
            eps = self.p.eps(x, flat_t[rows], prompt_conditions[""])
            yield
            for name, side in self.others.items():
                gaps = nats(
                    eps.double(), side.eps(x, flat_t[rows], prompt_conditions[name]).double(), flat_widths[rows]
                )
                sums[name].index_add_(0, pictures, gaps)
                yield
        return {name: Measured(tuple(values.tolist()), x0[0].numel()) for name, values in sums.items()}


def _recipes(side: Resident, prompts: Sequence[str], request: Request) -> list[Recipe]:
    px = side.bundle.default_size_px
    return [
        Recipe(
            model=side.name,
            prompt=prompt,
            syntax="plain",
            seed=request.seed + number,
            steps=request.steps,
            width=px,
            height=px,
            sampler=request.sampler,
            guidance=GuidanceSpec(method="cfg", params={"guidance_scale": 1.0}),
            batching="shared",
        )
        for number, prompt in enumerate(prompts)
    ]


def _draw(side: Resident, recipes: Sequence[Recipe]) -> Generator[None, None, Tensor]:
    """What a side draws without guidance, [n, C, h, w] float32 on the CPU."""
    orders = [Order(recipe, side.stack) for recipe in recipes]
    latents: dict[int, Tensor] = {}
    for finished in latents_in_turns(side.bundle, orders, options=SampleOptions(max_rows=side.rows)):
        if finished is None:
            yield
        else:
            latents[finished[0]] = finished[1].float().cpu().clone()
    return torch.cat([latents[number] for number in range(len(recipes))])


def _noise(seed: int, levels: int, shape: torch.Size) -> Tensor:
    """Of one picture, at each of its levels; no draw of the picture's own generator."""
    return torch.randn(levels, *shape, generator=torch.Generator().manual_seed(2**40 + seed))


def _times(bundle: ModelBundle, request: Request) -> tuple[Tensor, Tensor]:
    """Times [pictures, levels], stratified in log-SNR, and what of it each stands for.

    Of a table of times the nearest one that the network was trained at: on average that is the sum over all of them,
    each with half the way to its neighbours.
    """
    schedule = bundle.schedule
    generator = torch.Generator().manual_seed(request.seed)
    if isinstance(schedule, NoiseSchedule):
        table = log_snr(*schedule.at(torch.arange(schedule.num_train_timesteps).double()))  # falling
        levels, widths = _levels(float(table[-1]), float(table[0]), request, generator)
        middles = (table[:-1] + table[1:]) / 2
        return torch.searchsorted(-middles, -levels).float(), widths  # how many middles lie above
    edge = 2 * math.log((1 - FLOW_EDGE) / FLOW_EDGE)
    levels, widths = _levels(-edge, edge, request, generator)
    return torch.sigmoid(-levels / 2).mul(schedule.num_train_timesteps).float(), widths


def _levels(low: float, high: float, request: Request, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    levels = stratified(low, high, request.pictures, request.levels, generator)
    return levels, torch.full_like(levels, (high - low) / request.levels)
