"""CHES: its values, and which pairs are at its top."""

from __future__ import annotations

import pytest
import torch

from studio.alignment.ches import ches, displacing


def test_of_a_picture_and_itself_it_is_nothing_and_of_strangers_minus_its_square() -> None:
    h = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    assert ches(h, h).tolist() == [0, 0]
    assert ches(h, torch.tensor([[-4.0, 3.0], [0.0, 2.0]])).tolist() == [-25, -1]
    assert ches(h, 2 * h).tolist() == [25, 1], "a loser that is all that the winner is, and more"
    with pytest.raises(ValueError, match=r"\[P, d\]"):
        ches(h, h[:1])


def test_the_worst_come_first() -> None:
    scores = torch.tensor([-3.0, -0.5, -2.0, -0.5, -9.0])
    assert displacing(scores, 0.5) == [1, 3, 2] and displacing(scores, 0) == []
    assert displacing(scores, 1) == [1, 3, 2, 0, 4]
    with pytest.raises(ValueError, match="a share"):
        displacing(scores, 1.2)
