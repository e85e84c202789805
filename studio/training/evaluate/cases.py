"""What is drawn to be measured: cases, one a picture, and suites of them by name.

A suite is one file in studio/training/evaluate/suites:

    SUITES.register("stars")(Suite("Stars of every colour.", pictures=64, quick=8, most=800, make=stars))

Nothing here loads torch: the page and the command line name suites before anything is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.core.registry import Registry
from studio.world.reading import Wanted
from studio.world.scene import Scene

CaseKey = tuple[str, str, int]  # prompt, negative prompt, seed


@dataclass(frozen=True)
class Case:
    """One picture to draw, and what has to be seen in it.

    prompt: what to draw.
    seed: of its noise.
    expectation: what the prompt states; None where nothing is held against the picture.
    group: which part of its suite it belongs to; pictures are drawn in company of their own part alone.
    negative: for protocols with a negative prompt.
    scene: the one the prompt describes; None where it describes many, or none is known.
    unwanted: what its negative names; None where that is not measured.
    """

    prompt: str
    seed: int
    expectation: Wanted | None = None
    group: str = ""
    negative: str = ""
    scene: Scene | None = None
    unwanted: Wanted | None = None

    @property
    def key(self) -> CaseKey:
        """What tells it apart from others drawn the same way: what is expected of a picture does not change it."""
        return self.prompt, self.negative, self.seed

    def plain(self) -> dict[str, Any]:
        """The same as plain values, all but the scene; what says nothing is left out."""
        values = {"wanted": None if self.expectation is None else asdict(self.expectation)}
        values |= {"group": self.group, "negative": self.negative}
        values |= {"unwanted": None if self.unwanted is None else asdict(self.unwanted)}
        return {"prompt": self.prompt, "seed": self.seed, **{name: value for name, value in values.items() if value}}

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Case:
        """Build a case from what `plain` gave. Raises BadInput."""
        try:
            expectation, unwanted = values.get("wanted"), values.get("unwanted")  # as ledgers have it
            return cls(
                str(values["prompt"]),
                int(values["seed"]),
                None if expectation is None else _expectation(expectation),
                str(values.get("group", "")),
                str(values.get("negative", "")),
                unwanted=None if unwanted is None else _expectation(unwanted),
            )
        except (KeyError, TypeError, ValueError):
            raise BadInput("A case to evaluate needs a prompt and a seed.", field="cases") from None


def _expectation(values: Mapping[str, Any]) -> Wanted:
    things = tuple((thing[0], thing[1]) for thing in values.get("things", ()))
    return Wanted(**{**values, "things": things})


@dataclass(frozen=True)
class Suite:
    """Prompts and seeds that are the same in every evaluation.

    about: one sentence for whoever chooses among suites.
    pictures: of a full evaluation.
    quick: pictures of a quick one.
    most: pictures it can give at most; its prompts or seeds would repeat.
    make: gives so many cases.
    """

    about: str
    pictures: int
    quick: int
    most: int
    make: Callable[[int], Sequence[Case]]

    def cases(self, pictures: int | None = None) -> tuple[Case, ...]:
        """So many cases, all of other seeds or prompts. Raises BadInput for a number out of 1..most."""
        number = self.pictures if pictures is None else pictures
        if not 1 <= number <= self.most:
            raise BadInput(f"This suite draws 1 to {self.most:,} pictures, not {number:,}.", field="pictures")
        return tuple(self.make(number))


SUITES: Registry[Suite] = Registry("suite")


def turns(parts: Mapping[str, Sequence[Case]], pictures: int) -> list[Case]:
    """The first so many cases of several parts, one of each in turn; a part that is out of cases is passed over."""
    longest = max(map(len, parts.values()))
    cases = [part[place] for place in range(longest) for part in parts.values() if place < len(part)]
    return cases[:pictures]
