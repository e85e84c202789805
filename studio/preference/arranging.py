"""Pictures that are there, arranged as pairs, lists or singles: those of one group with each other, in random order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.preference.campaign import PICTURES, Form


def arranged(rng: np.random.Generator, sizes: Sequence[int], form: Form) -> list[tuple[int, tuple[int, ...]]]:
    """Items as (group, pictures), the pictures numbered within their group; in random order over all groups.

    sizes: pictures of each group. Pairs: each picture beside two others, beside the one other where there are two.
    Lists: of 4, those left over, where they are at least 2, one list of fewer. Singles: each once. A group of one is in
    singles alone.
    """
    arranged_items: list[tuple[int, tuple[int, ...]]] = []
    for group, size in enumerate(sizes):
        order = [int(k) for k in rng.permutation(size)]
        if form == "single":
            arranged_items += [(group, (picture,)) for picture in order]
        elif form == "list":
            parts = [tuple(order[at : at + PICTURES["list"]]) for at in range(0, size, PICTURES["list"])]
            arranged_items += [(group, part) for part in parts if len(part) > 1]
        elif size == 2:
            arranged_items.append((group, (order[0], order[1])))
        elif size > 2:  # around a ring
            ring = zip(order, order[1:] + order[:1], strict=True)
            arranged_items += [(group, pair if rng.random() < 0.5 else pair[::-1]) for pair in ring]
    return [arranged_items[int(k)] for k in rng.permutation(len(arranged_items))]


def alone(sizes: Sequence[int], form: Form) -> int:
    """How many pictures are in no item, for want of another of their group."""
    if form == "single":
        return 0
    if form == "pair":
        return sum(size == 1 for size in sizes)
    return sum(size % PICTURES["list"] == 1 for size in sizes)
