"""How much is drawn and asked: on record, and for a quick look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Of a trial.

    prompts: that are labelled. There are 84 in all; none is in two of these sets.
    plain, worded: pictures of each, as the prompt is, and with a style and a colour word in it.
    answers: about pairs, of one person.
    tuned: prompts on which a strength is chosen; 0: none is, it is 1.
    test: prompts that pictures are compared on.
    seeds: pictures of each of the last two.
    stated: captions that say everything.
    drift: pictures that the drift is measured on.
    """

    prompts: int
    plain: int
    worded: int
    answers: int
    tuned: int
    test: int
    seeds: int
    stated: int
    drift: int


FULL = Sizes(prompts=44, plain=4, worded=4, answers=300, tuned=12, test=28, seeds=3, stated=32, drift=16)
QUICK = Sizes(prompts=20, plain=3, worded=3, answers=150, tuned=0, test=10, seeds=3, stated=16, drift=8)
LIST = 4  # pictures of a ranked list
HELD_OUT = 0.25  # of the labelled prompts
