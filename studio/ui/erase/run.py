"""From the tab's fields to jobs: an erasure, and the pictures it is looked at in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.training.erase.plan import MAX_NAME_CHARS
from studio.ui.components import canvas
from studio.ui.components.canvas import JobView
from studio.ui.components.seeds import MAX_SEED, parse_seed
from studio.ui.erase.board import Board, Drawing, Trial, concepts_of, with_trial
from studio.ui.errors import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio
    from studio.ui.erase.board import Entry

FIELDS = ("preserve", "protect", "completeness", "untouched", "edit_name", "seed")
MAX_CHARS = 20_000  # that can be typed
STEPS = {True: 12, False: 20}  # of a picture, by whether the model is of Stencil's world
STOPPED_WITHIN_S = 5.0


@dataclass(frozen=True)
class Making:
    """How far an erasure is.

    state: "queued", "running", or the kind of its last event; "done" of one that was made before.
    measures: name -> number, those it told last.
    error: why there is no edit, a sentence; "" while there may be one.
    """

    state: str = "done"
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state not in ("queued", "running")


# -- what is asked for ----------------------------------------------------------------------------------------------


def plan_of(entries: Sequence[Entry], fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The plan of an erasure as plain values; none of it is checked but the seed, which is text. Raises BadInput."""
    preserves = [line.strip() for line in str(fields["preserve"] or "").splitlines() if line.strip()]
    seed = parse_seed(fields["seed"])
    return {
        "name": str(fields["edit_name"] or "").strip() or usual_name(entries),
        "model": model,
        "concepts": [entry.concept for entry in entries],
        "preserves": preserves,
        "protect": fields["protect"],
        "completeness": fields["completeness"],
        "untouched": bool(fields["untouched"]) and bool(preserves),
        "seed": 0 if seed is None else seed,
    }


def usual_name(entries: Sequence[Entry]) -> str:
    """What an edit is called where nobody says."""
    words = "-".join(entry.words for entry in entries if entry.words)
    return f"no-{words}"[:MAX_NAME_CHARS].rstrip("- ")


