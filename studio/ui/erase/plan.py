"""From the tab's fields to the plan of an erasure, and what can be said of it before anything runs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, StudioError
from studio.core.params import load
from studio.training.erase.concept import Concept
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import INSTANT, MAX_NAME_CHARS
from studio.training.lora.pace import seconds_of
from studio.ui.components.rows import Rows
from studio.ui.components.seeds import parse_training_seed
from studio.ui.errors import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studio.services.erasures import Outlook
    from studio.services.studio import Studio
    from studio.training.erase.concept import ConceptKind
    from studio.ui.erase.board import Board, Entry

FIELDS = ("preserve", "protect", "completeness", "untouched", "sliders", "edit_name", "seed", "minutes")
MAX_CHARS = 20_000  # that can be typed


def plan_of(board: Board, fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The plan of an erasure as plain values; none of it is checked but the seed, which is text. Raises BadInput."""
    entries = [row.value for row in board.rows]
    preserves = [line.strip() for line in str(fields["preserve"] or "").splitlines() if line.strip()]
    return {
        "name": str(fields["edit_name"] or "").strip() or usual_name(entries),
        "model": model,
        "method": board.method,
        "concepts": [entry.concept for entry in entries],
        "training": dict(board.options),
        "preserves": preserves,
        "protect": fields["protect"],
        "completeness": fields["completeness"],
        "untouched": bool(fields["untouched"]) and bool(preserves),
        "sliders": bool(fields["sliders"]) and can_have_sliders(board),
        "seed": parse_training_seed(fields["seed"]),
    }


def can_have_sliders(board: Board) -> bool:
    """Whether each concept can have a slider of its own: of several, solved in one."""
    return board.method == INSTANT and len(board.rows) > 1


def usual_name(entries: Sequence[Entry]) -> str:
    """What an edit is called where nobody says."""
    words = "-".join(entry.words for entry in entries if entry.words)
    return f"no-{words}"[:MAX_NAME_CHARS].rstrip("- ")


def problems(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> tuple[dict[int, str], str]:
    """What is wrong, before anything runs: row -> a sentence, and what is wrong besides; "" for nothing."""
    of_rows: dict[int, str] = {}
    alone = {**fields, "preserve": "", "edit_name": "a name", "seed": "0", "minutes": None}
    for row in board.rows:
        if wrong := _refusal(studio, replace(board, rows=Rows.of([row.value])), alone, model):
            of_rows[row.id] = wrong
    return of_rows, "" if of_rows else _refusal(studio, board, fields, model)


def _refusal(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> str:
    if not all(row.value.words for row in board.rows):
        return "Say what is to be erased."
    try:
        studio.erasures.check(plan_of(board, fields, model))
        limit_s(fields["minutes"])
    except StudioError as error:
        return sentence(error)
    return ""


def kinds(studio: Studio, board: Board, model: str) -> list[ConceptKind]:
    """What sorts of things the rows name, as far as that is known: "" where it is not."""
    in_world = is_of_world(studio, model)
    return [_kind(row.value, in_world) for row in board.rows]


def is_of_world(studio: Studio, model: str) -> bool:
    """Whether a model speaks Stencil's language. One that cannot be read has a sentence of its own, elsewhere."""
    try:
        return studio.sources.is_of_world(model)
    except StudioError:
        return False


def _kind(entry: Entry, in_world: bool) -> ConceptKind:
    if not in_world:
        return entry.kind
    try:
        return load(Concept, entry.concept, "concept").in_world().kind
    except BadInput:
        return ""


def outlooks(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> dict[str, Outlook]:
    """Method -> what it would take; without those that cannot erase this."""
    by_method: dict[str, Outlook] = {}
    for name in METHODS.names():
        with contextlib.suppress(StudioError):
            by_method[name] = studio.erasures.outlook(plan_of(replace(board, method=name), fields, model))
    return by_method


def limit_s(minutes: Any) -> float | None:
    """How long a training may take, in seconds; None where nobody says, or 0. Raises BadInput for what is no time."""
    return None if minutes == 0 and minutes is not False else seconds_of(minutes)
