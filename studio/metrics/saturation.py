"""Saturation, brightness, contrast and clipping: what too much guidance does to a picture.

Every measure takes pictures [B, 3, H, W], sRGB in 0..1 without linearisation, and gives [B] in float32, each picture
measured alone. Saturation and contrast are the ones APG reports (arXiv:2410.02416), in the form arXiv:2512.24146
spells out: the mean of HSV's S, and the standard deviation of the grey picture. None is better for being low; close
to the same measure of training data is.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601
HIGH, LOW = 254 / 255, 1 / 255
# A value stored as k/255 in float32 may fall on either side of the same fraction of another rounding.
_ROUNDING = 1e-4


def _checked(images: Tensor) -> Tensor:
    if images.dim() != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(f"pictures must be floating point [B, 3, H, W], not {images.dtype} {tuple(images.shape)}")
    return images.float()


def grey(images: Tensor) -> Tensor:
    """Luma of each pixel, [B, H, W] in 0..1."""
    red, green, blue = _checked(images).unbind(1)
    return GREY_WEIGHTS[0] * red + GREY_WEIGHTS[1] * green + GREY_WEIGHTS[2] * blue


def saturation(images: Tensor) -> Tensor:
    """Mean over pixels of (max - min) / max of the channels, 0 where max is 0: 0 for greys, 1 for pure colours."""
    high, low = _checked(images).amax(1), images.float().amin(1)
    return ((high - low) / high.clamp_min(1e-12)).mean((1, 2))


def brightness(images: Tensor) -> Tensor:
    """Mean over pixels of the largest channel, 0..1."""
    return _checked(images).amax(1).mean((1, 2))


def contrast(images: Tensor) -> Tensor:
    """Standard deviation of the grey picture's pixels, 0..0.5."""
    return grey(images).flatten(1).std(1, correction=0)


def clipped_high(images: Tensor) -> Tensor:
    """Share of pixels with a channel at 254/255 or above."""
    return (_checked(images).amax(1) >= HIGH - _ROUNDING).float().mean((1, 2))


def clipped_low(images: Tensor) -> Tensor:
    """Share of pixels with no channel above 1/255."""
    return (_checked(images).amax(1) <= LOW + _ROUNDING).float().mean((1, 2))


def clipped(images: Tensor) -> Tensor:
    """Share of pixels at either end of the range: `clipped_high` and `clipped_low` together."""
    return clipped_high(images) + clipped_low(images)


def overexposed(images: Tensor) -> Tensor:
    """Share of pixels whose grey is 0.98 or above."""
    return (grey(images) >= 0.98 - _ROUNDING).float().mean((1, 2))


def colourfulness(images: Tensor) -> Tensor:
    """Spread and strength of the two opponent colours, on the 0..1 scale (the paper's values are 255 times these).

    Source: Hasler, Suesstrunk, Proc. SPIE 5007 (2003), M(3).
    """
    red, green, blue = (channel.flatten(1) for channel in _checked(images).unbind(1))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = (red_green.var(1, correction=0) + yellow_blue.var(1, correction=0)).sqrt()
    return spread + 0.3 * (red_green.mean(1).square() + yellow_blue.mean(1).square()).sqrt()


MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    measure.__name__: measure
    for measure in (saturation, brightness, contrast, clipped_high, clipped_low, clipped, overexposed, colourfulness)
}


def measure_all(images: Tensor) -> dict[str, Tensor]:
    """Every measure of this file by name, [B] each."""
    return {name: measure(images) for name, measure in MEASURES.items()}
