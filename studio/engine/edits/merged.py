"""Executor "merged": one stack for the whole batch, written into the weights. No cost per step.

Only tensors of edits whose strength moved are written, always from W0 (`compose`), in place, so compiled graphs go on.
Never unfused: an edit leaves because the sum is taken without it.
"""

from __future__ import annotations

import torch

from studio.engine.edits.compose import Composition, shares_of
from studio.engine.edits.deltas import DeltaCache
from studio.engine.edits.pristine import Pristine
from studio.engine.edits.stack import EMPTY, EditStack


class Merged:
    """One component's weights. Used on the engine's thread only."""

    def __init__(self, component: str, pristine: Pristine, deltas: DeltaCache) -> None:
        self._component = component
        self._pristine = pristine
        self._deltas = deltas
        self._applied = EMPTY
        self._latest: tuple[object, Composition] | None = None  # for a strength under a hand, that moves again

    def use(self, stack: EditStack) -> int:
        """Write a stack into the weights; give how many tensors that took. If it fails, the base is back."""
        strengths = {edit.sha256: strength for edit, strength in stack}
        former = {edit.sha256: strength for edit, strength in self._applied}
        moved = [sha for sha in {**former, **strengths} if former.get(sha) != strengths.get(sha)]
        try:
            composition = self._composition(stack, moved)
            composition.write(self._pristine.homes, strengths)
        except BaseException:
            touched = self._pristine.touched()
            homes = [self._pristine.homes[key] for key in touched]
            if touched:
                torch._foreach_copy_(homes, [self._pristine[key] for key in touched])
            self._applied, self._latest = EMPTY, None
            raise
        self._applied = stack
        return len(composition.keys)

    def _composition(self, stack: EditStack, moved: list[str]) -> Composition:
        """Of the tensors that these edits touch, the same as last time where only strengths have moved."""
        edits_at_hand = (frozenset(moved), frozenset(edit.sha256 for edit, _ in stack))
        if self._latest is None or self._latest[0] != edits_at_hand:
            shares = shares_of(stack, self._component)
            either = (
                entry
                for stack_before_or_now in (self._applied, stack)
                for entry in stack_before_or_now
                if entry[0].sha256 in moved
            )
            touched = dict.fromkeys(shares_of(EditStack(tuple(either)), self._component))
            self._pristine.keep(touched)
            of_touched = {key: shares.get(key, ()) for key in touched}
            self._latest = (edits_at_hand, Composition(of_touched, self._pristine, self._deltas, self._component))
        return self._latest[1]
