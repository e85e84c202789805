"""How different the layouts of pictures are: SDI, from the boxes of what is in them.

    similarity of two pictures    sum of IoU over matched boxes / boxes of the one that has more
    SDI                           1 - mean similarity over pairs of pictures: 0 where all are laid out alike

Boxes are matched so that the sum is largest. Source: arXiv:2512.24146 (DivGenBench).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Box = tuple[float, float, float, float]  # left, top, right, bottom, in one unit
MAX_BOXES = 16  # of a picture: matching takes 2^n


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, 0..1; two boxes without area share nothing."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    inside = max(0.0, width) * max(0.0, height)
    union = sum((right - left) * (bottom - top) for left, top, right, bottom in (first, second)) - inside
    return inside / union if union > 0 else 0.0


def layout_similarity(first: Sequence[Box], second: Sequence[Box]) -> float:
    """Of two pictures, 0..1; two empty ones are laid out alike. Raises ValueError for more than 16 boxes of one."""
    few, many = sorted((first, second), key=len)
    if len(many) > MAX_BOXES:
        raise ValueError(f"layouts of at most {MAX_BOXES} boxes are compared, not of {len(many)}")
    if not many:
        return 1.0
    # The best sum for each set of boxes of `many` that are matched, box by box of `few`: exact, as no overlap is < 0.
    best = {0: 0.0}
    for box in few:
        reached: dict[int, float] = {}
        for matched, total in best.items():
            for number, candidate in enumerate(many):
                if not matched >> number & 1:
                    members, value = matched | 1 << number, total + overlap(box, candidate)
                    reached[members] = max(value, reached.get(members, 0.0))
        best = reached
    return max(best.values()) / len(many)


def sdi(layouts: Sequence[Sequence[Box]]) -> float:
    """Of two pictures or more, the boxes of each: 0..1. Raises ValueError for fewer."""
    if len(layouts) < 2:
        raise ValueError("one picture has no layout to differ from")
    similarities = [layout_similarity(first, second) for first, second in combinations(layouts, 2)]
    return 1 - sum(similarities) / len(similarities)
