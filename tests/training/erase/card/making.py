"""Answers made by hand: what the oracle would have read in each picture of a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.training.erase.card.answers import BASE, EDIT, Answers
from studio.training.erase.card.lines import Line
from studio.training.erase.card.probe import Probe, Probes
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts
from studio.world.reading import Reading, SeenThing, Wanted

STAR = {"words": "star", "substitute": "heart", "kind": "object"}


def subject(*concepts: dict[str, Any], in_world: bool = True, **values: Any) -> Subject:
    return Subject.load({"model": "stencil", "concepts": list(concepts or (STAR,)), **values}, in_world)


def facts(name: str = "star", colour: str = "red", *, broken: bool = False, pixels: str = "", **look: Any) -> Facts:
    """A picture in which one thing was read; name "" for none."""
    things = (SeenThing(name, colour),) if name else ()
    style, background = look.get("style", "flat"), look.get("background", "white")
    reading = Reading(things, "one" if name else "empty", style, background, "medium", "center", broken, float(broken))
    tones = {"saturation": 0.5, "contrast": 0.1, "clipped": 0.0}
    return Facts(pixels or f"{name}{colour}{style}{background}{broken}", tones, reading, look.get("features"))


def probe(place: int, name: str, colour: str = "red", kind: str = "one object", aim: str = "") -> Probe:
    expectation = Wanted(((name, colour),), "flat", "white")
    target = Wanted(((aim, colour),), "flat", "white") if aim else None
    return Probe(Case(f"a {colour} {name} {place}", place, expectation), 0 if aim else None, kind, target)


def answers(
    forget: Sequence[Facts],
    ceiling: Sequence[Facts] | None = None,
    keep: Sequence[Facts] = (),
    keep_base: Sequence[Facts] | None = None,
    base: Sequence[Facts] | None = None,
) -> Answers:
    """A card of star -> heart. By default the base draws stars, a perfect heart is the ceiling, and keeps circles."""
    probes: Probes = {
        "forget": [probe(i, "star", aim="heart") for i in range(len(forget))],
        "substitute": [probe(i, "heart", aim="heart") for i in range(len(forget))],
        "keep": [probe(i, "circle") for i in range(len(keep))],
    }
    series = {
        ("forget", EDIT): forget,
        ("forget", BASE): base or [facts("star")] * len(forget),
        ("substitute", BASE): ceiling or [facts("heart")] * len(forget),
        ("keep", EDIT): keep,
        ("keep", BASE): keep_base or [facts("circle")] * len(keep),
    }
    return Answers(subject(), {part: rows for part, rows in probes.items() if rows}, series)


def named(lines: Sequence[Line], key: str) -> Line:
    (line,) = [line for line in lines if line.key == key]
    return line


def feature(*numbers: float) -> Any:
    return np.array(numbers, np.float32)
