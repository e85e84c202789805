"""How alike two pictures are to the eye: the difference hash of each of their colours, and a thumbnail to make sure.

Of each colour, scaled to 9 x 8: whether each of the 64 places is brighter than the one at its left. Nearly equal
pictures differ in few bits, whatever their size and compression; of unrelated ones about half differ. By colours and
not in grey, where a red star and a blue one are the same. Plain areas have no steps to go by: there a thumbnail
decides.
Source: N. Krawetz, "Kind of like that" (2013), dHash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

HASH_BITS = 192
ALIKE_BITS = 16  # that nearly equal pictures may differ in
ALIKE_MEAN = 5.0  # of 255, by which their thumbnails may differ on average
_STEP = 6  # of 255: smaller steps are noise of compression, and count as none
_SIDE = 16


@dataclass(frozen=True, eq=False)
class Look:
    """What a picture looks like, in little.

    bits: [192] bool, the difference hash of red, green and blue.
    thumbnail: [16, 16, 3] float32, 0 to 255.
    shape: (width, height) of the picture in pixels.
    """

    bits: npt.NDArray[np.bool_]
    thumbnail: npt.NDArray[np.float32]
    shape: tuple[int, int]


def look_of(image: Image.Image) -> Look:
    """The look of a picture, of any size, read as RGB."""
    picture = image.convert("RGB")
    small = np.asarray(picture.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)  # [8, 9, 3]
    bits = (np.diff(small, axis=1) > _STEP).transpose(2, 0, 1).reshape(-1)
    thumbnail = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float32)
    return Look(bits, thumbnail, picture.size)


def distance(first: Look, second: Look) -> int:
    """In how many of the 192 bits two looks differ."""
    return int(np.count_nonzero(first.bits != second.bits))


def are_alike(first: Look, second: Look) -> bool:
    """Whether two pictures are nearly equal to the eye; of different proportions they never are."""
    (w1, h1), (w2, h2) = first.shape, second.shape
    if abs(w1 * h2 - w2 * h1) > 0.02 * w1 * h2 or distance(first, second) > ALIKE_BITS:
        return False
    return float(np.abs(first.thumbnail - second.thumbnail).mean()) <= ALIKE_MEAN


def alike_groups(looks: Sequence[Look]) -> list[list[int]]:
    """Groups of pictures that are alike, by their numbers: each picture joins the first it is alike to."""
    groups: list[list[int]] = []
    bits = np.zeros((len(looks), HASH_BITS), dtype=np.bool_)  # of the first of each group
    for number, look in enumerate(looks):
        distances = np.count_nonzero(bits[: len(groups)] != look.bits, axis=1)
        near = (groups[int(k)] for k in np.flatnonzero(distances <= ALIKE_BITS))
        group = next((group for group in near if are_alike(looks[group[0]], look)), None)
        if group is None:
            bits[len(groups)] = look.bits
            groups.append([number])
        else:
            group.append(number)
    return groups
