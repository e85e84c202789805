"""A stack over the steps of one picture: edits that begin late, end early, or are as strong as the prompt asks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EditStack


@dataclass(frozen=True, eq=False)
class TimedStack:
    """Edits, and the steps in which each acts.

    whole: every edit that acts in some step.
    windows: the steps each entry acts in, from 0.
    auto: hashes of those whose strength is to be multiplied by what their gate makes of the prompt.
    """

    whole: EditStack
    windows: tuple[range, ...]
    auto: frozenset[str] = frozenset()
    _by_step: dict[tuple[bool, ...], EditStack] = field(default_factory=dict[tuple[bool, ...], EditStack], repr=False)

    def at(self, step: int) -> EditStack:
        """What acts at a step; the same object wherever the same edits do."""
        acting = tuple(step in window for window in self.windows)
        if acting not in self._by_step:
            entries = (entry for entry, is_on in zip(self.whole.entries, acting, strict=True) if is_on)
            self._by_step[acting] = EditStack(tuple(entries))
        return self._by_step[acting]

    def part(self, components: Collection[str]) -> TimedStack:
        """As `EditStack.part`."""
        entries = zip(self.whole.entries, self.windows, strict=True)
        mine = [(entry, w) for entry, w in entries if any(name in entry[0].layers for name in components)]
        return TimedStack(EditStack(tuple(entry for entry, _ in mine)), tuple(w for _, w in mine), self.auto)

    def gated(self, gate: Callable[[Edit], float]) -> TimedStack:
        """The same with the strengths that the gates give; an edit that its gate leaves nothing of drops out."""
        entries: list[tuple[Edit, float]] = []
        windows: list[range] = []
        for (edit, strength), window in zip(self.whole.entries, self.windows, strict=True):
            share = min(1.0, max(0.0, gate(edit))) if edit.sha256 in self.auto else 1.0
            if share:
                entries.append((edit, strength * share))
                windows.append(window)
        return TimedStack(EditStack.of(entries), tuple(windows))


Stack = EditStack | TimedStack  # what a picture is drawn under
