"""The gates of what people type first: an object and little else, each object in turn, and their own wordings.

A picture the oracle calls invalid is broken whatever was asked for; for an open prompt ("a star") nothing else can be
wrong with it but the object. Seeds are the same in every evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.models.bundle import ModelBundle
from studio.training.embedded.gates import DEFAULT_SCALE, measure, protocol_of
from studio.training.evaluate.cases import Case
from studio.training.evaluate.meter import Meter, Reader
from studio.training.evaluate.results import Result
from studio.training.evaluate.rows import ReportRow, share_row
from studio.training.evaluate.suites.typed import each_object, open_prompts
from studio.training.evaluate.suites.wordings import PHRASINGS, wordings
from studio.world.scene import OBJECTS

MOST_INVALID_OPEN, MOST_INVALID_EACH, LEAST_PHRASINGS = 0.10, 0.08, 0.85
Progress = Callable[[int, int], None]


def rows(
    bundle: ModelBundle,
    oracle: Reader,
    *,
    open_n: int = 300,
    each_n: int = 60,
    seeds: int = 4,
    guidance_scale: float | None = None,
    steps: int = 20,
    progress: Progress = lambda picture_count, total: None,
) -> list[ReportRow]:
    """Draw, read and count; one row a gate, besides a row of what was right.

    open_n: pictures of each kind of open prompt.
    each_n: of each object on full prompts.
    seeds: of each phrasing.
    guidance_scale: None for the model's default.
    Of the first three, 0 leaves a group out.
    """
    total, picture_count = 3 * open_n + len(OBJECTS) * each_n + len(PHRASINGS) * seeds, 0
    protocol = protocol_of(DEFAULT_SCALE if guidance_scale is None else guidance_scale, steps)

    def count() -> None:
        nonlocal picture_count
        picture_count += 1
        progress(picture_count, total)

    def results(cases: Sequence[Case]) -> list[Result]:
        return measure(bundle, cases, Meter(oracle.read), protocol, count)

    measured: list[ReportRow] = []
    for kind, cases in open_prompts(open_n).items() if open_n else ():
        outcomes = results(cases)
        measured.append(
            share_row("open prompts", f"{kind}: invalid", _broken(outcomes), MOST_INVALID_OPEN, at_most=True)
        )
        measured.append(share_row("open prompts", f"{kind}: as stated", _right(outcomes)))
    for name, cases in each_object(each_n).items() if each_n else ():
        broken = _broken(results(cases))
        measured.append(share_row("full prompts", f"{name}: invalid", broken, MOST_INVALID_EACH, at_most=True))
    if seeds:
        right = _right(results(wordings(seeds)))
        measured.append(share_row("own wordings", "read right", right, LEAST_PHRASINGS))
    return measured


def _broken(results: Sequence[Result]) -> list[bool]:
    return [result.facts.reading.invalid for result in results if result.facts.reading is not None]


def _right(results: Sequence[Result]) -> list[bool]:
    return [bool(result.is_right) for result in results]
