"""From a tree to what has to be encoded at which step.

Values all through: equal ones are equal and hash alike, so an embedding cache can use them as keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True)
class Fragment:
    """Words of one weight. origin: where in the source they stand; it does not count in comparisons."""

    text: str
    weight: float = 1.0
    origin: Origin = field(default=((0, 0),), compare=False, repr=False)

    def source_span(self, start: int, end: int) -> Span:
        """Where in the source the characters start..end stand."""
        return source_span(self.origin, start, end)


Chunk = tuple[Fragment, ...]


@dataclass(frozen=True)
class Wording:
    """One prompt as the text encoder gets it: chunks of fragments, each chunk with start and end of its own."""

    chunks: tuple[Chunk, ...]


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
        for segment in self.segments:
            if segment.start <= step < segment.stop:
                return segment.item
        raise ValueError(f"step {step} is outside of the plan's {self.segments[-1].stop}")


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
    known: dict[Encodable, Encodable] = {}
    branches = [
        Branch(_checked(weight, "a prompt joined by AND"), _segments(part, steps, known))
        for part, weight in zip(parts, weights, strict=True)
    ]
    return PromptPlan(steps, tuple(branches))


def switch_step(at: float, steps: int) -> int:
    """The step, 0-based, from which a Scheduled shows `after`; 0 or less: from the start, `steps` or more: never."""
    if math.isinf(at):
        return steps
    # A product such as 0.29 * 100 may fall just short of the whole number it stands for.
    return int(at * steps + 1e-9) if at < 1 else int(at)


def _segments(part: Node, steps: int, known: dict[Encodable, Encodable]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    for start, stop in _stretches(part, steps):
        item = _item(part, start, steps)
        item = known.setdefault(item, item)
        if segments and segments[-1].item is item:
            segments[-1] = replace(segments[-1], stop=stop)
        else:
            segments.append(Segment(start, stop, item))
    return tuple(segments)


def _stretches(part: Node, steps: int) -> Iterator[tuple[int, int]]:
    """Steps in between which nothing can change."""
    starts = {0}
    for node in _walk(part):
        if isinstance(node, Alternating):
            starts.update(range(steps))
            break
        if isinstance(node, Scheduled):
            starts.add(min(max(switch_step(node.at, steps), 0), steps))
    ordered = [*sorted(starts - {steps}), steps]
    return zip(ordered, ordered[1:], strict=False)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for part in _children(node):
        yield from _walk(part)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Weighted():
            return (node.part,)
        case Scheduled():
            return (node.before, node.after)
        case Alternating():
            return node.options
        case Sequence() | Conjunction() | Blend():
            return node.parts
        case _:
            return ()


def _item(part: Node, step: int, steps: int) -> Encodable:
    if not isinstance(part, Blend):
        return _wording(part, step, steps)
    if len(part.parts) > MAX_BLEND:
        raise BadInput(f"The prompt blends {len(part.parts)} prompts; at most {MAX_BLEND} are taken.")
    total = sum(part.weights) if part.normalise else 1.0
    weights = [_checked(weight / total, "a blended prompt") for weight in part.weights]
    counted = [(weight, part) for weight, part in zip(weights, part.parts, strict=True) if weight]
    mixed = tuple((weight, _wording(node, step, steps)) for weight, node in counted)
    if len(mixed) == 1 and mixed[0][0] == 1:
        return mixed[0][1]
    return Mix(mixed or ((0.0, _wording(part.parts[0], step, steps)),))


def _wording(node: Node, step: int, steps: int) -> Wording:
    chunks: list[list[tuple[Text, float]]] = [[]]
    _spell(node, 1.0, step, steps, chunks)
    return Wording(tuple(_fragments(chunk) for chunk in chunks))


def _spell(node: Node, weight: float, step: int, steps: int, chunks: list[list[tuple[Text, float]]]) -> None:
    """Append the words a node stands for at a step, each with its weight."""
    match node:
        case Text():
            chunks[-1].append((node, weight))
        case Break():
            chunks.append([])
        case Sequence():
            for part in node.parts:
                _spell(part, weight, step, steps, chunks)
        case Weighted():
            _spell(node.part, weight * node.weight, step, steps, chunks)
        case Scheduled():
            chosen = node.before if step < switch_step(node.at, steps) else node.after
            _spell(chosen, weight, step, steps, chunks)
        case Alternating():
            _spell(node.options[step % len(node.options)], weight, step, steps, chunks)
        case Conjunction() | Blend():
            raise ValueError(f"a {type(node).__name__.lower()} can only be the root of a prompt")


def _fragments(chunk: list[tuple[Text, float]]) -> Chunk:
    """Join neighbours of equal weight, so that "a [red:blue:5] star" gives the words of "a red star"."""
    runs: list[tuple[list[Text], float]] = []
    for text, weight in chunk:
        if runs and runs[-1][1] == weight:
            runs[-1][0].append(text)
        else:
            runs.append(([text], weight))
    return tuple(
        Fragment(
            "".join(text.text for text in texts),
            _checked(weight, texts[0].text),
            joined_origin((text.text, text.origin) for text in texts),
        )
        for texts, weight in runs
    )


def _checked(weight: float, of: str) -> float:
    if not abs(weight) <= MAX_WEIGHT:
        limit = written(MAX_WEIGHT)
        raise BadInput(f"In the prompt, the weight of {shown(of)} must be from -{limit} to {limit}, not {weight:g}.")
    return weight
