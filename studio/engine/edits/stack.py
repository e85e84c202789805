"""The edit stack: which edits apply, and how much of each. An immutable value with an identity.

What a stack does does not depend on its order. All masks act on the pristine weight, all additions are added to that:

    W = W0 * prod_k (1 - s_k (1 - M_k)) + sum_k s_k D_k          b = b0 + sum_k s_k d_k

Floating-point sums do depend on order, so every executor goes through a stack in the order of the edits' hashes; two
stacks with the same edits and strengths are equal, have one id, and give the same bits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from studio.core.errors import BadInput
from studio.engine.edits.format import Edit, Layer

MAX_STRENGTH = 10.0  # as in a recipe
MAX_EDITS = 64


@dataclass(frozen=True, eq=False)
class EditStack:
    """entries: (edit, strength) as the user ordered them, none of strength 0. Build it with `of`."""

    entries: tuple[tuple[Edit, float], ...] = ()
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", _identity(self.entries))

    @classmethod
    def of(cls, entries: Iterable[tuple[Edit, float]]) -> EditStack:
        """Build a stack; an edit of strength 0 drops out.

        Raises BadInput for a strength that is no number from -10 to 10 (of a mask: 0 to 1), an edit that is in it
        twice, more than 64 edits.
        """
        entries_on: list[tuple[Edit, float]] = []
        hashes: set[str] = set()
        for edit, strength in entries:
            _check(edit, strength)
            if edit.sha256 in hashes:
                raise BadInput(f"The edit {edit.name!r} is in the stack twice; give it one strength.", field="edits")
            hashes.add(edit.sha256)
            if strength != 0:
                entries_on.append((edit, float(strength)))
        if len(entries_on) > MAX_EDITS:
            raise BadInput(f"A stack holds at most {MAX_EDITS} edits, not {len(entries_on)}.", field="edits")
        return cls(tuple(entries_on))

    @property
    def whole(self) -> EditStack:
        """Itself: what acts in some step (as studio.engine.edits.timed has it)."""
        return self

    def at(self, step: int) -> EditStack:
        """Itself, at every step."""
        return self

    def part(self, components: Collection[str]) -> EditStack:
        """Those edits that change one of these components. Its id tells apart what those components look like."""
        own_entries = tuple((edit, s) for edit, s in self.entries if any(name in edit.layers for name in components))
        return self if len(own_entries) == len(self.entries) else EditStack(own_entries)

    def on(self, component: str) -> dict[str, list[tuple[Edit, Layer, float]]]:
        """Module path -> what happens to that layer: (edit, layer, strength) in the order of the edits' hashes."""
        changes: dict[str, list[tuple[Edit, Layer, float]]] = {}
        for edit, strength in sorted(self.entries, key=lambda entry: entry[0].sha256):
            for path, layer in edit.layers.get(component, {}).items():
                changes.setdefault(path, []).append((edit, layer, strength))
        return changes

    def __iter__(self) -> Iterator[tuple[Edit, float]]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, stack: object) -> bool:
        return isinstance(stack, EditStack) and self.id == stack.id

    def __hash__(self) -> int:
        return hash(self.id)


def _identity(entries: tuple[tuple[Edit, float], ...]) -> str:
    """ "" for the empty stack, else 32 hex digits over the edits' hashes and strengths, in the order of the hashes."""
    if not entries:
        return ""
    lines = sorted(f"{edit.sha256} {strength!r}\n" for edit, strength in entries)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def _check(edit: Edit, strength: float) -> None:
    low = 0.0 if edit.kind == "mask" else -MAX_STRENGTH
    high = 1.0 if edit.kind == "mask" else MAX_STRENGTH
    if not math.isfinite(strength) or not low <= strength <= high:
        kind = "a mask" if edit.kind == "mask" else "an edit"
        message = f"The strength of {kind} is a number from {low:g} to {high:g}, not {strength!r} as for {edit.name!r}."
        raise BadInput(message, field="edits")


EMPTY = EditStack()
