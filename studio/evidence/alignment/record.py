"""Results of alignments on record: a JSON file, with what follows of them, and the page written of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.evidence.alignment.arms import TRIALS
from studio.evidence.alignment.page import page
from studio.evidence.alignment.questions import GOALS, QUESTIONS
from studio.evidence.alignment.summary import summary
from studio.evidence.alignment.tradeoff import drawing
from studio.storage.images import write_durably

Record = dict[str, Any]  # {"results": [...]}, and when written "summaries", "goals", "questions"
PAGE = Path("docs") / "alignment.md"
KEYS = ("person", "arm", "seed")


def read(path: Path) -> Record:
    """Read a record; an empty one where there is no file. Raises BadInput for a file that is none."""
    if not path.exists():
        return {"results": []}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"results": [dict(result) for result in record["results"]]}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"The results {path} cannot be read; move the file away to begin anew.", field="out") from None


def with_result(record: Record, result: Mapping[str, Any]) -> Record:
    """The record with one more result in place of an earlier one of its person, arm and seed.

    Those of other weights of the base are dropped, and those of other pictures.
    """
    remaining = [
        earlier
        for earlier in record["results"]
        if earlier["base"] == result["base"]
        and earlier["open"]["pictures"] == result["open"]["pictures"]
        and any(earlier[key] != result[key] for key in KEYS)
    ]
    return {"results": [*remaining, dict(result)]}


def complete(record: Record) -> Record:
    """The results in the order of the trials, with their summaries, the goals and the questions."""
    order = [(trial.person.name, trial.arm.label) for trial in TRIALS]
    grouped = grouped_results(record["results"])
    keys = [key for key in order if key in grouped]
    summaries = {key: summary(grouped[key]) for key in keys}
    return {
        "results": [result for key in keys for result in grouped[key]],
        "summaries": [{"person": person, "arm": arm, **summaries[person, arm]} for person, arm in keys],
        "goals": [goal.verdict(summaries) for goal in GOALS],
        "questions": [question.verdict(grouped) for question in QUESTIONS],
    }


def grouped_results(results: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """(person, arm) -> results by seed."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in sorted(results, key=lambda result: result["seed"]):
        grouped.setdefault((result["person"], result["arm"]), []).append(result)
    return grouped


def write(record: Record, out: Path) -> None:
    """Keep the numbers, and bring the page and its drawing up to date; each file is replaced whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    completed = complete(record)
    numbers, picture = out.with_suffix(".json"), out.with_suffix(".svg")
    write_durably(numbers, (json.dumps(completed, indent=1) + "\n").encode(), private=False)
    write_durably(picture, drawing(completed["results"]).encode(), private=False)
    write_durably(out, page(completed, numbers.name, picture.name).encode(), private=False)


def is_stale(root: Path) -> bool:
    """Whether a checkout's page or its drawing do not say what its numbers say; without numbers they say nothing."""
    out = root / PAGE
    numbers, picture = out.with_suffix(".json"), out.with_suffix(".svg")
    if not numbers.exists():
        return out.exists()
    record = json.loads(numbers.read_text("utf-8"))
    expected = {out: page(record, numbers.name, picture.name), picture: drawing(record["results"])}
    return any(not file.exists() or file.read_text("utf-8") != text for file, text in expected.items())
