"""From a tree to what has to be encoded at which step.

Values all through: equal ones are equal and hash alike, so an embedding cache can use them as keys.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.prompts.numbers import written
from studio.prompts.tree import (
    Alternating,
    Blend,
    Break,
    Conjunction,
    Node,
    Origin,
    Scheduled,
    Sequence,
    Span,
    Text,
    Weighted,
    joined_origin,
    source_span,
)

MAX_WEIGHT = 100.0
MAX_BRANCHES = 16  # each is a forward pass of its own at every step
MAX_BLEND = 16
# Different texts of one picture, each encoded once before its first step: one prompt that changes at all of the most
# steps there can be, 1,000, and what stays.
MAX_TEXTS = 1024


@dataclass(frozen=True)
class Fragment:
    """Words of one weight.

    pieces: what of the source they are joined from; they do not count in comparisons.
    """

    text: str
    weight: float = 1.0
    pieces: tuple[Text, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def origin(self) -> Origin:
        """Where in the source the words stand. Worked out when asked for: of a thousand texts perhaps one is."""
        return joined_origin((piece.text, piece.origin) for piece in self.pieces)

    def source_span(self, start: int, end: int) -> Span:
        """Where in the source the characters start..end stand."""
        return source_span(self.origin, start, end)


Chunk = tuple[Fragment, ...]


@dataclass(frozen=True)
class Wording:
    """One prompt as the text encoder gets it: chunks of fragments, each chunk with start and end of its own."""

    chunks: tuple[Chunk, ...]

    @cached_property
    def _hash(self) -> int:
        return hash(self.chunks)

    def __hash__(self) -> int:  # kept: a long text is a key at every step
        return self._hash

    def __reduce__(self) -> tuple[type[Wording], tuple[tuple[Chunk, ...]]]:  # hashes differ between processes
        return Wording, (self.chunks,)


@dataclass(frozen=True)
class Mix:
    """The sum of several encodings, each times its weight. The weights are final: nothing is left to normalise."""

    parts: tuple[tuple[float, Wording], ...]


Encodable = Wording | Mix


@dataclass(frozen=True)
class Segment:
    """What holds from step `start` up to, not including, step `stop`."""

    start: int
    stop: int
    item: Encodable


@dataclass(frozen=True)
class Branch:
    """One prompt of a conjunction, with its weight in noise space. Its segments cover all steps in order."""

    weight: float
    segments: tuple[Segment, ...]

    def at(self, step: int) -> Encodable:
        """What to encode for a step, 0-based. Raises ValueError outside of the plan."""
        if not 0 <= step < self.segments[-1].stop:
            raise ValueError(f"step {step} is outside of the plan's {self.segments[-1].stop}")
        return self.segments[bisect_right(self._starts, step) - 1].item

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(segment.start for segment in self.segments)


@dataclass(frozen=True)
class PromptPlan:
    """What to encode, for each branch and step. A plain prompt has one branch, segment, chunk and fragment."""

    steps: int
    branches: tuple[Branch, ...]

    def at(self, step: int) -> tuple[tuple[float, Encodable], ...]:
        """(weight, item) of each branch at a step, 0-based. Raises ValueError outside of the plan."""
        return tuple((branch.weight, branch.at(step)) for branch in self.branches)

    def items(self) -> tuple[Encodable, ...]:
        """Everything there is to encode, once each, in order of first use."""
        return tuple(dict.fromkeys(segment.item for branch in self.branches for segment in branch.segments))

    def wordings(self) -> tuple[Wording, ...]:
        """Every wording there is to encode, those within mixes too, once each."""
        parts = [item.parts if isinstance(item, Mix) else ((1.0, item),) for item in self.items()]
        return tuple(dict.fromkeys(wording for part in parts for _, wording in part))

    @property
    def plain(self) -> str | None:
        """The text, if the plan is of nothing but words of weight 1 that stay; None if there is more to it."""
        items = self.items()
        if len(self.branches) != 1 or self.branches[0].weight != 1 or len(items) != 1:
            return None
        item = items[0]
        if isinstance(item, Mix) or len(item.chunks) != 1 or any(part.weight != 1 for part in item.chunks[0]):
            return None
        return "".join(part.text for part in item.chunks[0])


def compile(tree: Node, steps: int) -> PromptPlan:
    """Give the plan of a prompt for a number of sampling steps.

    Equal items are one object, also across segments and branches. Raises BadInput for weights beyond +-100, more than
    16 prompts joined by AND or blended. ValueError: steps below 1, or a conjunction or blend that is not at the root.
    """
    if steps < 1:
        raise ValueError(f"a plan has at least one step, not {steps}")
    parts, weights = (tree.parts, tree.weights) if isinstance(tree, Conjunction) else ((tree,), (1.0,))
    if len(parts) > MAX_BRANCHES:
        raise BadInput(f"The prompt joins {len(parts)} prompts by AND; at most {MAX_BRANCHES} can be drawn together.")
    interned: dict[Encodable, Encodable] = {}
    branches = [
        Branch(_checked(weight, "a prompt joined by AND"), _segments(part, steps, interned))
        for part, weight in zip(parts, weights, strict=True)
    ]
    return PromptPlan(steps, tuple(branches))


def switch_step(at: float, steps: int) -> int:
    """The step, 0-based, from which a Scheduled shows `later`; 0 or less: from the start, `steps` or more: never."""
    if math.isinf(at):
        return steps
    # A product such as 0.29 * 100 may fall just short of the whole number it stands for.
    return int(at * steps + 1e-9) if at < 1 else int(at)


def texts_at_most(tree: Node, steps: int) -> int:
    """How many different texts a prompt can come to over its steps, without spelling any of them."""
    parts = tree.parts if isinstance(tree, Conjunction) else (tree,)
    return sum(len({phase for _, _, phase in _stretches(part, steps)}) for part in parts)


def _segments(part: Node, steps: int, interned: dict[Encodable, Encodable]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    spelled: dict[_Phase, Encodable] = {}
    speller = _Speller(part, steps)
    for start, stop, phase in _stretches(part, steps):
        if phase not in spelled:
            item = speller.item(start)
            spelled[phase] = interned.setdefault(item, item)
        item = spelled[phase]
        if segments and segments[-1].item is item:
            segments[-1] = replace(segments[-1], stop=stop)
        else:
            segments.append(Segment(start, stop, item))
    return tuple(segments)


_Phase = tuple[int, int]  # equal ones have equal words: which stretch between two switches, and the place in its turns


def _stretches(part: Node, steps: int) -> Iterator[tuple[int, int, _Phase]]:
    """(start, stop, phase) of steps in between which nothing can change."""
    changes = list(_changes(part, 0, steps, steps))
    ordered = sorted({0, *(edge for start, stop, _ in changes for edge in (start, stop))} - {steps})
    starting: dict[int, list[int]] = {}
    ending: dict[int, list[int]] = {}
    for start, stop, options in changes:
        if options > 1:
            starting.setdefault(start, []).append(options)
            ending.setdefault(stop, []).append(options)
    turning: Counter[int] = Counter()  # numbers of options of what takes turns in this stretch
    for number, (start, stop) in enumerate(zip(ordered, [*ordered[1:], steps], strict=True)):
        turning.update(starting.get(start, ()))
        turning.subtract(ending.get(start, ()))
        turns = math.lcm(*(options for options, count in turning.items() if count > 0))
        if turns == 1:
            yield start, stop, (number, 0)
        else:
            yield from ((step, step + 1, (number, step % turns)) for step in range(start, stop))


def _changes(node: Node, start: int, stop: int, steps: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, options) of whatever changes in a node shown from `start` to `stop`: 1 for one side of a switch."""
    match node:
        case Alternating():
            yield start, stop, len(node.options)
            for option in node.options:
                yield from _changes(option, start, stop, steps)
        case Scheduled():
            switch = min(max(switch_step(node.at, steps), start), stop)
            for side, first, last in ((node.earlier, start, switch), (node.later, switch, stop)):
                if first < last:
                    yield first, last, 1
                    yield from _changes(side, first, last, steps)
        case _:
            for part in _children(node):
                yield from _changes(part, start, stop, steps)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Weighted():
            return (node.part,)
        case Scheduled():
            return (node.earlier, node.later)
        case Alternating():
            return node.options
        case Sequence() | Conjunction() | Blend():
            return node.parts
        case _:
            return ()


