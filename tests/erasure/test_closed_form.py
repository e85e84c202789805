"""The closed form against its textbook, and what it promises exactly. Float64; sizes of a small text encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.erasure.closed_form import Pairs, completeness_of, leak_of, low_rank, solve, without
from tests.tolerance import rounding

WIDTH = 24
NONE = torch.empty(0, WIDTH, dtype=torch.float64)


def vectors(count: int, seed: int, width: int = WIDTH) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def near(size: float = 1.0, condition: float = 1e4) -> float:
    """Rounding of a solve: of its width in operations, and as much larger as the matrix is ill-conditioned."""
    return rounding(torch.float64, WIDTH * condition, size)


@pytest.mark.parametrize(("edits", "preserves", "protect"), [(1, 0, 1.0), (5, 8, 1.0), (40, 60, 0.3), (3, 60, 10.0)])
def test_it_is_the_textbooks(edits: int, preserves: int, protect: float) -> None:
    """W' = (sum s v* cᵀ + sum p W p pᵀ + lam W) (sum s c cᵀ + sum p p pᵀ + lam I)⁻¹, with means for sums."""
    pairs, kept, weight = Pairs(vectors(edits, 1), vectors(edits, 2)), vectors(preserves, 3), vectors(10, 4)
    (change,) = solve([pairs], kept, protect, completeness=0.9)
    ridge = 0.1 / 0.9 * pairs.sources.square().sum(1).mean()
    left = weight @ pairs.targets.T @ pairs.sources / edits + ridge * weight
    right = pairs.sources.T @ pairs.sources / edits + ridge * torch.eye(WIDTH, dtype=torch.float64)
    if preserves:
        left += protect * weight @ kept.T @ kept / preserves
        right += protect * kept.T @ kept / preserves
    textbook = left @ torch.linalg.inv(right) - weight
    torch.testing.assert_close(weight @ change, textbook, rtol=0, atol=near(float(textbook.abs().max())))
    assert torch.linalg.matrix_rank(change) <= edits


