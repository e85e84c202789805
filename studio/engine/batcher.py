"""The micro-batcher: runs many trajectories in as few evaluations of the network as it can.

In every round it collects what all of them ask for, drops rows that are asked twice (variants that start from the same
noise share their first step), and runs the rest together, each row with its own time and condition. Images come and go
on their own: none waits for another to finish.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.engine.edits.manifest import DENOISERS
from studio.engine.edits.room import WeightRoom
from studio.engine.kinds import heed
from studio.engine.perturb import CrossAttentionGuider, Perturber
from studio.engine.trajectory import NetworkRow, Run, StepReport, Trajectory
from studio.models.bundle import Conditioning, ModelBundle

_KEPT_STACKS = 64


@dataclass(eq=False)
class _Live:
    trajectory: Trajectory
    run: Run
    requests: list[NetworkRow]


class Batcher:
    """Runs trajectories of one model. room: its weights. max_rows: most rows of one evaluation.

    weak: an early checkpoint of the model, for guidance that asks one; it is run without edits.
    """

    def __init__(
        self, bundle: ModelBundle, room: WeightRoom, max_rows: int = 32, weak: ModelBundle | None = None
    ) -> None:
        self._bundles = {"main": bundle} if weak is None else {"main": bundle, "weak": weak}
        self._perturbers: dict[str, Perturber] = {}  # made when first asked for, as are these:
        self._attention_guiders: dict[str, CrossAttentionGuider] = {}
        self._room = room
        self._max_rows = max(1, max_rows)
        self._stacks: OrderedDict[tuple[int, ...], tuple[list[Conditioning], Conditioning]] = OrderedDict()
        self.evaluations = 0
        self.rows = 0

    def run(
        self,
        trajectories: Sequence[Trajectory],
        on_step: Callable[[StepReport], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[int, Tensor] | None]:
        """Yield (index, latents [1, C, h, w]) as each is finished; as many at once as `max_rows` has room for.

        And None after every round, where other work with the model may be done: each round puts its own edits in force.
        Raises Cancelled within one evaluation of `should_stop` giving True, and what a trajectory raises.
        """
        waiting = list(reversed(trajectories))
        starts: dict[tuple[object, ...], Tensor] = {}
        live: list[_Live] = []
        while waiting or live:
            # The first in line goes in however wide it is: its rows are split where they do not fit.
            while waiting and (not live or _width(live) + waiting[-1].width <= self._max_rows):
                trajectory = waiting.pop()
                run = trajectory.run(shared_start(trajectory, starts), on_step)
                try:
                    live.append(_Live(trajectory, run, next(run)))
                except StopIteration as end:  # its guidance had nothing to ask in all its steps
                    yield trajectory.index, end.value
            if not live:
                break
            heed(should_stop)
            answers = self._evaluate([row for member in live for row in member.requests])
            going: list[_Live] = []
            for member in live:
                raws = [answers[row.key] for row in member.requests]
                try:
                    member.requests = member.run.send(raws)
                    going.append(member)
                except StopIteration as end:
                    yield member.trajectory.index, end.value
            live = going
            yield None

    def _evaluate(self, rows: list[NetworkRow]) -> dict[tuple[object, ...], Tensor]:
        """Raw outputs by row key, each [1, C, h, w]."""
        once = {row.key: row for row in rows}
        groups: dict[tuple[object, ...], list[NetworkRow]] = {}
        for row in once.values():
            # A prompt of two chunks is no row beside one of one: lengthened, it would depend on its company.
            groups.setdefault((row.x.shape, row.cond.tokens.shape[1], row.model), []).append(row)
        answers: dict[tuple[object, ...], Tensor] = {}
        for group in groups.values():
            group.sort(key=lambda row: row.stack.id)  # rows of the base first, those of one stack side by side
            for at in range(0, len(group), self._max_rows):
                block = group[at : at + self._max_rows]
                raw = self._predict(block)
                answers |= {row.key: raw[k : k + 1] for k, row in enumerate(block)}
        return answers

    def _predict(self, block: list[NetworkRow]) -> Tensor:
        self.evaluations += 1
        self.rows += len(block)
        x = block[0].x if len(block) == 1 else torch.cat([row.x for row in block])
        t = torch.tensor([row.t for row in block], device=x.device)
        cond = self._stack([row.cond for row in block])
        model = block[0].model
        bundle, perturbed = self._bundles[model], [row.perturb for row in block]
        with ExitStack() as within:
            if bundle is self._bundles["main"]:
                within.enter_context(self._room.rows([row.stack for row in block]))
            # After the edits: what it changes is what they have made.
            if any(perturbed):
                if model not in self._perturbers:
                    self._perturbers[model] = perturber_of(bundle)
                within.enter_context(self._perturbers[model].applied(perturbed, (x.shape[2], x.shape[3])))
            attention_rows = [row.attention for row in block]
            if any(attention_rows):
                if model not in self._attention_guiders:
                    self._attention_guiders[model] = CrossAttentionGuider(denoiser_of(bundle), bundle.name)
                within.enter_context(self._attention_guiders[model].applied(attention_rows))
            return bundle.predict(x, t, cond)

    def _stack(self, conds: list[Conditioning]) -> Conditioning:
        """Conditionings of one row each as one; kept, since the same come again at every step."""
        if len(conds) == 1:
            return conds[0]
        key = tuple(map(id, conds))
        if key not in self._stacks:
            # The parts are kept too: their ids must not be given anew.
            self._stacks[key] = (conds, Conditioning.cat(conds))
            while len(self._stacks) > _KEPT_STACKS:
                self._stacks.popitem(last=False)
        self._stacks.move_to_end(key)
        return self._stacks[key][1]


def _width(live: Sequence[_Live]) -> int:
    """Rows of their largest evaluation together, at most."""
    return sum(member.trajectory.width for member in live)


def perturber_of(bundle: ModelBundle) -> Perturber:
    """Perturbs the denoiser of a model."""
    return Perturber(denoiser_of(bundle), bundle.perturbed_layers, bundle.name)


def denoiser_of(bundle: ModelBundle) -> nn.Module:
    """The network of a model that denoises."""
    parts = bundle.components()
    return next(parts[name] for name in DENOISERS if name in parts)


def shared_start(trajectory: Trajectory, starts: dict[tuple[object, ...], Tensor]) -> Tensor:
    """The noise a trajectory begins from: one tensor for all that begin alike, so that their first rows are equal."""
    recipe = trajectory.recipe
    varied = (recipe.variation_seed, recipe.variation_strength) if recipe.variation_strength > 0 else None
    key = (recipe.seed, recipe.width, recipe.height, varied)
    if key not in starts:
        starts[key] = trajectory.start()
    return starts[key]
