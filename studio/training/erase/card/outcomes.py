"""What is said of one picture of a card: functions of its prompt and of what the oracle read.

Each gives None where it cannot be said: the picture was not read, or its prompt does not state it.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.training.erase.card.answers import Outcome
from studio.training.erase.card.probe import Probe
from studio.training.erase.card.subject import Target
from studio.training.evaluate.results import Facts
from studio.world.reading import Reading, Wanted


def read(probe: Probe, facts: Facts) -> bool | None:
    """Whether anything was read at all; for counting."""
    return None if facts.reading is None else True


def invalid(probe: Probe, facts: Facts) -> bool | None:
    """The oracle calls the picture broken."""
    return None if facts.reading is None else facts.reading.invalid


def gone(targets: Sequence[Target]) -> Outcome:
    """The concept the prompt names is not read in the picture, whatever else is: UA."""

    def outcome(probe: Probe, facts: Facts) -> bool | None:
        return None if facts.reading is None else not targets[probe.concept or 0].is_shown(facts.reading)

    return outcome


def gone_and_valid(targets: Sequence[Target]) -> Outcome:
    """The same, and the picture is not broken: UA_valid."""
    is_gone = gone(targets)
    return lambda probe, facts: _and_valid(is_gone(probe, facts), facts)


def back(targets: Sequence[Target]) -> Outcome:
    """The concept is read in a valid picture: it has come back."""
    is_gone = gone(targets)
    return lambda probe, facts: None if facts.reading is None else _and_valid(not is_gone(probe, facts), facts)


def replaced(targets: Sequence[Target]) -> Outcome:
    """What takes the concept's place is read, in a valid picture."""

    def outcome(probe: Probe, facts: Facts) -> bool | None:
        if facts.reading is None or probe.aim is None:
            return None
        return _and_valid(targets[probe.concept or 0].is_replaced(facts.reading, probe.aim), facts)

    return outcome


def right(name: str) -> Outcome:
    """An attribute is as the prompt states it."""
    return lambda probe, facts: _matches(facts.reading, probe.case.expectation).get(name)


def right_of_aim(name: str) -> Outcome:
    """An attribute is as the prompt states it once the substitute has the concept's place.

    Of an object that leaves nothing behind only the background can be.
    """
    return lambda probe, facts: _matches(facts.reading, probe.aim).get(name)


def mean_right(names: Sequence[str]) -> Outcome:
    """The mean of several attributes, of those the prompt states."""

    def outcome(probe: Probe, facts: Facts) -> float | None:
        matches = _matches(facts.reading, probe.case.expectation)
        stated = [float(matches[name]) for name in names if name in matches]
        return sum(stated) / len(stated) if stated else None

    return outcome


def same_reading(reading: Reading, base: Reading) -> bool:
    """Whether two pictures read alike: the same things in their places, style, background and validity."""

    def essentials(reading: Reading) -> tuple[object, ...]:
        things = tuple((thing.object, thing.colour) for thing in reading.things)
        return things, reading.layout, reading.style if things else "", reading.background, reading.invalid

    return essentials(reading) == essentials(base)


def _and_valid(outcome: bool | float | None, facts: Facts) -> bool | None:
    return None if outcome is None or facts.reading is None else bool(outcome) and not facts.reading.invalid


def _matches(reading: Reading | None, expectation: Wanted | None) -> dict[str, bool]:
    return {} if reading is None or expectation is None else reading.matches(expectation)
