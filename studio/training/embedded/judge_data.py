"""What the oracle learns from and is tested on: scenes a little wider than the world, reconstructions, garbage.

A generator draws a bit off the lattice of the world, so training scenes vary more in place, size and turn than
`random_scene` does, and may show the same object twice. Combinations that are held out stay out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from studio.training.embedded.autoencoder import to_tensor
from studio.training.embedded.data import Pictures, picture_set, scene_at
from studio.training.embedded.garbage import garbage
from studio.training.embedded.stage import mixed_precision
from studio.training.embedded.text import HEADS, labels
from studio.world.scene import Scene

SEEDS = {"train": 51, "calibration": 52, "test": 53}
Autoencoder = Any  # diffusers' AutoencoderKL, whose annotations deny what its methods return
COLUMN = {name: i for i, name in enumerate(HEADS)}
SLOT_REGIONS = ((1, 0, "a"), (2, 1, "a"), (2, 2, "b"), (3, 3, "a"), (3, 4, "b"))  # layout, region of REGIONS, slot
Labels = npt.NDArray[np.int64]


def wide_scene(index: int, seed: int = SEEDS["train"]) -> Scene:
    """Training scene number `index`: of the world, or somewhat off its lattice, never a held-out combination."""
    scene = scene_at(index, seed=seed, two=0.45, empty=0.03, biased=False)
    rng = np.random.default_rng((seed, index, 1))
    things = list(scene.things)
    if len(things) == 2 and rng.random() < 0.15:
        things[1] = replace(things[1], object=things[0].object)
    if rng.random() < 0.5:
        for i, thing in enumerate(things):
            dx, dy = rng.uniform(-0.03, 0.03, 2)
            size, angle = thing.size * float(rng.uniform(0.93, 1.06)), float(rng.uniform(-0.2, 0.2))
            things[i] = replace(thing, x=thing.x + float(dx), y=thing.y + float(dy), size=size, angle=angle)
    wider = replace(scene, things=tuple(things))
    return scene if wider.held_out else wider


def held_out_scene(index: int, split: str) -> Scene:
    """Held-out scene number `index` of the calibration or the test split, exactly as the world draws them."""
    return scene_at(index, seed=SEEDS[split], two=0.4, biased=False, held_out=True)


def label_rows(scenes: list[Scene]) -> Labels:
    """[N, len(HEADS)] class numbers."""
    return np.asarray([labels(s) for s in scenes], dtype=np.int64).reshape(len(scenes), len(HEADS))


def cached(path: Path, make: Callable[[], npt.NDArray[np.uint8]]) -> Pictures:
    """What `make` gives, made once and kept in a file (memory-mapped when read)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.npy")
        np.save(temporary, make())
        os.replace(temporary, path)
    return np.load(path, mmap_mode="r")


def garbage_set(path: Path, kinds: Mapping[str, int], seed: int) -> Pictures:
    """So many pictures of every kind, kind by kind: [sum, 128, 128, 3] uint8."""
    return cached(path, lambda: np.stack([garbage(kind, i, seed) for kind, n in kinds.items() for i in range(n)]))


# -- through the autoencoder ----------------------------------------------------------------------------------------


