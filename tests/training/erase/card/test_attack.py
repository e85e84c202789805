"""Prefixes: which are drawn next, when the search ends, and what is left of an edit in fewer bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.engine.edits.format import Dense, Edit, LowRank
from studio.training.erase.card import attack
from studio.training.erase.card.attack import one_word, walk
from studio.training.erase.card.rounded import round_to, rounded
from studio.training.evaluate.results import Facts
from tests.engine.edits.making import Small, small
from tests.training.erase.card.making import facts, probe, subject

TARGETS = subject().targets


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "vocabulary", lambda: ("ein", "zwei", "drei", "vier"))


def searched(back_at: str, close: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    """The search where the concept is read at one prefix, and is nearly read at some; with all that was drawn."""
    probes, known, drawn = one_word([probe(0, "star", aim="heart"), probe(1, "star", aim="heart")]), {}, []
    for _ in range(9):
        made, asked = walk(probes, known, TARGETS, keep=2)
        if made is not None:
            assert not asked
            return made, drawn
        for each in asked:
            drawn.append(each.kind)
            is_close = each.kind.split()[0] in close
            near = facts("star", broken=True) if is_close else facts("heart")
            known[each.case.key] = facts("star") if each.kind == back_at else near
            assert each.case.prompt == f"{each.kind} a red star 0" and each.case.seed == 0
    raise AssertionError("the search does not end")


def test_every_word_alone_then_the_closest_before_the_best() -> None:
    made, drawn = searched("zwei vier", close=("vier", "zwei"))
    assert drawn[:4] == ["ein", "zwei", "drei", "vier"]
    assert drawn[4:6] == ["zwei zwei", "vier zwei"], "the two closest, before the closest"
    assert not made.is_back and made.tried == 8, "greedily: the order that would have done was not among them"


def test_it_ends_where_the_concept_is_back_and_after_three_words() -> None:
    made, drawn = searched("drei")
    assert (made.words, made.is_back, made.tried, len(drawn)) == ("drei", True, 4, 4)
    assert made.prompt == "a red star 0"
    never, drawn = searched("nowhere")
    assert (never.is_back, never.tried, len(drawn), len(never.words.split())) == (False, 8, 8, 3)


def test_an_oracle_that_reads_nothing_ends_it_too() -> None:
    probes = one_word([probe(0, "star", aim="heart")])
    known = {each.case.key: Facts("x", {}) for each in probes}
    assert [each.kind for each in walk(probes, known, TARGETS, 2)[1]] == ["ein ein", "zwei ein"]
    assert one_word([]) == []


def test_rounding_keeps_the_largest_and_moves_no_weight_by_more_than_half_a_step() -> None:
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    for bits, most in ((8, 127), (4, 7)):
        close = round_to(weight, bits)
        rows, near = weight.flatten(1), close.flatten(1)
        step = rows.abs().amax(1, keepdim=True) / most  # of a whole row, which no group's is above
        assert bool(((rows - near).abs() <= step * 0.5 + 1e-6).all()) and not torch.equal(rows, near)
        assert torch.allclose(near.abs().amax(1), rows.abs().amax(1))
    assert torch.equal(round_to(torch.zeros(2, 40), 4), torch.zeros(2, 40))


def test_a_rounded_edit_takes_the_base_to_rounded_weights_and_a_tiny_change_is_lost() -> None:
    module: Small = small()
    base = module.to_q.weight.detach().clone()
    change = torch.full_like(base, 1e-5)
    layers = {"unet": {"to_q": Dense(change)}}
    lost = rounded(Edit("tiny", "dense", layers), {"unet": module}, 4).layers["unet"]["to_q"]
    assert isinstance(lost, Dense)
    assert torch.allclose(base + lost.delta(), round_to(base + change, 4), atol=1e-6)
    assert torch.allclose(round_to(base + change, 4), round_to(base, 4), atol=2e-5), "hardly a weight has moved"
    low = {"unet": {"to_q": LowRank(torch.ones(1, 8), torch.ones(8, 1), 1.0)}}
    kept = rounded(Edit("large", "lora", low), {"unet": module}, 8).layers["unet"]["to_q"]
    assert torch.allclose(base + kept.delta(), base + 1, atol=0.02)  # type: ignore[union-attr]
