"""The memory estimate: its factors counted again on the real architectures, without any memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.models import latent_diffusion  # noqa: F401  # before what follows: it quietens the libraries
from studio.models.card import read_card
from studio.models.estimate import activation_bytes, smaller_size
from studio.models.single_file import SHIPPED
from studio.training.lora.memory import Living

import diffusers  # isort: skip


def peak_of(call: Callable[[], object]) -> int:
    with torch.inference_mode(), Living() as living:
        call()
    return living.peak


def counted(folder: Path, rows: int, side_px: int) -> tuple[int, int]:
    """Peaks of the UNet and the decoder, on the meta device, in float32."""
    library: Any = diffusers
    unet_config, vae_config = (json.loads((folder / part / "config.json").read_text()) for part in ("unet", "vae"))
    with torch.device("meta"):
        unet = library.UNet2DConditionModel.from_config(unet_config).eval()
        vae = library.AutoencoderKL.from_config(vae_config).eval()
        side = side_px // 2 ** (len(vae_config["block_out_channels"]) - 1)
        x, t = torch.empty(rows, unet_config["in_channels"], side, side), torch.empty(rows)
        cond = torch.empty(rows, 77, unet_config["cross_attention_dim"])
        pooled = {"text_embeds": torch.empty(rows, 1280), "time_ids": torch.empty(rows, 6)}
    added = {"added_cond_kwargs": pooled} if unet_config.get("addition_embed_type") else {}
    network = peak_of(lambda: unet(x, t, encoder_hidden_states=cond, return_dict=False, **added))
    return network, peak_of(lambda: vae.decode(x[:1], return_dict=False))


def check(folder: Path, rows: int, side_px: int) -> None:
    """The estimate is a floor, and no further than 35 % below the truth."""
    card = read_card(folder)
    network, decoder = counted(folder, rows, side_px)
    estimated = activation_bytes(card, rows, side_px, side_px, "fp32")
    assert 0.65 * max(network, decoder) <= estimated <= 1.001 * max(network, decoder)


def test_of_stencil(stencil_dir: Path) -> None:
    check(stencil_dir, 1, 128)
    check(stencil_dir, 64, 128)  # so many rows that the network outweighs the decoder


def test_of_sd1() -> None:
    check(SHIPPED / "sd1", 16, 256)


@pytest.mark.slow
def test_of_sdxl() -> None:
    check(SHIPPED / "sdxl", 1, 512)
    check(SHIPPED / "sdxl", 32, 512)


def test_it_grows_with_rows_pixels_and_bytes() -> None:
    card = read_card(SHIPPED / "sd1")
    base = activation_bytes(card, 64, 512, 512, "fp32")
    assert activation_bytes(card, 128, 512, 512, "fp32") == 2 * base
    assert activation_bytes(card, 64, 1024, 512, "fp32") == 2 * base
    assert activation_bytes(card, 64, 512, 512, "bf16") == base // 2
    # The autoencoder stays in float32 under fp16, and one row is decoded at a time.
    assert activation_bytes(card, 1, 512, 512, "fp16") == activation_bytes(card, 1, 512, 512, "fp32")


def test_a_smaller_size_fits_and_keeps_its_shape() -> None:
    card = read_card(SHIPPED / "sd1")
    room = activation_bytes(card, 2, 512, 256, "fp32")
    assert smaller_size(card, 2, 1024, 512, "fp32", room) == (512, 256)
    assert smaller_size(card, 2, 512, 256, "fp32", 10 * room) == (512, 256)
    assert smaller_size(card, 2, 512, 256, "fp32", room // 100) is None
    assert smaller_size(card, 2, 512, 256, "fp32", -1) is None
