"""The colours of the world, as sRGB triples in [0, 1]."""

from __future__ import annotations

RGB = tuple[float, float, float]


def _hex(code: str) -> RGB:
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


# Hues far enough apart that a small autoencoder does not merge neighbours (orange/yellow, cyan/blue).
COLOURS: dict[str, RGB] = {
    "red": _hex("DE1F26"),
    "orange": _hex("FF8A00"),
    "yellow": _hex("FFE135"),
    "green": _hex("1F9E3D"),
    "cyan": _hex("3AD6E0"),
    "blue": _hex("1E4FD8"),
    "purple": _hex("7B2CBF"),
    "pink": _hex("FF86C0"),
}


def tint(rgb: RGB, share: float) -> RGB:
    """Mix `share` in [0, 1] of white into a colour."""
    red, green, blue = (c + (1 - c) * share for c in rgb)
    return red, green, blue


def shade(rgb: RGB, share: float) -> RGB:
    """Mix `share` in [0, 1] of black into a colour."""
    red, green, blue = (c * (1 - share) for c in rgb)
    return red, green, blue
