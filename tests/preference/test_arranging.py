"""Pictures that are there: within their group, each as often as any other, in random order."""

from collections import Counter

import numpy as np
import pytest

from studio.preference.arranging import alone, arranged
from studio.preference.campaign import Form

SIZES = [1, 2, 3, 5, 9, 0]


@pytest.mark.parametrize(
    ("form", "lengths", "times"), [("pair", {2}, {1, 2}), ("list", {2, 3, 4}, {1}), ("single", {1}, {1})]
)
def test_items_stay_within_their_group_and_use_every_picture(form: Form, lengths: set[int], times: set[int]) -> None:
    items = arranged(np.random.default_rng(0), SIZES, form)
    assert {len(pictures) for _, pictures in items} <= lengths
    assert all(len(set(pictures)) == len(pictures) for _, pictures in items)
    uses = Counter((group, picture) for group, pictures in items for picture in pictures)
    assert all(0 <= picture < SIZES[group] for group, picture in uses)
    assert set(uses.values()) <= times
    assert sum(SIZES) - len(uses) == alone(SIZES, form)
    assert len({(group, frozenset(pictures)) for group, pictures in items}) == len(items)
    assert items == arranged(np.random.default_rng(0), SIZES, form)
    assert items != arranged(np.random.default_rng(1), SIZES, form)
