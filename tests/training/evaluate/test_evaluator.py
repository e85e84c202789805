"""The one place that draws, reads and keeps: in fixed company, nothing twice, and stopped anywhere to the same end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.core.errors import Cancelled
from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.order import SampleOptions, plain_orders
from studio.engine.sampler import sample
from studio.models.loading import load_model
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_bundle
from studio.training.evaluate.evaluator import Series, evaluate, left, results_of
from studio.training.evaluate.meter import Meter, Picture
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.results import Result
from studio.training.evaluate.store import FileStore, MemoryStore, Store
from studio.world.reading import Reading, SeenThing, Wanted
from tests.tiny_model import build_once

SHARED, ISOLATED = Protocol(), Protocol(batching="isolated")


class Painter:
    """What it paints depends on company, as a shared batch does: on the recipe, and on how many there are."""

    def __init__(self) -> None:
        self.drawn: list[list[int]] = []

    def __call__(self, recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture] | None]:
        self.drawn.append([])
        for index in reversed(range(len(recipes))):
            yield None
            recipe = recipes[index]
            together = 1 if recipe.batching == "isolated" else len(recipes)
            self.drawn[-1].append(recipe.seed)
            yield index, np.full((4, 4, 3), (7 * recipe.seed + together) % 251, np.uint8)

    @property
    def seeds(self) -> list[int]:
        return [seed for block in self.drawn for seed in block]


def read(images: Any) -> list[Reading]:
    """What it reads depends on company too."""
    score = len(images) / 100
    return [Reading((SeenThing("star", "red"),), "one", "flat", "white", "medium", "center", False, score)] * len(
        images
    )


def cases_of(n: int, group: str = "", first: int = 0) -> list[Case]:
    return [Case(f"a star {i % 5}", first + i, Wanted((("star", None),)), group) for i in range(n)]


def series_of(cases: Sequence[Case], protocol: Protocol, store: Store) -> Series:
    return Series(cases, [protocol.recipe(case, "stencil", 32) for case in cases], store)


def told(results: Sequence[Result]) -> list[tuple[int, str, float]]:
    """What tells whether two evaluations are the same to the bit."""
    return [
        (each.case.seed, each.facts.sha256, each.facts.reading.invalid_score if each.facts.reading else -1.0)
        for each in results
    ]


def finished(series: Sequence[Series], painter: Painter) -> Painter:
    for _ in evaluate(series, left(series), painter, Meter(read)):
        pass
    return painter


def test_values_are_those_of_the_plain_way() -> None:
    cases = [*cases_of(40, "one"), *cases_of(33, "two", 500)]
    results = results_of(cases, [SHARED.recipe(case, "stencil", 32) for case in cases], Painter(), Meter(read))
    # The plain way: every group in blocks of 32, drawn and read together.
    plain: list[tuple[int, str, float]] = []
    for group in ("one", "two"):
        own = [case for case in cases if case.group == group]
        for at in range(0, len(own), 32):
            block = own[at : at + 32]
            pictures = [np.full((4, 4, 3), (7 * case.seed + len(block)) % 251, np.uint8) for case in block]
            facts = Meter(read)(pictures)
            plain += told([Result(*each) for each in zip(block, facts, strict=True)])
    assert told(results) == plain
    assert {each.facts.reading.invalid_score for each in results if each.facts.reading} == {0.32, 0.08, 0.01}


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_blocks_draw_what_one_batch_of_all_draws(scale: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As the gates were drawn before there were blocks: the same bits, guided or not."""
    bundle = load_model(build_once(tmp_path_factory), "cpu", torch.float32, name="stencil")
    protocol = Protocol(steps=2, guidance=GuidanceSpec(params={"guidance_scale": scale}))
    cases = cases_of(70)
    recipes = [protocol.recipe(case, "stencil", bundle.default_size_px) for case in cases]
    blocks = results_of(cases, recipes, by_bundle(bundle), Meter())
    pictures = dict(sample(bundle, plain_orders(recipes), options=SampleOptions(max_rows=32)))
    together = Meter()([pictures[i] for i in range(70)])
    assert [each.facts.plain() for each in blocks] == [facts.plain() for facts in together]


