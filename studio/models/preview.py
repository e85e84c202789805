"""Previews: an affine map from each latent element to a colour, fitted by least squares.

On a small autoencoder it costs a two-hundredth of a decode, and a picture is recognisable in it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

PREVIEW_SIDE_PX = 128  # longer side of a preview as shown


@dataclass(frozen=True, eq=False)
class PreviewMap:
    """colour = latent @ weight + bias.

    weight: [C, 3].
    bias: [3], colours in 0..1.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, latents: Tensor) -> Tensor:
        """Latents [B, C, H, W] to small pictures [B, 3, H, W] in 0..1."""
        flat = latents.to(self.weight).permute(0, 2, 3, 1)  # [B, H, W, C]
        return (flat @ self.weight + self.bias).clamp(0, 1).permute(0, 3, 1, 2)

    def png(self, latent: Tensor) -> bytes:
        """One latent [C, H, W] to a PNG file, scaled up to be seen. A NaN shows as black."""
        colours = self(latent[None])[0].nan_to_num(0.0).permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu()
        image = Image.fromarray(colours.numpy())
        scale = PREVIEW_SIDE_PX / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def fit(latents: Tensor, pictures: Tensor) -> PreviewMap:
    """Fit the map. latents: [B, C, h, w]. pictures: [B, 3, H, W] in 0..1, H a multiple of h; averaged down to h x w."""
    small = torch.nn.functional.adaptive_avg_pool2d(pictures.float(), (latents.shape[-2], latents.shape[-1]))
    x = latents.float().permute(0, 2, 3, 1).reshape(-1, latents.shape[1])  # [N, C]
    y = small.permute(0, 2, 3, 1).reshape(-1, 3)  # [N, 3]
    design = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double().cpu()  # [N, C + 1]
    # Normal equations with a little ridge: a tiny random model in a test may have a constant channel.
    gram = design.T @ design + 1e-6 * len(design) * torch.eye(design.shape[1], dtype=torch.float64)
    solution = torch.linalg.solve(gram, design.T @ y.double().cpu()).float()  # [C + 1, 3]
    return PreviewMap(solution[:-1].to(latents.device), solution[-1].to(latents.device))


def structured_pictures(side_px: int, count: int = 12, seed: int = 0) -> Tensor:
    """Make pictures to fit a map on where none are at hand: [count, 3, side, side] in 0..1.

    Each is a smooth field of colours with a few flat rectangles on it, of all hues and brightnesses, so that the map
    sees colours apart from each other and from position.
    """
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 4, 4), generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, size=(side_px, side_px), mode="bilinear", align_corners=True)
    for picture in pictures:
        for _ in range(3):
            top, left = (torch.rand(2, generator=generator) * 0.7 * side_px).long().tolist()
            height, width = ((torch.rand(2, generator=generator) * 0.3 + 0.15) * side_px).long().tolist()
            picture[:, top : top + height, left : left + width] = torch.rand((3, 1, 1), generator=generator)
    return pictures
