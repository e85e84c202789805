"""The micro-batcher: runs many trajectories in as few evaluations of the network as it can.

In every round it collects what all of them ask for, drops rows that are asked twice (variants that start from the same
noise share their first step), and runs the rest together, each row with its own time and condition. Images come and go
on their own: none waits for another to finish.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import Cancelled
from studio.engine.trajectory import Row, Run, StepReport, Trajectory
from studio.models.bundle import ModelBundle

_KEPT_STACKS = 64


@dataclass(eq=False)
class _Live:
    trajectory: Trajectory
    run: Run
    asked: list[Row]


class Batcher:
    """Runs trajectories of one model. max_rows: most rows of one evaluation."""

    def __init__(self, bundle: ModelBundle, max_rows: int = 32) -> None:
        self._bundle = bundle
        self._max_rows = max(1, max_rows)
        self._stacks: OrderedDict[tuple[int, ...], tuple[list[Any], Any]] = OrderedDict()
        self.evaluations = 0
        self.rows = 0

    def run(
        self,
        trajectories: Sequence[Trajectory],
        on_step: Callable[[StepReport], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (index, latents [1, C, h, w]) as each is finished; as many at once as `max_rows` has room for.

        Raises Cancelled within one evaluation of `should_stop` giving True, and what a trajectory raises.
        """
        waiting = list(reversed(trajectories))
        starts: dict[tuple[object, ...], Tensor] = {}
        live: list[_Live] = []
        while waiting or live:
            # The first in line goes in however wide it is: its rows are split where they do not fit.
            while waiting and (not live or self._width(live) + waiting[-1].width <= self._max_rows):
                trajectory = waiting.pop()
                run = trajectory.run(shared_start(trajectory, starts), on_step)
                live.append(_Live(trajectory, run, next(run)))
            if should_stop():
                raise Cancelled("The job was stopped.")
            answers = self._evaluate([row for each in live for row in each.asked])
            going: list[_Live] = []
            for each in live:
                own = [answers[row.key] for row in each.asked]
                try:
                    each.asked = each.run.send(own)
                    going.append(each)
                except StopIteration as end:
                    yield each.trajectory.index, end.value
            live = going

    def _width(self, live: Sequence[_Live]) -> int:
        return sum(max(each.trajectory.width, len(each.asked)) for each in live)

    def _evaluate(self, rows: list[Row]) -> dict[tuple[object, ...], Tensor]:
        """Raw outputs by row key, each [1, C, h, w]."""
        once = {row.key: row for row in rows}
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in once.values():
            groups.setdefault((row.x.shape, row.perturb, row.model), []).append(row)
        answers: dict[tuple[object, ...], Tensor] = {}
        for (_, perturb, model), group in groups.items():
            if perturb is not None or model != "main":
                raise NotImplementedError(f"no such prediction yet: {perturb or model}")
            for at in range(0, len(group), self._max_rows):
                block = group[at : at + self._max_rows]
                raw = self._predict(block)
                answers |= {row.key: raw[k : k + 1] for k, row in enumerate(block)}
        return answers

    def _predict(self, block: list[Row]) -> Tensor:
        self.evaluations += 1
        self.rows += len(block)
        x = block[0].x if len(block) == 1 else torch.cat([row.x for row in block])
        t = torch.tensor([row.t for row in block], device=x.device)
        return self._bundle.predict(x, t, self._stack([row.cond for row in block]))

    def _stack(self, conds: list[Any]) -> Any:
        """Conditionings of one row each as one; kept, since the same come again at every step."""
        if len(conds) == 1:
            return conds[0]
        key = tuple(map(id, conds))
        if key not in self._stacks:
            self._stacks[key] = (conds, torch.cat(conds))  # the parts are kept too: their ids must not be given anew
            while len(self._stacks) > _KEPT_STACKS:
                self._stacks.popitem(last=False)
        self._stacks.move_to_end(key)
        return self._stacks[key][1]


def shared_start(trajectory: Trajectory, starts: dict[tuple[object, ...], Tensor]) -> Tensor:
    """The noise a trajectory begins from: one tensor for all that begin alike, so that their first rows are equal."""
    recipe = trajectory.recipe
    varied = (recipe.variation_seed, recipe.variation_strength) if recipe.variation_strength > 0 else None
    key = (recipe.seed, recipe.width, recipe.height, varied)
    if key not in starts:
        starts[key] = trajectory.start()
    return starts[key]
