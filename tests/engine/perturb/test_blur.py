"""The blur of tokens: what stays, what is averaged, and the reference kernel on a grid that holds it."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from studio.engine.perturb import blur


def tokens(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(2, height * width, 5, generator=torch.Generator().manual_seed(0)).to(dtype)


def by_convolution(given: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """A padded convolution with the two-dimensional kernel, for grids larger than it."""
    reach = math.ceil(6 * sigma) // 2
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    line = line / line.sum()
    image = given.transpose(1, 2).unflatten(2, size)  # [B, D, H, W]
    padded = F.pad(image, (reach,) * 4, mode="reflect")
    kernel = (line[:, None] * line).expand(image.shape[1], 1, -1, -1)
    return F.conv2d(padded, kernel, groups=image.shape[1]).flatten(2).transpose(1, 2)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("size", [(12, 9), (9, 12), (16, 16)])
def test_equals_a_reflecting_convolution(size: tuple[int, int], sigma: float) -> None:
    given = tokens(*size)
    torch.testing.assert_close(blur(given, size, sigma), by_convolution(given, size, sigma), rtol=1e-5, atol=1e-5)


def test_without_width_nothing_changes() -> None:
    assert torch.equal(blur(tokens(4, 6), (4, 6), 0.0), tokens(4, 6))
    torch.testing.assert_close(blur(tokens(4, 6), (4, 6), 1e-3), tokens(4, 6))


@pytest.mark.parametrize("sigma", [math.inf, 1e4])
def test_without_end_every_token_is_the_mean(sigma: float) -> None:
    given = tokens(3, 5)
    torch.testing.assert_close(blur(given, (3, 5), sigma), given.mean(1, keepdim=True).expand(-1, 15, -1))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (4, 4), (5, 3)])
@pytest.mark.parametrize("sigma", [0.5, 3.0, 100.0])
def test_constants_stay_on_any_grid(size: tuple[int, int], sigma: float) -> None:
    """Also where the kernel is larger than the grid: weights sum to 1, and nothing is read beyond the edge."""
    given = torch.full((1, size[0] * size[1], 3), 0.7)
    torch.testing.assert_close(blur(given, size, sigma), given)
    assert blur(tokens(*size), size, sigma).isfinite().all()


def test_wider_is_flatter() -> None:
    spreads = [blur(tokens(8, 8), (8, 8), sigma).std(1).mean().item() for sigma in (0.0, 0.5, 1.0, 2.0, math.inf)]
    assert spreads == sorted(spreads, reverse=True) and spreads[-1] < 1e-6 < spreads[-2]


def test_rows_and_columns_are_not_mistaken() -> None:
    """A picture constant along its rows stays so."""
    given = torch.arange(4.0).repeat_interleave(6).reshape(1, 24, 1)
    blurred = blur(given, (4, 6), 1.0).reshape(4, 6)
    assert torch.allclose(blurred, blurred[:, :1].expand(4, 6)) and blurred[0, 0] > 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_shape_and_dtype_are_kept(dtype: torch.dtype) -> None:
    blurred = blur(tokens(4, 6, dtype), (4, 6), 1.0)
    assert blurred.shape == (2, 24, 5) and blurred.dtype == dtype


def test_tokens_must_fill_the_grid() -> None:
    with pytest.raises(ValueError, match="24 tokens are no grid of 5 x 5"):
        blur(tokens(4, 6), (5, 5), 1.0)
