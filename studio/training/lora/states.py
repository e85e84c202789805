"""Where a training's noisy latents come from: the base's own ways from noise to picture, or stored pictures.

Either is made once, and kept beside the checkpoint.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.schedule import NoiseSchedule, Schedule
from studio.engine.conditions import Conditions
from studio.engine.latents import read_latents
from studio.engine.resident import encoder_of
from studio.engine.trajectory import NetworkRow, Run, Trajectory
from studio.models.bundle import Conditioning, ModelBundle
from studio.storage.picture_pixels import read_pixels
from studio.training.lora.plan import PicturesPlan, Ways

MAX_ROWS = 32  # of one evaluation, as where pictures are drawn


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of states.

    x: [B, C, h, w].
    t: [B].
    noise: [B, C, h, w], where it is known what was put on data.
    beside: x of further states, by name.
    """

    x: Tensor
    t: Tensor
    noise: Tensor | None = None
    beside: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


class States(Protocol):
    """What a training learns at."""

    def draw(self, rows: Tensor, generator: torch.Generator) -> Drawn:
        """A state for each of these rows of the prompts, [B]."""
        ...


@dataclass(frozen=True, eq=False)
class Bank:
    """States on the way from noise to pictures.

    x: [R, N, C, h, w] float32 on the CPU, N states for each of the R rows of the prompts.
    t: [R, N], their times.
    """

    x: Tensor
    t: Tensor

    def draw(self, rows: Tensor, generator: torch.Generator) -> Drawn:
        """A place of a way for each of these rows, [B]."""
        at = torch.randint(self.x.shape[1], rows.shape, generator=generator)
        return Drawn(self.x[rows, at], self.t[rows, at])


@dataclass(frozen=True, eq=False)
class Renoised:
    """Data with noise on it.

    x0: [P, C, h, w] float32 on the CPU.
    of_rows: for each row of the prompts, which of them it has.
    schedule: of the model; its times are drawn evenly, whole numbers between `first` and `last`.
    first, last: as shares of the schedule's time.
    partners: of further states, for each row the partners of what it has.
    """

    x0: Tensor
    of_rows: Sequence[Sequence[int]]
    schedule: Schedule
    first: float = 0.0
    last: float = 1.0
    partners: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict[str, Sequence[Sequence[int]]])

    def draw(self, rows: Tensor, generator: torch.Generator) -> Drawn:
        """One of each of these rows', [B], at a time and with noise of its own, which its partners share."""
        final = self.schedule.num_train_timesteps - isinstance(self.schedule, NoiseSchedule)
        low, high = (round(share * final) for share in (self.first, self.last))
        low = max(low, 0 if isinstance(self.schedule, NoiseSchedule) else 1)  # a flow has no noise at all at 0
        t = torch.randint(low, max(low, high) + 1, rows.shape, generator=generator)
        shares = torch.rand(rows.shape, generator=generator).tolist()
        places = [(row, int(share * len(self.of_rows[row]))) for row, share in zip(rows.tolist(), shares, strict=True)]
        noise = torch.randn((len(places), *self.x0.shape[1:]), generator=generator)
        a, s = (part.float().view(-1, 1, 1, 1) for part in self.schedule.at(t.double()))

        def noised(sides: Sequence[Sequence[int]]) -> Tensor:
            return a * self.x0[[sides[row][place] for row, place in places]] + s * noise

        return Drawn(noised(self.of_rows), t, noise, {name: noised(sides) for name, sides in self.partners.items()})


def renoised_pictures(x0: Tensor, plan: PicturesPlan, schedule: Schedule) -> Renoised:
    """A plan's pictures as states. x0: as `encode` gives them."""
    order = {image: number for number, image in enumerate(plan.names)}

    def numbers(rows: Sequence[Sequence[str]]) -> list[list[int]]:
        return [[order[image] for image in row] for row in rows]

    partners = {name: numbers(rows) for name, rows in plan.partners.items()}
    return Renoised(x0, numbers(plan.images), schedule, plan.first, plan.last, partners)


def renoised_ends(ends: Tensor, schedule: Schedule) -> Renoised:
    """Where the base's ways ended as states. ends: as `walk` gives them."""
    rows, ways = ends.shape[:2]
    return Renoised(ends.flatten(0, 1), [range(row * ways, (row + 1) * ways) for row in range(rows)], schedule)


