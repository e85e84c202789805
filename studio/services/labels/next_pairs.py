"""Which further pairs of a campaign's pictures are worth asking about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from studio.preference.choosing import Pair, Proposal, eligible, propose
from studio.storage.labels.items import NewItem
from studio.storage.labels.pool import Pool, PoolPicture
from studio.training.features.store import Features

if TYPE_CHECKING:
    from studio.preference.taste.model import Taste

MAX_CANDIDATES = 20_000


def further_items(
    pool: Pool,
    features: Mapping[str, Features],
    taste: Taste | None,
    annotator: str,
    count: int,
    rng: np.random.Generator,
) -> list[NewItem]:
    """Pairs that were not asked about and whose pictures do not look alike, at most `count`, in the order to be asked.

    features: sha256 of a picture -> what the taste was learned on, of those that have any. taste: None draws all at
    random. annotator: whose taste is to be learned; the common one where it does not know them.
    """
    candidates = _candidates(pool, rng)
    pairs: list[Pair] = [(first.sha256, second.sha256) for first, second in candidates]
    asked_pairs = {names for names in pool.items if len(names) == 2}
    places = eligible(
        pairs, asked_pairs, lambda name: None if name not in features else features[name].astype(np.float64)
    )
    proposals = _proposals(pairs, places, features, taste, annotator, count, rng)
    return [
        NewItem(
            candidates[proposal.pair][0].prompt,
            tuple(picture.reference for picture in candidates[proposal.pair]),
            chosen_by=proposal.chosen_by,
            score=None if proposal.chosen_by == "random" else proposal.score,
        )
        for proposal in proposals
    ]


def _candidates(pool: Pool, rng: np.random.Generator) -> list[tuple[PoolPicture, PoolPicture]]:
    """All pairs of pictures of one prompt, or so many of them drawn at random."""
    by_prompt: dict[str, list[PoolPicture]] = defaultdict(list)
    for picture in pool.pictures:
        by_prompt[picture.prompt].append(picture)
    pairs = [pair for pictures in by_prompt.values() for pair in combinations(pictures, 2)]
    if len(pairs) <= MAX_CANDIDATES:
        return pairs
    return [pairs[int(place)] for place in rng.choice(len(pairs), MAX_CANDIDATES, replace=False)]


def _proposals(
    pairs: Sequence[Pair],
    places: Sequence[int],
    features: Mapping[str, Features],
    taste: Taste | None,
    annotator: str,
    count: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    readable = [place for place in places if all(name in features for name in pairs[place])]
    if taste is None or not readable:
        return propose(places, count, rng)
    import torch

    first, second = (
        torch.from_numpy(np.stack([features[pairs[place][side]] for place in readable])) for side in (0, 1)
    )
    margin = taste.margin(first, second, annotator)
    differences = (taste.basis(first) - taste.basis(second)).numpy()
    proposals = propose(range(len(readable)), count, rng, margin.mean.numpy(), margin.variance.numpy(), differences)
    return [Proposal(readable[proposal.pair], proposal.chosen_by, proposal.score) for proposal in proposals]