@pytest.mark.parametrize("completeness", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("strength", [0.25, 1.0, 1.5])
def test_a_lone_concept_goes_the_share_of_its_way(completeness: float, strength: float) -> None:
    source, target, weight = vectors(1, 1), vectors(1, 2), vectors(10, 3)
    (change,) = solve([Pairs(source, target)], NONE, completeness=completeness)
    share = strength * completeness
    expected = (1 - share) * weight @ source[0] + share * weight @ target[0]
    torch.testing.assert_close((weight + strength * weight @ change) @ source[0], expected, rtol=0, atol=near(20))
    assert completeness_of(change, Pairs(source, target)) == pytest.approx(1 - (1 - completeness) ** 2, abs=near())


def test_nothing_to_do_is_nothing_done_and_how_often_a_vector_is_said_does_not_matter() -> None:
    pairs, kept = Pairs(vectors(4, 1), vectors(4, 2)), vectors(6, 3)
    assert not solve([Pairs(pairs.sources, pairs.sources)], kept)[0].any()
    (once,) = solve([pairs], kept)
    (often,) = solve([Pairs(pairs.sources.repeat(7, 1), pairs.targets.repeat(7, 1))], kept.repeat(3, 1))
    torch.testing.assert_close(often, once, rtol=0, atol=near(float(once.abs().max())))


def test_concepts_that_share_nothing_are_solved_together_as_alone_and_others_know_of_each_other() -> None:
    basis = torch.linalg.qr(vectors(WIDTH, 1)).Q
    apart = [Pairs(3 * basis[k : k + 1], vectors(1, 5 + k)) for k in range(3)]
    for together, pairs in zip(solve(apart, NONE), apart, strict=True):
        torch.testing.assert_close(together, solve([pairs], NONE)[0], rtol=0, atol=near(10))
    alike = [Pairs(basis[:1], basis[1:2]), Pairs(basis[:1] + 0.1 * basis[2:3], basis[3:4])]
    joint = torch.stack(solve(alike, NONE)).sum(0)
    alone = torch.stack([solve([pairs], NONE)[0] for pairs in alike]).sum(0)
    for pairs in alike:
        assert completeness_of(joint, pairs) > completeness_of(alone, pairs)  # alone, each adds what the other has done


def test_preserves_hold_more_the_more_they_weigh() -> None:
    pairs, kept = Pairs(vectors(4, 1), vectors(4, 2)), vectors(10, 3)
    leaks = [leak_of(solve([pairs], kept, protect)[0], pairs, kept) for protect in (0, 0.1, 1, 10, 1e4)]
    assert leaks == sorted(leaks, reverse=True) and leaks[-1] < 1e-3 * leaks[0]
    assert leak_of(solve([pairs], NONE)[0], pairs, kept) == pytest.approx(leaks[0])


def test_what_is_untouched_is_not_moved_at_all_and_the_concept_is_as_far_as_it_is_not_in_it() -> None:
    kept = vectors(6, 3)
    pairs = Pairs(vectors(4, 1), vectors(4, 2))
    (change,) = solve([pairs], NONE, untouched=kept)
    assert float((kept @ change.T).abs().max()) < near(10) and completeness_of(change, pairs) > 0.5
    within = Pairs(torch.ones(2, 6, dtype=torch.float64) @ kept, vectors(2, 2))  # nothing of it lies outside
    (nothing,) = solve([within], NONE, untouched=kept)
    assert float(nothing.abs().max()) < near(10) and not completeness_of(nothing, within) > near()
    # Of many texts the strongest directions are taken alone, for all of them are the whole space.
    many = torch.cat([vectors(100, 4)[:, :4] @ vectors(4, 5), 1e-3 * vectors(100, 6)])
    assert float(without(pairs.sources, many).square().sum()) > 0.5 * float(pairs.sources.square().sum())


def test_as_a_lora_it_is_the_same_and_a_shorter_one_leaves_out_what_it_says() -> None:
    (change,) = solve([Pairs(vectors(9, 1), vectors(9, 2))], vectors(20, 3))
    weight = vectors(16, 4)
    product = weight @ change
    size = float(product.abs().max())
    (b,), a = low_rank(weight, [change])
    torch.testing.assert_close(b @ a, product, rtol=0, atol=near(size))
    assert b.shape == (16, 9) and a.shape == (9, WIDTH)
    values = torch.linalg.svdvals(product)
    for energy in (0.5, 0.9, 0.99):
        (b,), a = low_rank(weight, [change], energy)
        rank = b.shape[1]
        left = float((product - b @ a).square().sum())
        assert left == pytest.approx(float(values[rank:].square().sum()), rel=1e-6)
        assert left <= (1 - energy) * float(product.square().sum()) < float(values[rank - 1 :].square().sum())
    (b,), a = low_rank(weight, [torch.zeros_like(change)])
    assert b.shape == (16, 1) and not (b @ a).any()


def test_the_shares_of_a_joint_solution_add_up_to_it_at_every_rank_and_each_keeps_its_own_energy() -> None:
    weight = vectors(16, 4)
    opposed = Pairs(vectors(5, 1), vectors(5, 2))  # nearly the same vectors, sent two ways: the two shares cancel
    changes = solve([opposed, Pairs(opposed.sources + 0.1 * vectors(5, 3), vectors(5, 5))], vectors(20, 6))
    joint = torch.stack(changes).sum(0)
    for energy in (0.5, 0.99, 1.0):
        bs, a = low_rank(weight, changes, energy)
        (lone,), basis = low_rank(weight, [joint], energy)
        for product, kept in (
            (weight @ joint, torch.stack(bs).sum(0) @ a),
            *((weight @ g, b @ a) for g, b in zip(changes, bs, strict=True)),
        ):
            left = float((product - kept).square().sum())
            assert left <= (1 - energy + near()) * float(product.square().sum())
        size = float((weight @ joint).abs().max())
        if energy == 1:
            torch.testing.assert_close(torch.stack(bs).sum(0) @ a, lone @ basis, rtol=0, atol=near(size))


def test_what_cannot_be_solved_is_refused_in_a_sentence() -> None:
    pairs = Pairs(vectors(2, 1), vectors(2, 2))
    for completeness in (0.0, 1.0, float("nan")):
        with pytest.raises(BadInput, match="between 0 and 1"):
            solve([pairs], NONE, completeness=completeness)
    for protect in (-1.0, float("nan")):
        with pytest.raises(BadInput, match="cannot weigh"):
            solve([pairs], NONE, protect)
    with pytest.raises(BadInput, match="nothing to edit"):
        solve([], NONE)
    with pytest.raises(BadInput, match="nothing to edit"):
        Pairs(NONE, NONE)
    with pytest.raises(BadInput, match="share of energy"):
        without(pairs.sources, pairs.targets, energy=0)
    with pytest.raises(ValueError, match="alike"):
        Pairs(vectors(2, 1), vectors(3, 2))
    with pytest.raises(ValueError, match="numbers"):
        solve([Pairs(vectors(2, 1), torch.full((2, WIDTH), torch.nan))], NONE)
