"""Stage `autoencoder`: pictures to 16 x 16 latents and back.

An AutoencoderKL with factor 8, trained on crops around objects first (more optimiser steps for the same pixels), on
whole pictures at the end. Loss: L1 of pixels and of their finite differences, and a KL term that keeps latents smooth
enough to be denoised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from studio.training.embedded.data import Pictures, picture_set, scene_at
from studio.training.embedded.group_norm import speed_up_group_norm
from studio.training.embedded.stage import Average, Stage, mixed_precision, warm_cosine

LATENT_CHANNELS = 8
PICTURES = 20_000
CROP_PX = 64


def build() -> AutoencoderKL:
    """The architecture, with fresh weights: 128 px, factor 8, eight latent channels, about 1 M parameters."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=LATENT_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 4,  # type: ignore[arg-type]  # annotated as one-tuples
        up_block_types=("UpDecoderBlock2D",) * 4,  # type: ignore[arg-type]
        block_out_channels=(16, 32, 64, 96),  # type: ignore[arg-type]
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=128,
    )


def to_tensor(pictures: Pictures, device: str) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1], channels last."""
    x = torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def _batch(pictures: Pictures, rng: np.random.Generator, crops: bool) -> Pictures:
    size = 12 if crops else 6
    rows = np.sort(rng.integers(0, len(pictures), size))
    whole = pictures[rows]
    if not crops:
        return whole
    corners = np.clip(rng.normal(32, 18, (size, 2)), 0, 64).astype(int)  # towards the middle, where objects are
    return np.stack([w[r : r + CROP_PX, c : c + CROP_PX] for w, (r, c) in zip(whole, corners, strict=True)])


def _differences(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def loss_of(y: Tensor, x: Tensor, kl: Tensor, kl_weight: float) -> Tensor:
    """L1 + L1 of finite differences + squared error + weighted KL (mean per latent element)."""
    pixel = F.l1_loss(y, x) + F.mse_loss(y, x)
    edges = sum(F.l1_loss(a, b) for a, b in zip(_differences(y), _differences(x), strict=True))
    return pixel + 0.5 * edges + kl_weight * kl


def kl_of(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL of a diagonal Gaussian to the standard normal, mean per element."""
    return 0.5 * (mean.pow(2) + logvar.exp() - 1 - logvar).mean()


def encode(vae: Any, x: Tensor) -> Tensor:
    """The mean of the latent's posterior, [B, C, 16, 16]; x as `to_tensor` gives it."""
    return vae.encode(x).latent_dist.mode()


def decode(vae: Any, latents: Tensor) -> Tensor:
    """Latents to pictures [B, 3, H, W], about in [-1, 1]."""
    return vae.decode(latents).sample


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: Pictures, device: str) -> float:
    """Mean PSNR in dB of reconstructions from the latent's mean, on uint8-range pixels."""
    values: list[Tensor] = []
    for block in np.array_split(np.asarray(pictures), max(1, len(pictures) // 32)):
        x = to_tensor(block, device)
        y = decode(model, encode(model, x)).clamp(-1, 1)
        values.append(10 * torch.log10(4 / (y - x).pow(2).mean((1, 2, 3))))
    return float(torch.cat(values).mean())


def train(
    stage: Stage,
    *,
    lr: float = 2e-3,
    kl_weight: float = 3e-4,
    decoder_only: bool = False,
    threads: int = 2,
    whole_share: float = 0.3,
) -> Path:
    """Train until the stage's budget is spent; resumes from its checkpoint. Returns the folder with the weights."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pictures = picture_set(stage.work_dir / "pictures.npy", [scene_at(i, two=0.4) for i in range(PICTURES)])
    held_out = picture_set(
        stage.work_dir / "held_out.npy", [scene_at(i, seed=12, two=0.4, held_out=True) for i in range(128)]
    )
    model: Any = build()
    model.to(stage.device).to(memory_format=torch.channels_last)
    if stage.device == "cpu":
        speed_up_group_norm(model)
    average = Average(model, 0.998)
    step = 0
    if (checkpoint := stage.load()) is not None:
        model.load_state_dict(checkpoint["model"])
        average.load(checkpoint["average"], checkpoint["steps"])
        step = checkpoint["steps"]
    if decoder_only:
        model.encoder.requires_grad_(False)
        model.quant_conv.requires_grad_(False)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, betas=(0.9, 0.98))
    rng = np.random.default_rng((5, step))

    def state() -> dict[str, Any]:
        return {"model": model.state_dict(), "average": average.state_dict(), "steps": step}

    while stage.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = lr * warm_cosine(stage.share, 0.03, 0.02)
        x = to_tensor(_batch(pictures, rng, crops=stage.share < 1 - whole_share), stage.device)
        with mixed_precision(stage.device):
            posterior = model.encode(x).latent_dist
            y = model.decode(posterior.sample()).sample
        loss = loss_of(y.float(), x, kl_of(posterior.mean.float(), posterior.logvar.float()), kl_weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average.update(model)
        step += 1
        if step % 200 == 0:
            std = float(posterior.mean.detach().float().std())
            stage.say(step=step, loss=float(loss.detach()), std=std, sigma=float(posterior.std.detach().float().mean()))
        if stage.due():
            stage.save(state())
            probe = build()
            average.copy_to(probe)
            stage.say(step=step, psnr=psnr(probe, held_out[:64], "cpu"))
    stage.save(state())
    average.copy_to(model)
    final = build()
    final.load_state_dict(model.state_dict())
    final.save_pretrained(stage.folder / "vae")
    stage.say(step=step, psnr=psnr(final, held_out, "cpu"))
    return stage.folder / "vae"
