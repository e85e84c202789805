"""The preview map: recovers an affine map exactly, and shows something for anything."""

import io

import torch
from PIL import Image

from studio.models.preview import PREVIEW_SIDE_PX, PreviewMap, fit, structured_pictures


def test_fit_recovers_an_affine_map() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn((4, 6, 8, 8), generator=generator)
    true = PreviewMap(torch.randn((6, 3), generator=generator) * 0.05, torch.tensor([0.4, 0.5, 0.6]))
    pictures = torch.nn.functional.interpolate(true(latents), scale_factor=4, mode="nearest")
    found = fit(latents, pictures)
    torch.testing.assert_close(found.weight, true.weight, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found.bias, true.bias, atol=1e-4, rtol=1e-3)


def test_a_constant_channel_does_no_harm() -> None:
    latents = torch.randn((2, 3, 4, 4))
    latents[:, 1] = 2.0
    found = fit(latents, torch.rand((2, 3, 8, 8)))
    assert torch.isfinite(found.weight).all() and torch.isfinite(found.bias).all()


def test_png_is_of_visible_size_even_for_nan() -> None:
    shown = PreviewMap(torch.ones(4, 3), torch.zeros(3)).png(torch.full((4, 16, 8), torch.nan))
    assert Image.open(io.BytesIO(shown)).size == (PREVIEW_SIDE_PX // 2, PREVIEW_SIDE_PX)


def test_structured_pictures_hold_all_colours_apart() -> None:
    pictures = structured_pictures(32)
    assert pictures.shape == (12, 3, 32, 32) and torch.equal(pictures, structured_pictures(32))
    assert float(pictures.min()) >= 0 and float(pictures.max()) <= 1
    channels = pictures.permute(1, 0, 2, 3).reshape(3, -1)
    apart = torch.corrcoef(channels) - torch.eye(3)
    assert float(apart.abs().max()) < 0.3 and bool((channels.std(dim=1) > 0.15).all())
