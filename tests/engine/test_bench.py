"""Every bench case does the same work on both sides; how fast is for a quiet machine to say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.bench import CASES, Bench, Fact, drift, edits, page, pairs, single, table
from studio.engine.bench.pairs import time_pairs
from studio.engine.config import EngineConfig
from tests.tiny_model import SIZE_PX


@pytest.fixture(scope="module")
def bench(tiny_model: Path) -> Bench:
    config = EngineConfig({"stencil": tiny_model}, require_checksums=False, preload=None, previews=False)
    recipe = Recipe(prompt="a red star", seed=7, width=SIZE_PX, height=SIZE_PX, steps=2)
    return Bench.of(config, recipe, 2, lambda pair: None)


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    """What is done many times over, so that a clock can tell it, is done a few times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edits, "time_pairs", lambda *given, repeat=1: time_pairs(*given, repeat=min(repeat, 2)))
        patch.setattr(single, "ACCOUNT_PAIRS", 2)
        patch.setattr(drift, "_CHANGES", 50)
        patch.setattr(drift, "_THEIR_CHANGES", 5)
        yield


@pytest.mark.parametrize("name", CASES.names())
def test_both_sides_do_the_same_work(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "LEAST_PAIRS", 2)
    result = CASES.get(name)(bench)
    assert name in table([result]) and name in page([result])
    if isinstance(result, Fact):
        assert result.reached
        return
    assert result.pairs == 2 and result.ours_s > 0 and result.theirs_s > 0
    assert result.ratio_low <= result.ratio <= result.ratio_high
    assert result.max_difference is None or result.max_difference <= 1


def test_few_pairs_are_no_measurement() -> None:
    with pytest.raises(BadInput, match="at least 7"):
        time_pairs(lambda: None, lambda: None, 6, lambda pair: None)


def test_the_order_within_pairs_alternates() -> None:
    order: list[str] = []
    time_pairs(lambda: order.append("o"), lambda: order.append("t"), 7, lambda pair: None)
    assert "".join(order[2:]) == "otto" * 3 + "ot"