@pytest.mark.parametrize("protocol", [SHARED, ISOLATED], ids=lambda protocol: protocol.batching)
def test_nothing_is_drawn_twice(protocol: Protocol, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "a.jsonl"
    first = finished([series_of(cases_of(70), protocol, FileStore(path))], Painter())
    assert sorted(first.seeds) == list(range(70))
    series = series_of(cases_of(70), protocol, FileStore(path))
    assert finished([series], Painter()).drawn == []
    assert len(series.results()) == 70
    more = finished([series_of(cases_of(96), protocol, FileStore(path))], Painter())
    # Of a shared batch that had been cut short by the end, all are drawn for the sake of their company.
    assert sorted(more.seeds) == list(range(64 if protocol is SHARED else 70, 96))


@pytest.mark.parametrize("protocol", [SHARED, ISOLATED], ids=lambda protocol: protocol.batching)
@pytest.mark.parametrize("turns", [1, 33, 40, 66, 71])
def test_stopped_anywhere_it_goes_on_to_the_same_values(protocol: Protocol, turns: int, tmp_path: Path) -> None:
    unbroken = series_of(cases_of(70), protocol, FileStore(tmp_path / "unbroken.jsonl"))
    finished([unbroken], Painter())
    path = tmp_path / "broken.jsonl"
    stopped = series_of(cases_of(70), protocol, FileStore(path))
    work = evaluate([stopped], left([stopped]), Painter(), Meter(read))
    for _ in range(turns):
        next(work)
    with pytest.raises(Cancelled):
        work.throw(Cancelled("stopped"))
    kept = len(stopped.results())
    # It gives way once for each picture and once for each batch: that of 32, or of the picture alone.
    assert kept == len(FileStore(path)._facts) == (turns // 33 * 32 if protocol is SHARED else turns // 2)
    again = series_of(cases_of(70), protocol, FileStore(path))
    rest = finished([again], Painter())
    assert len(rest.seeds) == 70 - kept
    assert told(again.results()) == told(unbroken.results())


def test_where_it_stops_what_draws_is_ended() -> None:
    ended: list[str] = []

    def draw(recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture] | None]:
        try:
            while True:
                yield None
        finally:
            ended.append("ended")

    series = Series(cases_of(3), [SHARED.recipe(case, "stencil", 32) for case in cases_of(3)])
    work = evaluate([series], left([series]), draw, Meter(read))
    next(work)
    with pytest.raises(Cancelled):
        work.throw(Cancelled("stopped"))
    assert ended == ["ended"]


@pytest.mark.parametrize("protocol", [SHARED, ISOLATED], ids=lambda protocol: protocol.batching)
def test_a_row_that_cannot_be_read_costs_itself_alone(protocol: Protocol, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    whole = series_of(cases_of(70), protocol, FileStore(path))
    finished([whole], Painter())
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines[40].replace(b'"seed": ', b'"seed": 1')
    path.write_bytes(b"".join([*lines[:40], damaged, *lines[41:]]))
    again = series_of(cases_of(70), protocol, FileStore(path))
    assert len(again.results()) == 69
    painter = finished([again], Painter())
    assert told(again.results()) == told(whole.results())
    lost = int(lines[40].split(b'"seed": ')[1].split(b",")[0])
    assert painter.seeds == [lost] if protocol is ISOLATED else lost in painter.seeds and len(painter.seeds) == 32
    assert len(path.read_bytes().splitlines()) == 71  # the one that was lost, and nothing else, was written again


def test_series_side_by_side_are_drawn_in_the_blocks_that_are_given() -> None:
    """As claims do it: all arms of a picture in one company, and each arm read by itself."""
    both = [series_of(cases_of(40), SHARED, MemoryStore()) for _ in "ab"]
    order = [(a, i) for i in range(40) for a in range(2)]
    blocks = left(both, [order[at : at + 64] for at in range(0, len(order), 64)])
    painter = Painter()
    for _ in evaluate(both, blocks, painter, Meter(read)):
        pass
    assert [len(block) for block in painter.drawn] == [64, 16]
    scores = [each.facts.reading.invalid_score for each in both[0].results() if each.facts.reading]
    assert scores == [0.32] * 32 + [0.08] * 8 and told(both[0].results()) == told(both[1].results())


def test_facts_come_back_from_disk_to_the_bit(tmp_path: Path) -> None:
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(3))
    numbers = iter(features.split(32))
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (9, 7, 3), dtype=np.uint8) for _ in range(40)]
    facts = Meter(read, lambda images: next(numbers))(pictures)
    store = FileStore(tmp_path / "a.jsonl")
    store.add(list(zip(cases_of(40), facts, strict=True)))
    again = FileStore(tmp_path / "a.jsonl")
    for case, before, place in zip(cases_of(40), facts, range(40), strict=True):
        after = again.get(case)
        assert after is not None and after.features is not None
        assert (after.sha256, dict(after.tones), after.reading) == (before.sha256, dict(before.tones), before.reading)
        assert np.array_equal(after.features, features[place].numpy())