class _Run(NamedTuple):
    """Words as they are written, or without any a new chunk of tokens."""

    text: Text | None
    weight: float | None


@dataclass(frozen=True)
class _Choice:
    """What of several is shown depends on the step. switch: the step at which the first gives way; None: in turns."""

    options: tuple[_Flat, ...]
    switch: int | None

    def at(self, step: int) -> _Flat:
        if self.switch is None:
            return self.options[step % len(self.options)]
        return self.options[step >= self.switch]


@dataclass(frozen=True)
class _Flat:
    """A node taken apart once, so that its words at a step are put together without walking the tree again."""

    pieces: tuple[_Run | _Choice, ...]
    changes: bool

    @classmethod
    def of(cls, pieces: Iterator[_Run | _Choice]) -> _Flat:
        sequence = tuple(pieces)
        return cls(sequence, any(isinstance(piece, _Choice) for piece in sequence))

    def runs(self, step: int) -> tuple[_Run, ...] | list[_Run]:
        if not self.changes:
            return self.pieces  # type: ignore[return-value]  # runs alone
        runs: list[_Run] = []
        for piece in self.pieces:
            if isinstance(piece, _Run):
                runs.append(piece)
                continue
            option = piece.at(step)
            runs += option.runs(step) if option.changes else option.pieces  # type: ignore[arg-type]  # runs alone
        return runs


