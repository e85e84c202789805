"""How much memory a job must have, before it takes any. Needs no torch.

Weights are counted from the files' headers. Of the activations a floor is given: what is alive at the peak if kernels
need no room of their own. It is dominated by maps of the finest level, so it grows with rows and pixels alone
(attention works through its matrix in pieces), and how many such maps there are was counted on the real architectures:
run on torch's meta device, SD 1.5 has 26.0 of its UNet's first width at the peak, SDXL 15.8 and Stencil 11.0, and
every decoder 3.0 of its second width. tests/models/test_estimate.py counts again.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.models.card import ModelCard
from studio.models.files import ModelFiles, dtype_of
from studio.models.weights import BYTES_OF

# With transformers at the finest level the hidden layer of their feed-forward part, eight maps wide, makes the peak.
_UNET_MAPS = {True: 26.0, False: 11.0}
_DECODER_MAPS = 3.0
_GRANULE_PX = 64  # what a smaller size is rounded down to


@dataclass(frozen=True)
class Demand:
    """Bytes a job must have at its peak. activations: while the network runs, or while a picture is decoded."""

    weights: int
    activations: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.weights + self.activations


def demand(files: ModelFiles, rows: int, width: int, height: int, dtype: str) -> Demand:
    """Estimate what drawing takes. rows: of one evaluation of the network. dtype: of the network. Raises AssetError."""
    return Demand(files.bytes_in(dtype), activation_bytes(files.card, rows, width, height, dtype))


def activation_bytes(card: ModelCard, rows: int, width: int, height: int, dtype: str) -> int:
    """Give the floor of the activations. rows: of one evaluation of the network. width, height: in pixels.

    dtype: "fp32", "bf16" or "fp16", of the network. One picture is decoded at a time.
    """
    pixels = width * height
    second = card.vae_channels[min(1, len(card.vae_channels) - 1)]
    decoder = _DECODER_MAPS * pixels * second * BYTES_OF[dtype_of("vae", dtype)]
    return int(max(_network_bytes(card, rows, width, height, dtype), decoder))


def _network_bytes(card: ModelCard, rows: int, width: int, height: int, dtype: str) -> float:
    latents = width * height / card.latent_scale_px**2
    return _UNET_MAPS[card.finest_attends] * rows * latents * card.unet_channels[0] * BYTES_OF[dtype]


def most_rows(card: ModelCard, width: int, height: int, dtype: str, room: int) -> int:
    """Give how many rows of one evaluation have their activations within `room` bytes, at this size; at least 1."""
    return max(1, int(room / _network_bytes(card, 1, width, height, dtype)))


def smaller_size(card: ModelCard, rows: int, width: int, height: int, dtype: str, room: int) -> tuple[int, int] | None:
    """Give the largest size of about this shape whose activations have `room` bytes; None if there is no such size."""
    share = (room / max(activation_bytes(card, rows, width, height, dtype), 1)) ** 0.5 if room > 0 else 0.0
    fits = [int(side * min(share, 1.0)) // _GRANULE_PX * _GRANULE_PX for side in (width, height)]
    return (fits[0], fits[1]) if min(fits) > 0 else None
