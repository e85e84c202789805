"""The one place that draws, reads and keeps: series of cases, each drawn one way, in blocks of fixed company.

What a picture drawn in company is depends, to the last bit, on that company; and what is read in it, on the batch it is
read in. So both are fixed by the series alone: a block that was not finished is drawn again whole, a batch is read
whole, and an evaluation that was killed ends with the numbers of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from studio.core.recipe import Recipe
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import Draw
from studio.training.evaluate.meter import TOGETHER, Meter, Picture
from studio.training.evaluate.results import Result
from studio.training.evaluate.store import MemoryStore, Store

# Pictures drawn in one company. Of plain guidance 16 fill an evaluation of the network, and go from first step to last
# together: in longer blocks their company would be the same.
BLOCK = 32

Place = tuple[int, int]  # which series, which of its cases
Block = Sequence[Place]


@dataclass(eq=False)
class Series:
    """Cases drawn one way.

    recipes: one for each case.
    store: what is known of them, and where it is kept.
    """

    cases: Sequence[Case]
    recipes: Sequence[Recipe]
    store: Store = field(default_factory=MemoryStore)

    def results(self) -> list[Result]:
        """Those there are, in the order of the cases."""
        drawn_cases = ((case, self.store.get(case)) for case in self.cases)
        return [Result(case, facts) for case, facts in drawn_cases if facts is not None]

    @cached_property
    def batches(self) -> list[list[int]]:
        """Which cases are read together: of one group, in order; each alone where each is drawn alone."""
        together = TOGETHER if all(recipe.batching == "shared" for recipe in self.recipes) else 1
        return [batch for places in self._groups() for batch in _runs(places, together)]

    def blocks(self, number: int) -> list[list[Place]]:
        """Which cases are drawn in one company, where no other series is drawn with them. number: of this series."""
        return [[(number, i) for i in block] for places in self._groups() for block in _runs(places, BLOCK)]

    def _groups(self) -> list[list[int]]:
        places: dict[str, list[int]] = {}
        for i, case in enumerate(self.cases):
            places.setdefault(case.group, []).append(i)
        return list(places.values())


def left(series: Sequence[Series], blocks: Sequence[Block] | None = None) -> list[list[Place]]:
    """What has to be drawn, block by block. blocks: None for each series by itself."""
    if blocks is None:
        blocks = [block for number, arm in enumerate(series) for block in arm.blocks(number)]
    needed = {
        (number, i)
        for number, arm in enumerate(series)
        for batch in arm.batches
        if any(arm.store.get(arm.cases[i]) is None for i in batch)
        for i in batch
    }
    shared = [arm.batches and len(arm.batches[0]) > 1 for arm in series]
    companies = [[place for place in block if place in needed or shared[place[0]]] for block in blocks]
    return [block for block in companies if any(place in needed for place in block)]


def evaluate(
    series: Sequence[Series],
    blocks: Sequence[Block],
    draw: Draw,
    meter: Meter,
    on_picture: Callable[[Place], None] = lambda place: None,
) -> Generator[Series | None, None, None]:
    """Draw the blocks, and read and keep every batch as soon as it is whole.

    blocks: what `left` gave. on_picture: called with the place of each picture as it is drawn. Yields a series when it
    has gained results, and None wherever something more urgent may be done. Stopped anywhere, what was kept stays.
    Raises what drawing raises.
    """
    waiting: list[dict[int, Picture]] = [{} for _ in series]
    batch_of = [{i: batch for batch in arm.batches for i in batch} for arm in series]
    for block in blocks:
        with closing(_closable(draw([series[number].recipes[i] for number, i in block]))) as turns:
            for turn in turns:
                if turn is None:
                    yield None
                    continue
                index, picture = turn
                number, i = block[index]
                on_picture((number, i))
                waiting[number][i] = picture
                batch = batch_of[number][i]
                if all(member in waiting[number] for member in batch):
                    _keep(series[number], batch, [waiting[number].pop(member) for member in batch], meter)
                    yield series[number]


def _keep(series: Series, batch: Sequence[int], pictures: Sequence[Picture], meter: Meter) -> None:
    rows = zip((series.cases[i] for i in batch), meter(pictures), strict=True)
    series.store.add([(case, facts) for case, facts in rows if series.store.get(case) is None])


def results_of(
    cases: Sequence[Case],
    recipes: Sequence[Recipe],
    draw: Draw,
    meter: Meter,
    on_picture: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Draw and read cases here and now, and keep nothing: for whoever measures what is just being made."""
    series = Series(cases, recipes)
    for _ in evaluate([series], left([series]), draw, meter, lambda place: on_picture()):
        pass
    return series.results()


def _runs(places: Sequence[int], length: int) -> list[list[int]]:
    return [list(places[at : at + length]) for at in range(0, len(places), length)]


def _closable(turns: Iterator[tuple[int, Picture] | None]) -> Generator[tuple[int, Picture] | None, None, None]:
    """The same as a generator, so that what draws is ended where it is, and not when it is forgotten."""
    yield from turns