class _Speller:
    """Says what a branch comes to at a step."""

    def __init__(self, part: Node, steps: int) -> None:
        nodes, self._weights = (part,), None
        if isinstance(part, Blend):
            if len(part.parts) > MAX_BLEND:
                raise BadInput(f"The prompt blends {len(part.parts)} prompts; at most {MAX_BLEND} are taken.")
            total = sum(part.weights) if part.normalise else 1.0
            nodes, self._weights = part.parts, [_checked(weight / total, "a blended prompt") for weight in part.weights]
        self._flat = [_Flat.of(_pieces(node, 1.0, steps)) for node in nodes]

    def item(self, step: int) -> Encodable:
        if self._weights is None:
            return _wording(self._flat[0].runs(step))
        counted = [(weight, flat) for weight, flat in zip(self._weights, self._flat, strict=True) if weight]
        mixed = tuple((weight, _wording(flat.runs(step))) for weight, flat in counted)
        if len(mixed) == 1 and mixed[0][0] == 1:
            return mixed[0][1]
        return Mix(mixed or ((0.0, _wording(self._flat[0].runs(step))),))


def _pieces(node: Node, weight: float, steps: int) -> Iterator[_Run | _Choice]:
    """The words a node stands for, each with its weight, and the choices among them."""
    match node:
        case Text():
            yield _Run(node, weight)
        case Break():
            yield _NEW_CHUNK
        case Sequence():
            for part in node.parts:
                yield from _pieces(part, weight, steps)
        case Weighted():
            yield from _pieces(node.part, weight * node.weight, steps)
        case Scheduled():
            yield _choice((node.earlier, node.later), weight, steps, switch_step(node.at, steps))
        case Alternating():
            yield _choice(node.options, weight, steps, None)
        case Conjunction() | Blend():
            raise ValueError(f"a {type(node).__name__.lower()} can only be the root of a prompt")


_NEW_CHUNK = _Run(None, None)


def _choice(nodes: tuple[Node, ...], weight: float, steps: int, switch: int | None) -> _Choice:
    return _Choice(tuple(_Flat.of(_pieces(node, weight, steps)) for node in nodes), switch)


def _wording(runs: tuple[_Run, ...] | list[_Run]) -> Wording:
    """Join neighbours of equal weight, so that "a [red:blue:5] star" gives the words of "a red star"."""
    chunks: list[list[Fragment]] = [[]]
    for weight, group in groupby(runs, itemgetter(1)):
        if weight is None:
            chunks += [[] for _ in group]
            continue
        texts = tuple([run.text for run in group if run.text is not None])
        words = "".join([text.text for text in texts])
        chunks[-1].append(Fragment(words, _checked(weight, texts[0].text), texts))
    return Wording(tuple(map(tuple, chunks)))


def _checked(weight: float, of: str) -> float:
    if not abs(weight) <= MAX_WEIGHT:
        limit = written(MAX_WEIGHT)
        raise BadInput(f"In the prompt, the weight of {shown(of)} must be from -{limit} to {limit}, not {weight:g}.")
    return weight
