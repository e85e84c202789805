"""From the cells of a comparison to its facts: what was read in each picture, what it cost, how far it is off."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.errors import NotFound, StudioError
from studio.services.colours import colours_at
from studio.services.comparisons.cells import Cell, Orders
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.facts import (
    SAME_LARGEST,
    SAME_MEAN,
    CellFacts,
    ComparisonFacts,
    FeaturesByPrompt,
    rows_of,
    units_of,
)
from studio.services.comparisons.pace import Paces
from studio.services.comparisons.plan import names_of
from studio.services.comparisons.readings import Known, ReadingService
from studio.services.differences import pixel_difference
from studio.services.history import Generation
from studio.training.readings.store import MISSED_BELOW
from studio.world.asked import Asked, asked_of

TONES = ("saturation", "contrast", "clipped")


class Measuring:
    """Measures cells. Every method may be called from any thread."""

    def __init__(self, readings: ReadingService, paces: Paces) -> None:
        self._readings = readings
        self._paces = paces

    def facts(self, comparison: Comparison, cells: Sequence[Sequence[Cell]], orders: Orders) -> ComparisonFacts:
        """All that is known of them by now. Raises WorkspaceError."""
        knowledge = self._readings.known(cell.picture for row in cells for cell in row if cell.picture is not None)
        if not cells:
            return ComparisonFacts((), (), "seeds", 0)
        reference = cells[comparison.reference]
        measured = tuple(
            tuple(self._cell(cell, beside, knowledge, orders) for cell, beside in zip(row, reference, strict=True))
            for row in cells
        )
        unit, units = units_of([cell.recipe for cell in reference])
        same = [all(a.recipe == b.recipe for a, b in zip(row, reference, strict=True)) for row in cells]
        features = [_features(row, knowledge) for row in cells]
        rows = rows_of(names_of(comparison, cells), measured, units, comparison.reference, same, features)
        return ComparisonFacts(measured, rows, unit, len(knowledge.unread))

    def _cell(self, cell: Cell, beside: Cell, knowledge: Known, orders: Orders) -> CellFacts | None:
        picture = cell.picture
        if picture is None:
            return None
        values: dict[str, float] = {}
        asked_words: tuple[str, ...] = ()
        missed_words: tuple[str, ...] = ()
        reading = knowledge.readings.get(picture.sha256)
        if reading is not None:
            values["broken"] = float(reading.invalid)
            words = _asked(picture.recipe.prompt)
            if words.words:
                asked_words = tuple(word.word for word in words.words)
                missed_words = tuple(word.word for word in words.missed(reading))
                values["accuracy"] = 1 - len(missed_words) / len(asked_words)
        score = knowledge.scores.get((picture.recipe.prompt, picture.sha256))
        if score is not None:
            values["score"] = score
        scored_words = knowledge.words.get((picture.sha256, picture.recipe.prompt), ())
        if scored_words:
            asked_words = tuple(word for word, _ in scored_words)
            missed_words = tuple(word for word, added in scored_words if added < MISSED_BELOW)
        with contextlib.suppress(NotFound):  # its file is gone, and with it what its colours were
            colours = colours_at(picture.image_path)
            values |= {name: colours[name] for name in TONES}
        values |= self._cost(picture, orders)
        apart = _apart(picture, beside.picture)
        return CellFacts(
            values,
            asked_words,
            missed_words,
            None if apart is None else apart[0],
            None if apart is None else apart[1],
            _unfinished(picture.made_by),
        )

    def _cost(self, picture: Generation, orders: Orders) -> dict[str, float]:
        try:
            nfe = orders.nfe(picture.recipe)
        except StudioError:  # of a model or a method that is gone
            return {}
        pace_s = None if picture.job_id is None else self._paces.of(picture.job_id, orders)
        return {"nfe": float(nfe)} | ({} if pace_s is None else {"seconds": nfe * pace_s})


@functools.lru_cache(maxsize=1024)
def _asked(prompt: str) -> Asked:
    return asked_of(prompt)


def _apart(picture: Generation, reference: Generation | None) -> tuple[float, bool] | None:
    """Mean difference in levels, and whether that is rounding; None where there is nothing to compare."""
    if reference is None:
        return None
    try:
        apart = pixel_difference(reference.image_path, picture.image_path)
    except NotFound:
        return None
    if apart is None:
        return None
    return apart.mean, apart.largest <= SAME_LARGEST and apart.mean <= SAME_MEAN


def _features(row: Sequence[Cell], knowledge: Known) -> FeaturesByPrompt:
    """Of a row's pictures, each once; of the extractor that most of them have."""
    pictures = {cell.picture.sha256: cell.picture for cell in row if cell.picture is not None}
    by_extractor: dict[str, dict[str, list[Any]]] = {}
    for sha256, picture in pictures.items():
        if sha256 in knowledge.features:
            extractor, features = knowledge.features[sha256]
            by_extractor.setdefault(extractor, {}).setdefault(picture.recipe.prompt, []).append(features)
    if not by_extractor:
        return FeaturesByPrompt()
    extractor = max(by_extractor, key=lambda name: sum(map(len, by_extractor[name].values())))
    return FeaturesByPrompt(extractor, by_extractor[extractor])


def _unfinished(made_by: Mapping[str, Any]) -> dict[str, int]:
    steps: Any = made_by.get("unfinished")
    return {str(name): int(count) for name, count in steps.items()} if isinstance(steps, dict) else {}
