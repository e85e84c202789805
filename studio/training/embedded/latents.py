"""Scenes as the denoiser sees them: latents, several captions each, and where the objects are.

Written once to memory-mapped files, in shards, so that more scenes can be added while a training runs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL

from studio.training.embedded.autoencoder import encode, to_tensor
from studio.training.embedded.data import render_all, scene_at
from studio.training.embedded.text import Codec, labels
from studio.world.caption import caption
from studio.world.phrasing import phrase
from studio.world.render import mask
from studio.world.scene import COLOUR_NAMES, OBJECTS, Scene

CAPTIONS = 8  # sentences of a scene, half by the grammar of captions and half as people ask
GRID = 16
SHARD = 5_000
FIELDS = ("latents", "ids", "objects", "colours", "labels")


@torch.no_grad()
def standardise(vae: Any, pictures: npt.NDArray[np.uint8]) -> None:
    """Fold a per-channel shift and scale into the autoencoder's 1 x 1 convolutions, in place.

    Afterwards every latent channel has mean 0 and standard deviation 1 over `pictures`, reconstructions are the same,
    and `scaling_factor` is 1.
    """
    means = torch.cat([encode(vae, to_tensor(b, "cpu")) for b in np.array_split(pictures, 16)])
    mean, std = means.mean((0, 2, 3)), means.std((0, 2, 3))
    channels = len(mean)
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:channels] /= std[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) / std
    quant.bias[channels:] -= 2 * std.log()
    post.bias += post.weight[..., 0, 0] @ mean
    post.weight *= std[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0)


def _cells(scene: Scene) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Which object and colour covers each of the 16 x 16 latent cells; the last class is background."""
    objects = np.full((GRID, GRID), len(OBJECTS), dtype=np.uint8)
    colours = np.full((GRID, GRID), len(COLOUR_NAMES), dtype=np.uint8)
    for thing in scene.things:
        inside = mask(thing, 64).reshape(GRID, 4, GRID, 4).mean((1, 3)) > 0.3
        objects[inside], colours[inside] = OBJECTS.index(thing.object), COLOUR_NAMES.index(thing.colour)
    return objects, colours


def sentences(scene: Scene, rng: np.random.Generator, codec: Codec) -> list[str]:
    """CAPTIONS sentences true of a scene, each of them within the text encoder's length."""
    captions = [caption(scene, rng) for _ in range(CAPTIONS)]
    if scene.things:
        for i in range(CAPTIONS // 2):
            prompt = phrase(scene, rng)
            if codec.fits(prompt):
                captions[i] = prompt
    return captions


@torch.no_grad()
def _encode(vae: AutoencoderKL, pictures: npt.NDArray[np.uint8], device: str) -> npt.NDArray[np.float16]:
    rows = []
    for block in np.array_split(pictures, max(1, len(pictures) // 32)):
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            rows.append(encode(vae, to_tensor(block, device)).float().cpu().numpy())
    return np.concatenate(rows).astype(np.float16)


def write_shard(
    folder: Path,
    number: int,
    vae: AutoencoderKL,
    codec: Codec,
    device: str = "cpu",
    size: int = SHARD,
    two: float = 0.35,
    workers: int | None = None,
) -> None:
    """Render, encode and caption scenes number*size ... (number+1)*size - 1; whole or not at all."""
    target = folder / f"shard_{number:04d}"
    if target.exists():
        return
    scenes = [scene_at(i, two=two) for i in range(number * size, (number + 1) * size)]
    rng = np.random.default_rng((77, number))
    cells = [_cells(s) for s in scenes]
    arrays = {
        "latents": _encode(vae, render_all(scenes, workers), device),
        "ids": codec([sentence for scene in scenes for sentence in sentences(scene, rng, codec)])
        .astype(np.uint16)
        .reshape(size, CAPTIONS, -1),
        "objects": np.stack([c[0] for c in cells]),
        "colours": np.stack([c[1] for c in cells]),
        "labels": np.asarray([labels(s) for s in scenes], dtype=np.uint8),
    }
    temporary = target.with_suffix(".tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(temporary / f"{name}.npy", array)
    os.replace(temporary, target)


def shards_in(folder: Path) -> list[Path]:
    """The finished shards of a folder, in order."""
    return sorted(p for p in folder.glob("shard_????") if p.is_dir())


@dataclass
class LatentSet:
    """All finished shards.

    latents: [N, C, 16, 16] float16.
    ids: [N, CAPTIONS, 32] uint16.
    objects, colours: [N, 16, 16] uint8, class per cell.
    labels: [N, len(HEADS)] uint8.
    """

    latents: npt.NDArray[np.float16]
    ids: npt.NDArray[np.uint16]
    objects: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, folder: Path) -> LatentSet:
        """Read every finished shard into memory."""
        shards = shards_in(folder)
        return cls(*(np.concatenate([np.load(s / f"{name}.npy") for s in shards]) for name in FIELDS))

    def __len__(self) -> int:
        return len(self.latents)