def fingerprint(folder: Path) -> str:
    """Eight hex digits that name an autoencoder's weights."""
    return sha256((folder / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()[:8]


def _decoded(vae: Autoencoder, latents: Tensor) -> Pictures:
    y = vae.decode(latents).sample.float().clamp(-1, 1)
    return ((y + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _encoded(vae: Autoencoder, pictures: Pictures) -> Tensor:
    return vae.encode(to_tensor(pictures, "cpu")).latent_dist.mode().float()


@torch.no_grad()
def reconstructed(vae: Autoencoder, pictures: Pictures, *, fast: bool = False) -> Pictures:
    """Pictures after encoding and decoding, uint8 [N, 128, 128, 3].

    fast: in bfloat16 where that pays, which will do for training.
    """
    blocks = np.array_split(pictures, max(1, len(pictures) // 32))
    with mixed_precision("cpu") if fast else contextlib.nullcontext():
        return np.concatenate([_decoded(vae, _encoded(vae, block)) for block in blocks])


def _spoiled(latents: Tensor, scale: Tensor, rng: np.random.Generator) -> Iterator[Tensor]:
    """Latents of no scene, one per latent given: random, noisy, blended, with shuffled or missing pieces."""
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    mean = latents.mean((0, 2, 3))[:, None, None]
    for i, z in enumerate(latents):
        neighbour = latents[(i + 1 + int(rng.integers(len(latents) - 1))) % len(latents)]
        noise = torch.randn(z.shape, generator=generator) * scale[:, None, None]
        choice = int(rng.integers(5))
        if choice == 0:  # pure noise, from white to smooth
            cells = int(rng.choice([4, 8, 16]))
            field = torch.randn(1, z.shape[0], cells, cells, generator=generator)
            field = F.interpolate(field, z.shape[-2:], mode="bicubic")[0] * scale[:, None, None]
            yield mean + field * float(rng.uniform(0.6, 1.6))
        elif choice == 1:
            share = float(rng.uniform(0.5, 0.85))
            yield mean + (z - mean) * (1 - share**2) ** 0.5 + noise * share
        elif choice == 2:
            share = float(rng.uniform(0.35, 0.65))
            yield z * share + neighbour * (1 - share)
        elif choice == 3:  # pieces of 4 x 4 cells in another order
            tiles = z.unfold(1, 4, 4).unfold(2, 4, 4).reshape(z.shape[0], 16, 4, 4)
            tiles = tiles[:, torch.from_numpy(rng.permutation(16))].view(-1, 4, 4, 4, 4)
            yield tiles.permute(0, 1, 3, 2, 4).reshape(z.shape)
        else:  # stretched beyond its range, on top of another scene's
            yield (mean + (z * 0.6 + neighbour * 0.4 - mean) * float(rng.uniform(1.5, 3))) + noise * 0.2


@torch.no_grad()
def spoiled(vae: Autoencoder, pictures: Pictures, seed: int) -> Pictures:
    """Decodes of spoiled latents, as many as pictures are given."""
    rng = np.random.default_rng(seed)
    rows = []
    for block in np.array_split(pictures, max(1, len(pictures) // 32)):
        with mixed_precision("cpu"):
            latents = _encoded(vae, block)
            rows.append(_decoded(vae, torch.stack(list(_spoiled(latents, latents.std((0, 2, 3)), rng)))))
    return np.concatenate(rows)


# -- sets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldOut:
    """Held-out scenes of one split, their pictures [N, 128, 128, 3] uint8 and class numbers [N, len(HEADS)]."""

    scenes: list[Scene]
    pictures: Pictures
    labels: Labels

    @classmethod
    def make(cls, folder: Path, split: str, n: int) -> HeldOut:
        """Draw the first n scenes of a split; kept in `folder`."""
        scenes = [held_out_scene(i, split) for i in range(n)]
        return cls(scenes, picture_set(folder / f"{split}_{n}.npy", scenes), label_rows(scenes))


# -- mild degradations ----------------------------------------------------------------------------------------------


def softened(x: Tensor, sigma_px: float) -> Tensor:
    """Gaussian blur of [B, 3, H, W], five taps, edges repeated. Slices added: depthwise convolution is slow on CPU."""
    tap = torch.exp(-0.5 * (torch.arange(3) / sigma_px) ** 2)
    middle, near, far = (tap / (tap[0] + 2 * tap[1:].sum())).tolist()
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")
    for dim in (-1, -2):
        length = x.shape[dim] - 4
        a, b, c, d, e = (x.narrow(dim, start, length) for start in range(5))
        x = (c * middle).add_(b, alpha=near).add_(d, alpha=near).add_(a, alpha=far).add_(e, alpha=far)
    return x


def mild(x: Tensor, generator: torch.Generator) -> Tensor:
    """What a picture may suffer and still be the same scene: random small wobble, blur, gain, tint and noise.

    x: [B, 3, 128, 128] in [0, 1]; the same shape back. Each picture draws its own strengths.
    """
    n, device = len(x), x.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand(n, *shape, generator=generator) * (high - low) + low).to(device)

    half = n // 2  # half of the pictures are moved: sampling the grid costs most
    shift = F.interpolate(torch.randn(half, 2, 5, 5, generator=generator), x.shape[-2:], mode="bicubic")
    shift = shift.to(device) * uniform(0, 0.7, 1, 1, 1)[:half] + uniform(-3, 3, 2, 1, 1)[:half]
    identity = torch.eye(2, 3, device=device).expand(half, 2, 3)
    grid = F.affine_grid(identity, [half, 3, *x.shape[-2:]], align_corners=False)
    grid = grid + shift.permute(0, 2, 3, 1) * (2 / x.shape[-1])
    x = torch.cat([F.grid_sample(x[:half], grid, padding_mode="border", align_corners=False), x[half:]])
    soft = softened(x, 1.2)
    x = x + (soft - x) * uniform(-0.5, 1, 1, 1, 1)  # below zero sharpens
    mean = x.mean((2, 3), keepdim=True)
    x = mean + (x - mean) * uniform(0.88, 1.25, 1, 1, 1) + uniform(-0.03, 0.03, 3, 1, 1)
    noise = torch.randn(x.shape, generator=generator).to(device)
    return (x + noise * uniform(-0.02, 0.035, 1, 1, 1).clamp(min=0)).clamp(0, 1)
