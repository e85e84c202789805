"""The latents of a picture, both ends of its way: a hash of the noise it began from, and what it was decoded from.

Kept where a job asks for them ("latents": true): a training goes on from the final latents without decoding and
encoding once more, and the hash says whether the noise drawn again from the seed is the same (PNAPO, arXiv:2605.09433).
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.core.recipe import Recipe
from studio.engine.noise import NoiseSource
from studio.models.bundle import ModelBundle

INITIAL = "initial_latents"  # what the hash is called in what made a picture


def initial_hash(recipe: Recipe, bundle: ModelBundle) -> str:
    """sha256, in hex, of the noise a picture begins from: float32, [C, h, w], little-endian."""
    noise = NoiseSource(bundle, recipe).start()[0].cpu().numpy().astype("<f4", copy=False)
    return hashlib.sha256(np.ascontiguousarray(noise).tobytes()).hexdigest()


def latents_file(latents: Tensor) -> bytes:
    """Final latents [1, C, h, w] as an npy file of [C, h, w] in float16: 4 kB of a picture of Stencil's."""
    file = io.BytesIO()
    np.save(file, latents[0].detach().to("cpu", torch.float16).numpy(), allow_pickle=False)
    return file.getvalue()


def read_latents(data: bytes) -> npt.NDArray[np.float16]:
    """The latents of such a file, [C, h, w]. Raises ValueError for what is none."""
    latents = np.load(io.BytesIO(data), allow_pickle=False)
    if latents.dtype != np.float16 or latents.ndim != 3:
        raise ValueError(f"latents are [C, h, w] in float16, not {latents.shape} in {latents.dtype}")
    return latents
