"""Conditionings: rows stack with all they carry, and lengths are never mixed unseen."""

from __future__ import annotations

import pytest
import torch

from studio.models.conditioning import Conditioning


def rows(n: int, length: int, value: float = 0.0, **extras: int) -> Conditioning:
    wide = {name: torch.full((n, size), value) for name, size in extras.items()}
    return Conditioning(torch.full((n, length, 3), value), wide)


def test_cat_and_row_are_inverse() -> None:
    parts = [rows(1, 4, 1.0, pooled=2), rows(2, 4, 2.0, pooled=2)]
    both = Conditioning.cat(parts)
    assert len(both) == 3 and both.tokens.shape == (3, 4, 3) and both.extras["pooled"].shape == (3, 2)
    assert torch.equal(both.row(0).tokens, parts[0].tokens)
    assert torch.equal(both.row(2).extras["pooled"], parts[1].extras["pooled"][1:])
    for i in (3, -1):
        with pytest.raises(IndexError):
            both.row(i)


def test_shorter_ones_are_lengthened_by_empty_chunks() -> None:
    padding = torch.arange(4.0)[None, :, None].expand(1, 4, 3)
    both = Conditioning.cat([rows(2, 4, 7.0), rows(1, 12, 8.0)], padding)
    assert both.tokens.shape == (3, 12, 3)
    assert torch.equal(both.tokens[1], torch.cat([torch.full((4, 3), 7.0), padding[0], padding[0]]))
    assert torch.equal(both.tokens[2], torch.full((12, 3), 8.0))


@pytest.mark.parametrize(
    ("lengths", "chunk", "says"),
    [((4, 8), None, "no empty chunk"), ((4, 6), 4, "a chunk has 4"), ((3, 7), 4, "3 and 7")],
)
def test_other_lengths_are_refused(lengths: tuple[int, int], chunk: int | None, says: str) -> None:
    padding = None if chunk is None else torch.zeros(1, chunk, 3)
    with pytest.raises(ValueError, match=says):
        Conditioning.cat([rows(1, length) for length in lengths], padding)


def test_parts_must_carry_the_same() -> None:
    with pytest.raises(ValueError, match="extras"):
        Conditioning.cat([rows(1, 4, pooled=2), rows(1, 4)])
    with pytest.raises(ValueError, match="nothing"):
        Conditioning.cat([])
    with pytest.raises(ValueError, match="pooled has 1 rows where tokens have 2"):
        Conditioning(torch.zeros(2, 4, 3), {"pooled": torch.zeros(1, 2)})
    with pytest.raises(ValueError, match="B, L, D"):
        Conditioning(torch.zeros(2, 4))


def test_one_extra_for_all_rows() -> None:
    told = rows(3, 4, pooled=2).with_extras(time_ids=torch.arange(6.0)[None])
    assert told.extras["time_ids"].shape == (3, 6) and set(told.extras) == {"pooled", "time_ids"}
    assert set(rows(3, 4).extras) == set()