def encode(
    plan: PicturesPlan, paths: Mapping[str, str], bundle: ModelBundle, latents_paths: Mapping[str, str] | None = None
) -> Generator[None, None, Tensor]:
    """Encode a plan's pictures, [P, C, h, w]. Yields after each. paths: sha256 -> file.

    latents_paths: likewise those of final latents, where they were kept: what a picture was decoded from is nearer to
    what the network knows than what it is encoded to.

    Raises AssetError for a picture that is gone or damaged, BadInput for one of another size than the first.
    """
    encoded: list[Tensor] = []
    for image in plan.names:
        latents = _kept_latents((latents_paths or {}).get(image), bundle)
        pixels = _pixels(paths.get(image), image)
        if latents is None:
            with torch.inference_mode():
                latents = bundle.encode_pictures(pixels.to(bundle.device)).float().cpu()
        if encoded and latents.shape != encoded[0].shape:
            height, width = pixels.shape[2:]
            raise BadInput(
                f"The picture {image[:12]} is {width} x {height} pixels, and the first of this training another size.",
                "Train on pictures of one size.",
                field="pictures",
            )
        encoded.append(latents)
        yield
    return torch.cat([latents.clone() for latents in encoded])


def _kept_latents(path: str | None, bundle: ModelBundle) -> Tensor | None:
    """[1, C, h, w] float32; None where there are none that can be read."""
    if path is None:
        return None
    try:
        latents = torch.from_numpy(read_latents(Path(path).read_bytes()).astype(np.float32))[None]
    except (OSError, ValueError):
        return None
    return latents if latents.shape[1] == bundle.latent_channels else None


def _pixels(path: str | None, image: str) -> Tensor:
    """[1, 3, H, W] in 0..1, as people saw it: turned as its EXIF says."""
    try:
        pixels, _ = read_pixels(Path(path or ""), f"The picture {image[:12]}")
    except BadInput:
        raise AssetError(f"The picture {image[:12]} of this training is gone or damaged.", "Take others.") from None
    array = np.asarray(pixels.image, dtype=np.float32)
    return torch.from_numpy(array).permute(2, 0, 1)[None] / 255


def _predicted(bundle: ModelBundle, rows: Sequence[NetworkRow]) -> Sequence[Tensor]:
    """Raw outputs, each [1, C, h, w]."""
    raw = bundle.predict(
        torch.cat([row.x for row in rows]),
        torch.tensor([row.t for row in rows], device=bundle.device),
        Conditioning.cat([row.cond for row in rows], bundle.empty_chunk.tokens),
    )
    return raw.float().split(1)


def walk(
    ways: Ways, prompts: Sequence[str], bundle: ModelBundle, model: str, seed: int, size: tuple[int, ...] = ()
) -> Generator[None, None, tuple[Bank, Tensor]]:
    """Walk the base's ways under these prompts, `ways.ways` seeds from `seed` on for each.

    Gives their places, and where they ended, [R, ways, C, h, w]. size: (height, width) in pixels; () is the model's
    own. Yields after every evaluation of the network.
    """
    height, width = size or (bundle.default_size_px, bundle.default_size_px)
    rows_x: list[Tensor] = []
    rows_t: list[Tensor] = []
    ends: list[Tensor] = []
    for number, prompt in enumerate(prompts):
        recipes = [
            Recipe(
                model=model,
                prompt=prompt,
                syntax="plain",
                seed=(seed + number * ways.ways + way) % 2**64,
                steps=ways.steps,
                width=width,
                height=height,
                sampler="ddim",
                guidance=GuidanceSpec(method="cfg", params={"guidance_scale": ways.guidance_scale}),
            )
            for way in range(ways.ways)
        ]
        states: list[tuple[Tensor, float]] = []
        with torch.inference_mode():
            trajectories = [
                Trajectory(index, recipe, bundle, Conditions.of(recipe, encoder_of(bundle)))
                for index, recipe in enumerate(recipes)
            ]
            runs = [trajectory.run(trajectory.start(), lambda report: None) for trajectory in trajectories]
            requests = [next(run) for run in runs]
        while True:
            with torch.inference_mode():
                states += [(rows[0].x, rows[0].t) for rows in requests]
                flat = [row for rows in requests for row in rows]
                blocks = [flat[at : at + MAX_ROWS] for at in range(0, len(flat), MAX_ROWS)]
                answers = iter([row for block in blocks for row in _predicted(bundle, block)])
                answered = [[next(answers) for _ in rows] for rows in requests]
                requests, row_ends = _sent(runs, answered)
            if row_ends:
                break
            yield
        ends.append(torch.cat(row_ends).float().cpu().clone())
        rows_x.append(torch.cat([x for x, _ in states]).cpu().clone())
        rows_t.append(torch.tensor([t for _, t in states]))
        yield
    with torch.inference_mode(False):  # what was made in inference mode could not be learned from
        return Bank(torch.stack(rows_x).clone(), torch.stack(rows_t)), torch.stack(ends).clone()


def _sent(runs: Sequence[Run], answers: Sequence[Sequence[Tensor]]) -> tuple[list[list[NetworkRow]], list[Tensor]]:
    """What the ways ask next, or, all of them being of one length, where they all ended, each [1, C, h, w]."""
    requests: list[list[NetworkRow]] = []
    ends: list[Tensor] = []
    for run, answer in zip(runs, answers, strict=True):
        try:
            requests.append(run.send(answer))
        except StopIteration as end:
            ends.append(end.value)
    return requests, ends
