"""Tries erasures one after the other. What was made or measured before is there again: edits by their plan's digest,
pictures by the evaluator, cards by the edit's hash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from studio.core.errors import BadInput
from studio.evidence.erasure.arms import ALL_STEPS, Trial
from studio.evidence.making import Maker, finished
from studio.services.studio import Studio
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
    "back_recovered": ("edit", "beside"),
    "fade": ("edit", "beside", "apart"),
    "fade_floor": ("edit",),
}
# What a negative prompt does without an edit, at the same prompts and seeds: line of a card -> its way's name.
UNEDITED = {f"{key}_ua_valid": negative.name for key, negative in WAYS.items()}
_AS_BEFORE = tuple(ALL_STEPS.items())
Progress = Callable[[str], None]


def tried(
    studio: Studio,
    trials: Sequence[Trial],
    progress: Progress = lambda sentence: None,
) -> Iterator[dict[str, Any]]:
    """Yield the result of each trial, as it is known.

    A result is plain values: "concept", "substitute", "kind", "arm", "method", "seed", "model", "budget", "why" (a
    sentence where a method refuses the concept, "" else), "base" (fingerprint of the weights it was made on, ""
    where it was refused), "figures" (key -> {"edit", "beside", "apart"} -> number with n and interval), "unedited"
    (name of a way to use a negative prompt -> UA valid of the base under it), "verdict", "seconds" (the
    processor's, of making the edit, None where that is not known any more), "bytes" (of its file), "date".
    Raises what making or drawing raises; results already yielded are whole.
    """
    maker = Maker(studio, "erasure", studio.erasures.start, _settled)
    for trial in trials:
        progress(trial.plan["name"])
        yield _tried(studio, maker, trial)


def _tried(studio: Studio, maker: Maker, trial: Trial) -> dict[str, Any]:
    erased, arm = trial.erased, trial.arm
    result = {
        "concept": erased.words,
        "substitute": erased.substitute if arm.substitutes else "",
        "kind": erased.kind,
        "arm": arm.label,
        "method": arm.method,
        "seed": trial.seed,
        "model": trial.model,
        "budget": arm.budget,
        "why": "",
        "base": "",
        "date": date.today().isoformat(),
    }
    try:
        plan = studio.erasures.check(trial.plan).model_dump(mode="json")
    except BadInput as refusal:
        return result | {"why": str(refusal), "figures": {}, "unedited": {}}
    edit = maker.edit(plan)
    entry = edit.entry
    if studio.cards.card(entry.id, arm.budget) is None:
        finished(studio, studio.cards.start(entry.id, arm.budget))
    card = studio.cards.card(entry.id, arm.budget)
    assert card is not None, "a job that is done has its card"
    return result | {
        "base": entry.base["unet"],
        "figures": figures_of(card),
        "unedited": unedited_of(card),
        "verdict": card["verdict"]["headline"],
        "light": card["verdict"]["light"],
        "seconds": edit.seconds,
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


def _settled(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan without what earlier versions had no word for, where it says what they did."""
    training = {name: value for name, value in plan.get("training", {}).items() if (name, value) not in _AS_BEFORE}
    return {**plan, "training": training}
