"""Where a training's noisy latents come from: the base's own ways from noise to picture, or stored pictures.

Either is made once, and kept beside the checkpoint.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.schedule import NoiseSchedule, Schedule
from studio.engine.conditions import Conditions
from studio.engine.resident import encoder_of
from studio.engine.trajectory import NetworkRow, Trajectory
from studio.models.bundle import Conditioning, ModelBundle
from studio.training.lora.plan import PicturesPlan, Ways

MAX_ROWS = 32  # of one evaluation, as where pictures are drawn


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of states.

    x: [B, C, h, w].
    t: [B].
    noise: [B, C, h, w], where it is known what was put on data.
    """

    x: Tensor
    t: Tensor
    noise: Tensor | None = None


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
    """Stored pictures with noise on them.

    x0: [P, C, h, w] float32 on the CPU.
    plan: which row has which of them.
    schedule: of the model; its times are drawn evenly, whole numbers between the plan's first and last.
    """

    x0: Tensor
    plan: PicturesPlan
    schedule: Schedule

    def draw(self, rows: Tensor, generator: torch.Generator) -> Drawn:
        """A picture of each of these rows, [B], at a time and with noise of its own."""
        last = self.schedule.num_train_timesteps - isinstance(self.schedule, NoiseSchedule)
        low, high = (round(share * last) for share in (self.plan.first, self.plan.last))
        low = max(low, 0 if isinstance(self.schedule, NoiseSchedule) else 1)  # a flow has no noise at all at 0
        t = torch.randint(low, max(low, high) + 1, rows.shape, generator=generator)
        choice = torch.rand(rows.shape, generator=generator)
        order = {image: number for number, image in enumerate(images_of(self.plan))}
        row_images = [self.plan.images[row] for row in rows.tolist()]
        at = [order[names[int(share * len(names))]] for names, share in zip(row_images, choice.tolist(), strict=True)]
        x0 = self.x0[at]
        noise = torch.randn(x0.shape, generator=generator)
        a, s = (part.float().view(-1, 1, 1, 1) for part in self.schedule.at(t.double()))
        return Drawn(a * x0 + s * noise, t, noise)


def images_of(plan: PicturesPlan) -> list[str]:
    """Every picture once, in the order of the rows."""
    return list(dict.fromkeys(image for row in plan.images for image in row))


def encode(plan: PicturesPlan, paths: Mapping[str, str], bundle: ModelBundle) -> Generator[None, None, Tensor]:
    """Encode a plan's pictures, [P, C, h, w]. Yields after each. paths: sha256 -> file.

    Raises AssetError for a picture that is gone or damaged, BadInput for one of another size than the first.
    """
    encoded: list[Tensor] = []
    for image in images_of(plan):
        pixels = _pixels(paths.get(image), image)
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


def _pixels(path: str | None, image: str) -> Tensor:
    """[1, 3, H, W] in 0..1."""
    try:
        with Image.open(Path(path or "")) as opened:
            array = np.asarray(opened.convert("RGB"), dtype=np.float32)
    except (OSError, SyntaxError, ValueError):
        raise AssetError(f"The picture {image[:12]} of this training is gone or damaged.", "Take others.") from None
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
) -> Generator[None, None, Bank]:
    """Walk the base's ways under these prompts, `ways.ways` seeds from `seed` on for each.

    size: (height, width) in pixels; () is the model's own. Yields after every evaluation of the network.
    """
    height, width = size or (bundle.default_size_px, bundle.default_size_px)
    rows_x: list[Tensor] = []
    rows_t: list[Tensor] = []
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
                try:  # all ways are of one length, and end together
                    requests = [run.send(answer) for run, answer in zip(runs, answered, strict=True)]
                except StopIteration:
                    break
            yield
        rows_x.append(torch.cat([x for x, _ in states]).cpu().clone())
        rows_t.append(torch.tensor([t for _, t in states]))
        yield
    with torch.inference_mode(False):  # what was made in inference mode could not be learned from
        return Bank(torch.stack(rows_x).clone(), torch.stack(rows_t))
