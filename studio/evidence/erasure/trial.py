"""Tries erasures one after the other. What was made or measured before is there again: edits by their plan's digest,
pictures by the evaluator, cards by the edit's hash."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.evidence.erasure.arms import ALL_STEPS, Arm, Erased
from studio.services.studio import Studio
from studio.storage.images import write_durably
from studio.training.erase.card.ways import WAYS

# Lines of a card that go on the page: key -> which of a line's rows.
FIGURES = {
    "ua": ("edit", "beside"),
    "ua_valid": ("edit", "beside", "apart"),
    "substitute": ("edit", "beside"),
    "invalid": ("edit", "beside"),
    "ira": ("edit", "beside", "apart"),
    "cra": ("edit", "beside", "apart"),
    "keep_invalid": ("edit", "beside"),
    "near": ("edit", "beside"),
    "fd_keep": ("edit", "beside"),
    "back": ("edit", "beside"),
}
# What a negative prompt does without an edit, at the same prompts and seeds: line of a card -> its way's name.
UNEDITED = {f"{key}_ua_valid": way.name for key, way in WAYS.items()}
_AS_BEFORE = tuple(ALL_STEPS.items())
NOTES = "seconds.json"  # beside the workspace's database
Progress = Callable[[str], None]


def tried(
    studio: Studio,
    concepts: Sequence[Erased],
    arms: Sequence[Arm],
    *,
    budget: str,
    seed: int = 0,
    progress: Progress = lambda sentence: None,
) -> Iterator[dict[str, Any]]:
    """Yield one result for each concept and arm, as it is known.

    A result is plain values: "concept", "substitute", "kind", "arm", "method", "seed", "budget", "why" (a sentence
    where a method refuses the concept, "" else), "base" (fingerprint of the weights it was made on, "" where it was
    refused), "figures" (key -> {"edit", "beside", "apart"} -> number with n and interval), "unedited" (name of a way to
    use a negative prompt -> UA valid of the base under it), "verdict", "seconds" (the processor's, of making the edit,
    None where that is not known any more), "bytes" (of its file), "date".
    Raises what making or drawing raises; results already yielded are whole.
    """
    for erased in concepts:
        for arm in arms:
            progress(f"{erased.words}: {arm.label}")
            yield _tried(studio, erased, arm, arm.budget or budget, seed)


def _tried(studio: Studio, erased: Erased, arm: Arm, budget: str, seed: int) -> dict[str, Any]:
    result = {
        "concept": erased.words,
        "substitute": erased.substitute if arm.substitutes else "",
        "kind": erased.kind,
        "arm": arm.label,
        "method": arm.method,
        "seed": seed,
        "budget": budget,
        "why": "",
        "base": "",
        "date": date.today().isoformat(),
    }
    try:
        plan = studio.erasures.check(arm.plan(erased, seed)).model_dump(mode="json")
    except BadInput as refusal:
        return result | {"why": str(refusal), "figures": {}, "unedited": {}}
    edit, seconds = _edit(studio, plan)
    if studio.cards.card(edit, budget) is None:
        _finished(studio, studio.cards.start(edit, budget))
    card = studio.cards.card(edit, budget)
    assert card is not None, "a job that is done has its card"
    entry = studio.edits.show(edit)
    return result | {
        "base": entry.base["unet"],
        "figures": figures_of(card),
        "unedited": unedited_of(card),
        "verdict": card["verdict"]["headline"],
        "light": card["verdict"]["light"],
        "seconds": seconds,
        "bytes": entry.nbytes,
    }


def figures_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a card that go on the page; IRA of all the concept's own kinds is `ira`."""
    lines = {("ira" if line["key"].startswith("ira_") else line["key"]): line for line in card["lines"]}
    return {
        key: {row: lines[key][row] for row in rows if lines[key][row] is not None and lines[key][row]["n"]}
        for key, rows in FIGURES.items()
        if key in lines
    }


def unedited_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of negative prompts without an edit: name of the way -> its row of UA valid."""
    rows = {UNEDITED[line["key"]]: line["edit"] for line in card["lines"] if line["key"] in UNEDITED}
    return {name: row for name, row in rows.items() if row["n"]}


def _edit(studio: Studio, plan: Mapping[str, Any]) -> tuple[str, float | None]:
    """The edit of a plan, made where it is not there, and the processor's seconds it took, where they are known.

    Of the processor, since they are nearly the same beside other work; the studio's engine is in this process.
    """
    notes = _Notes(studio.settings.workspace / NOTES)
    settled = _settled(plan)
    digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode()).hexdigest()
    for entry in studio.edits.list():
        if _settled(entry.provenance.get("erasure") or {}) == settled and not entry.problem:
            return entry.id, notes.seconds.get(digest)
    began = time.process_time()
    edit = _finished(studio, studio.erasures.start(plan))[-1]
    seconds = round(time.process_time() - began, 1)
    notes.add(digest, seconds)
    return edit, seconds


def _settled(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan without what earlier versions had no word for, where it says what they did."""
    training = {name: value for name, value in plan.get("training", {}).items() if (name, value) not in _AS_BEFORE}
    return {**plan, "training": training}


class _Notes:
    """How long each edit took to make, by the digest of its plan: what an edit itself cannot say."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}

    def add(self, digest: str, seconds: float) -> None:
        self.seconds[digest] = seconds
        write_durably(self._path, json.dumps(self.seconds).encode())


def _finished(studio: Studio, job_id: str) -> list[str]:
    """Wait for a job; give the edits that came of it. Raises EngineError for one that ended otherwise."""
    edits: list[str] = []
    studio.jobs.wait(job_id, lambda event: edits.append(event.data["edit"]) if event.kind == "edit" else None)
    return edits
