"""Scenes as the denoiser sees them: latents, several captions each, and where the objects are.

Written once to memory-mapped files, in shards, so that more scenes can be added while a training runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL

from studio.training.embedded.autoencoder import encode, to_tensor
from studio.training.embedded.data import render_all, scene_at
from studio.training.embedded.exclusion import Exclusion, say
from studio.training.embedded.text import Codec, labels
from studio.world.caption import caption
from studio.world.phrasing import phrase
from studio.world.render import mask
from studio.world.scene import COLOUR_NAMES, OBJECTS, Scene

CAPTIONS = 8  # sentences of a scene, half by the grammar of captions and half as people ask
GRID = 16
SHARD = 5_000
FIELDS = ("latents", "ids", "objects", "colours", "labels")
ORDER = "order"  # a file beside them, where scenes gave way to others: the labels of those that would be there


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


def standard_vae(work_dir: Path) -> Path:
    """The trained autoencoder with its latents standardised, written once beside it."""
    target = work_dir / "autoencoder" / "standard"
    if not target.exists():
        vae = AutoencoderKL.from_pretrained(work_dir / "autoencoder" / "vae")
        standardise(vae, render_all([scene_at(i, two=0.4) for i in range(512)]))
        vae.save_pretrained(target)
    return target


def _cells(scene: Scene) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Which object and colour covers each of the 16 x 16 latent cells; the last class is background."""
    objects = np.full((GRID, GRID), len(OBJECTS), dtype=np.uint8)
    colours = np.full((GRID, GRID), len(COLOUR_NAMES), dtype=np.uint8)
    for thing in scene.things:
        inside = mask(thing, 64).reshape(GRID, 4, GRID, 4).mean((1, 3)) > 0.3
        objects[inside], colours[inside] = OBJECTS.index(thing.object), COLOUR_NAMES.index(thing.colour)
    return objects, colours


def sentences(scene: Scene, number: int, codec: Codec, without: Exclusion | None = None) -> list[str]:
    """CAPTIONS sentences true of scene `number`, each of them within the text encoder's length.

    Each has a generator of its own, so that one that would name what is left out can be drawn anew by itself.
    """

    def as_asked(rng: np.random.Generator) -> str:
        prompt = phrase(scene, rng)
        return prompt if codec.fits(prompt) else caption(scene, rng)

    def sentence(place: int) -> str:
        speak = as_asked if scene.things and place < CAPTIONS // 2 else partial(caption, scene)
        return say(speak, np.random.default_rng((77, number, place)), without)

    return [sentence(place) for place in range(CAPTIONS)]


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
    numbers = range(number * size, (number + 1) * size)
    _write(target, _arrays([scene_at(i, two=two) for i in numbers], numbers, vae, codec, device, workers))


def write_shard_without(
    folder: Path,
    number: int,
    base: Path,
    without: Exclusion,
    vae: AutoencoderKL,
    codec: Codec,
    device: str = "cpu",
    size: int = SHARD,
    two: float = 0.35,
    workers: int | None = None,
) -> None:
    """The shard of the same number in `base`, with what shows or names a concept replaced; whole or not at all.

    Every other row is that of `base`, byte for byte. size, two: as the shard in `base` was written with.
    """
    target = folder / f"shard_{number:04d}"
    if target.exists():
        return
    numbers = range(number * size, (number + 1) * size)
    drawn = [scene_at(i, two=two) for i in numbers]
    scenes = [scene_at(i, two=two, without=without) for i in numbers]
    arrays = {name: np.load(base / target.name / f"{name}.npy") for name in FIELDS}
    order = arrays["labels"].copy()
    changed = [row for row in range(size) if without.shown_in(drawn[row])]
    if changed:
        rows = [scenes[row] for row in changed]
        replaced = _arrays(rows, [numbers[row] for row in changed], vae, codec, device, workers, without)
        for name in FIELDS:
            arrays[name][changed] = replaced[name]
    for row in set(range(size)) - set(changed):
        arrays["ids"][row] = codec(sentences(scenes[row], numbers[row], codec, without))
    _write(target, {**arrays, ORDER: order})


def _arrays(
    scenes: Sequence[Scene],
    numbers: Sequence[int],
    vae: AutoencoderKL,
    codec: Codec,
    device: str,
    workers: int | None,
    without: Exclusion | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """The rows of some scenes, by field."""
    said = [sentences(scene, number, codec, without) for scene, number in zip(scenes, numbers, strict=True)]
    cells = [_cells(scene) for scene in scenes]
    return {
        "latents": _encode(vae, render_all(scenes, workers), device),
        "ids": codec([sentence for row in said for sentence in row])
        .astype(np.uint16)
        .reshape(len(scenes), CAPTIONS, -1),
        "objects": np.stack([objects for objects, _ in cells]),
        "colours": np.stack([colours for _, colours in cells]),
        "labels": np.asarray([labels(scene) for scene in scenes], dtype=np.uint8),
    }


def _write(target: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
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
    order: [N, len(HEADS)] uint8, the labels by which rows are drawn: those of the scene that a row would hold if
        nothing were left out, so that a training without a concept draws its rows in the order of one with it.
    """

    latents: npt.NDArray[np.float16]
    ids: npt.NDArray[np.uint16]
    objects: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    order: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, folder: Path, most: int | None = None) -> LatentSet:
        """Read the finished shards into memory, the first `most` of them or all."""
        shards = shards_in(folder)[:most]
        is_ordered = all((shard / f"{ORDER}.npy").exists() for shard in shards)
        names = (*FIELDS, ORDER if is_ordered else "labels")
        return cls(*(np.concatenate([np.load(shard / f"{name}.npy") for shard in shards]) for name in names))

    def __len__(self) -> int:
        return len(self.latents)
