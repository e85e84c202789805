"""The syntax tree of a prompt: one for every dialect, so that what follows need not know how it was written.

Text, Weighted, Sequence, Break       words, emphasis, one after the other, a new chunk of tokens
Scheduled, Alternating                words that change while the picture is drawn
Conjunction                           prompts of their own, combined in noise space
Blend                                 prompts of their own, their encodings averaged

compel's `("a", "b").and()` and A1111's `a BREAK b` mean the same, so both are a Sequence with a Break.

Trees are equal when they mean the same: where in the source a node stood is not compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Dialect = Literal["a1111", "compel", "plain"]
Span = tuple[int, int]
# Where text comes from: (offset in the text, offset in the source), rising; in between both run alike. There is more
# than one pair where the source has escapes or where pieces were joined.
Origin = tuple[tuple[int, int], ...]

MAX_DEPTH = 32  # brackets deeper than this are text; the tree can then be walked by recursion


@dataclass(frozen=True, slots=True)
class Text:
    """Words as the model reads them: escapes undone.

    span: start and end in the source.
    """

    text: str
    span: Span = field(default=(0, 0), compare=False)
    origin: Origin = field(default=((0, 0),), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Weighted:
    """A part that counts `weight` times as much; nested weights multiply."""

    part: Node
    weight: float
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Break:
    """What follows starts a new chunk of tokens, with start and end of its own."""

    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after the other. No parts: the empty prompt."""

    parts: tuple[Node, ...] = ()
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """`earlier`, and from a step on `later`.

    at: below 1 a fraction of the steps, else how many steps `earlier` lasts; infinite for all of them, however many.
    """

    earlier: Node
    later: Node
    at: float
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Alternating:
    """One option per step, in turn.

    options: two or more.
    """

    options: tuple[Node, ...]
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Only as a root: prompts predicted apart, whose directions from the negative prompt are added with `weights`."""

    parts: tuple[Node, ...]
    weights: tuple[float, ...]
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Blend:
    """Only as a root: the sum of the parts' encodings times `weights`, which `normalise` divides by their sum first."""

    parts: tuple[Node, ...]
    weights: tuple[float, ...]
    normalise: bool = True
    span: Span = field(default=(0, 0), compare=False)


Node = Text | Weighted | Break | Sequence | Scheduled | Alternating | Conjunction | Blend


def source_span(origin: Origin, start: int, end: int) -> Span:
    """Where in the source the characters start..end of a text stand. For an empty range, where it would begin."""

    def source(offset: int) -> int:
        text_offset, source_offset = origin[bisect_right(origin, offset, key=lambda mark: mark[0]) - 1]
        return source_offset + offset - text_offset

    return (source(start), source(end - 1) + 1) if end > start else (source(start), source(start))


def joined_origin(pieces: Iterable[tuple[str, Origin]]) -> Origin:
    """The origin of pieces of text put one after the other. Empty pieces must have been left out."""
    marks: list[tuple[int, int]] = []
    length = 0
    for text, origin in pieces:
        for text_offset, source_offset in origin:
            mark = (length + text_offset, source_offset)
            if not marks or mark[0] - marks[-1][0] != mark[1] - marks[-1][1]:
                marks.append(mark)
        length += len(text)
    return tuple(marks) or ((0, 0),)


def joined(texts: list[Text]) -> Text:
    """One Text of one or more that follow each other."""
    if len(texts) == 1:
        return texts[0]
    origin = joined_origin((piece.text, piece.origin) for piece in texts)
    return Text("".join(piece.text for piece in texts), (texts[0].span[0], texts[-1].span[1]), origin)


def stripped(text: Text, *, left: bool = True, right: bool = True) -> Text:
    """Without white space at its ends."""
    trimmed = text.text.lstrip() if left else text.text
    cut = len(text.text) - len(trimmed)
    trimmed = trimmed.rstrip() if right else trimmed
    if not trimmed:
        return replace(text, text="")
    start, end = source_span(text.origin, cut, cut + len(trimmed))
    moved = [(offset - cut, source) for offset, source in text.origin if cut < offset < cut + len(trimmed)]
    return Text(trimmed, (start, end), ((0, start), *moved))


def sequence(parts: Iterable[Node], span: Span) -> Node:
    """Put parts one after the other, in the one form that means it.

    Sequences within are taken apart, neighbouring texts joined, white space around breaks and empty texts dropped;
    what comes to a single part is that part.
    """
    flat: list[Node] = []
    run: list[Text] = []

    def close_run(before_break: bool) -> None:
        if run:
            text = stripped(joined(run), left=bool(flat) and isinstance(flat[-1], Break), right=before_break)
            flat.extend([text] if text.text else [])
            run.clear()

    for part in _taken_apart(parts):
        if isinstance(part, Text):
            run.extend([part] if part.text else [])
            continue
        close_run(isinstance(part, Break))
        flat.append(part)
    close_run(False)
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat), span)


def weighted(part: Node, weight: float, span: Span) -> Node:
    """A part with a weight; itself where that changes nothing."""
    return part if weight == 1 or part == Sequence() else Weighted(part, weight, span)


def trimmed(node: Node) -> Node:
    """A node without white space at its two ends, as far as that is text of its own level."""
    parts = list(node.parts) if isinstance(node, Sequence) else [node]
    if parts and isinstance(parts[0], Text):
        parts[0] = stripped(parts[0], right=False)
    if parts and isinstance(parts[-1], Text):
        parts[-1] = stripped(parts[-1], left=False)
    return sequence(parts, node.span)


def _taken_apart(parts: Iterable[Node]) -> Iterable[Node]:
    for part in parts:
        if isinstance(part, Sequence):
            yield from part.parts  # built by `sequence`, so there are none within
        else:
            yield part
