"""Backgrounds: muted enough that every colour of object stands out on every one of them.

Each takes picture coordinates x, y ([H, W] float32 in [0, 1], y down) and returns [H, W, 3] float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Background = Callable[[FloatArray, FloatArray], FloatArray]


def _plain(x: FloatArray, rgb: tuple[float, float, float]) -> FloatArray:
    return np.broadcast_to(np.asarray(rgb, dtype=np.float32), (*x.shape, 3))


def _fade(y: FloatArray, top: tuple[float, float, float], bottom: tuple[float, float, float]) -> FloatArray:
    share = y[..., None]
    faded = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share
    return faded.astype(np.float32)


def white(x: FloatArray, y: FloatArray) -> FloatArray:
    """White all over."""
    return _plain(x, (1.0, 1.0, 1.0))


def grey(x: FloatArray, y: FloatArray) -> FloatArray:
    """A middle grey all over."""
    return _plain(x, (0.60, 0.61, 0.63))


def black(x: FloatArray, y: FloatArray) -> FloatArray:
    """Nearly black all over."""
    return _plain(x, (0.03, 0.03, 0.035))


def meadow(x: FloatArray, y: FloatArray) -> FloatArray:
    """A pale sky over grass, the horizon a gentle wave."""
    sky, grass = (0.80, 0.91, 0.98), (0.70, 0.84, 0.58)
    horizon = 0.64 + 0.03 * np.sin(2 * np.pi * x)
    share = np.clip(0.5 + (y - horizon) / np.float32(1 / x.shape[1]), 0, 1)[..., None]
    return (np.asarray(sky) * (1 - share) + np.asarray(grass) * share).astype(np.float32)


def sunset(x: FloatArray, y: FloatArray) -> FloatArray:
    """A sky that goes from violet above to orange below."""
    return _fade(y, (0.52, 0.40, 0.56), (0.99, 0.80, 0.66))


def night(x: FloatArray, y: FloatArray) -> FloatArray:
    """A dark blue sky, lighter towards the ground."""
    return _fade(y, (0.05, 0.06, 0.22), (0.20, 0.22, 0.44))


BACKGROUNDS: dict[str, Background] = {f.__name__: f for f in (white, grey, black, meadow, sunset, night)}
LIGHT: frozenset[str] = frozenset({"white", "grey", "meadow", "sunset"})