def problems(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> tuple[dict[int, str], str]:
    """What is wrong, before anything runs: row -> a sentence, and what is wrong besides; "" for nothing."""
    of_rows: dict[int, str] = {}
    alone = {**fields, "preserve": "", "edit_name": "a name"}
    for row in board.rows:
        if wrong := _refusal(studio, [row.value], alone, model):
            of_rows[row.id] = wrong
    rest = "" if of_rows else _refusal(studio, [row.value for row in board.rows], fields, model)
    return of_rows, rest


def _refusal(studio: Studio, entries: Sequence[Entry], fields: Mapping[str, Any], model: str) -> str:
    if not all(entry.words for entry in entries):
        return "Say what is to be erased."
    try:
        studio.erasures.check(plan_of(entries, fields, model))
    except StudioError as error:
        return sentence(error)
    return ""


# -- runs -----------------------------------------------------------------------------------------------------------


def start(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> Board:
    """Erase what the rows say, and draw what it is looked at in. Raises BadInput and NotFound for what cannot be."""
    entries = [row.value for row in board.rows]
    if empty := next((row for row in board.rows if not row.value.words), None):
        at = list(board.rows).index(empty) + 1
        raise BadInput(f"The concept in row {at} has no name.", "Say what is to be erased.", field="concepts")
    plan = studio.erasures.check(plan_of(entries, fields, model))
    values = plan.model_dump(mode="json")
    trial = Trial(
        model=model,
        concepts=concepts_of(values),
        sights=studio.erasures.sights(values),
        seed=plan.seed,
    )
    trial = _with_base(studio, trial, board.trial)
    return with_trial(board, trial.having(job=studio.erasures.start(values)))


def open_edit(studio: Studio, board: Board, ref: str, model: str) -> Board:
    """Look at an erasure that was made before. Raises NotFound, and BadInput for an edit that is no erasure."""
    entry = studio.edits.show(ref)
    plan = entry.provenance.get("erasure")
    if not isinstance(plan, dict):
        raise BadInput(f"The edit {entry.name or entry.id} was not made by an erasure.", "Switch it on in the stack.")
    if plan.get("model") != model:
        raise BadInput(
            f"The edit {entry.name} was made for {shown(plan.get('model'))}.", "Choose that model in the sidebar."
        )
    trial = Trial(
        model=model,
        concepts=concepts_of(plan),
        sights=studio.erasures.sights(plan),
        seed=int(plan.get("seed", 0)),
        edit=entry.id,
    )
    return advanced(studio, with_trial(board, _with_base(studio, trial, board.trial)))


def advanced(studio: Studio, board: Board) -> Board:
    """The board as far as the jobs of its trial have come: an edit that is there is drawn with, at the strength that
    is wanted, and pictures that are finished take the place of those before.

    Raises StudioError for what cannot be drawn.
    """
    trial = board.trial
    if trial is None:
        return board
    if trial.job and not trial.edit:
        trial = trial.having(edit=_edit_of(studio, trial.job))
    if trial.drawing and view_of(studio, trial.drawing.job).over:
        trial = trial.having(drawn=trial.drawing, drawing=None)
    if trial.edit and _shown_strength(trial) != trial.strength:
        if trial.drawing:
            stop(studio, {trial.drawing.job})
        ref = EditRef(edit=trial.edit, strength=trial.strength)
        job = _draw(studio, trial, [ref], f"Preview of {_title(trial)} at {trial.strength:g}")
        trial = trial.having(drawing=Drawing(job=job, strength=trial.strength))
    return with_trial(board, trial)


def making(studio: Studio, trial: Trial) -> Making:
    """How far the erasure is that is looked at."""
    if not trial.job:
        return Making(measures=_measures(entry_of(studio, trial)))
    try:
        events = studio.jobs.events(trial.job)
    except NotFound:  # the browser remembers a job of another workspace
        return Making("interrupted", error="This erasure is of another workspace.")
    state, measures, error = "queued", dict[str, float](), ""
    for event in events:
        if event.kind == "measure":
            measures = event.data["values"]
        elif event.final:
            error = event.data.get("error", "")
        state = event.kind if event.final else "running" if event.kind != "queued" else state
    if state != "done":
        error = error or ("It was stopped before there was an edit." if state == "cancelled" else "")
    return Making(state, measures or _measures(entry_of(studio, trial)), error)


def entry_of(studio: Studio, trial: Trial) -> EditEntry | None:
    """The edit that is looked at; None while there is none, and where it was deleted."""
    return studio.edits.known([trial.edit]).get(trial.edit) if trial.edit else None


def stop(studio: Studio, jobs: Iterable[str]) -> None:
    """Stop jobs; those that are over stay as they are."""
    for job in jobs:
        with contextlib.suppress(NotFound):
            studio.jobs.stop(job)


def stopped(studio: Studio, jobs: Iterable[str]) -> None:
    """Stop jobs and wait until they are over, a few seconds at most."""
    waiting = [job for job in jobs if job]
    stop(studio, waiting)
    deadline = time.monotonic() + STOPPED_WITHIN_S
    for job in waiting:
        while not view_of(studio, job).over and time.monotonic() < deadline:
            time.sleep(0.02)


def view_of(studio: Studio, job: str) -> JobView:
    """A job that draws; of one that is unknown, that it is over."""
    try:
        return canvas.view(studio.jobs.events(job))
    except NotFound:
        return JobView("interrupted")


# -- inside ---------------------------------------------------------------------------------------------------------


def _with_base(studio: Studio, trial: Trial, previous: Trial | None) -> Trial:
    """The prompts without the edit: where the last trial looked at the same, they are drawn already."""
    recipes = recipes_of(studio, trial)
    if previous and previous.base and recipes_of(studio, previous) == recipes:
        base = view_of(studio, previous.base)
        if not base.over or len(base.pictures) == len(recipes):
            return trial.having(base=previous.base)
    return trial.having(base=_draw(studio, trial, (), f"Preview of {_title(trial)}, before"))


def recipes_of(studio: Studio, trial: Trial, refs: Sequence[EditRef] = ()) -> list[Recipe]:
    """The prompts of a trial. Each is drawn alone, so that a strength of 0 gives the base's bits."""
    card = studio.sources.card(trial.model)
    side, of_world = card.default_size_px, studio.sources.is_of_world(trial.model)
    shared = Recipe(
        model=trial.model, width=side, height=side, steps=STEPS[of_world], edits=tuple(refs), batching="isolated"
    )
    shared = shared if of_world else shared.model_copy(update={"sampler": card.sampler})
    return [
        shared.model_copy(update={"prompt": sight.prompt, "seed": (trial.seed + k) % (MAX_SEED + 1)})
        for k, sight in enumerate(trial.sights)
    ]


def _draw(studio: Studio, trial: Trial, refs: Sequence[EditRef], description: str) -> str:
    recipes = recipes_of(studio, trial, refs)
    return studio.pictures.submit(recipes, "ahead", origin="preview", description=description)


def _shown_strength(trial: Trial) -> float | None:
    drawing = trial.drawing or trial.drawn
    return None if drawing is None else drawing.strength


def _edit_of(studio: Studio, job: str) -> str:
    """The edit that an erasure has made; "" while there is none. Of an earlier run of the studio it is found again by
    its plan, for of that only the end is known.
    """
    with contextlib.suppress(NotFound):
        events = studio.jobs.events(job)
        if edit := next((event.data["edit"] for event in events if event.kind == "edit"), ""):
            return edit
        if events and events[-1].kind == "done":
            plan = studio.jobs.get(job).payload.get("plan")
            return next((entry.id for entry in studio.edits.list() if entry.provenance.get("erasure") == plan), "")
    return ""


def _measures(entry: EditEntry | None) -> dict[str, float]:
    measures = entry.provenance.get("measures") if entry else None
    return measures if isinstance(measures, dict) else {}


def _title(trial: Trial) -> str:
    return ", ".join(f"{words} → {substitute or 'nothing'}" for words, substitute in trial.concepts)


def at_strength(board: Board, strength: float) -> Board:
    """The board wanting another strength."""
    return replace(board, trial=board.trial.having(strength=strength)) if board.trial else board
