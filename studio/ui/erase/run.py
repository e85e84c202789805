"""From the tab's fields to jobs: an erasure, and the pictures it is looked at in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import load, shown
from studio.core.recipe import LIVE, EditRef, Recipe
from studio.training.erase.concept import Concept
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import INSTANT, MAX_NAME_CHARS
from studio.ui.components import canvas
from studio.ui.components.canvas import JobView
from studio.ui.components.curves import job as curves
from studio.ui.components.rows import Rows
from studio.ui.components.seeds import MAX_SEED, parse_seed
from studio.ui.erase.board import Board, Drawing, Trial, concepts_of, with_trial
from studio.ui.errors import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studio.services.edits.library import EditEntry
    from studio.services.erasures import Outlook
    from studio.services.studio import Studio
    from studio.training.erase.concept import ConceptKind
    from studio.ui.erase.board import Entry

FIELDS = ("preserve", "protect", "completeness", "untouched", "edit_name", "seed", "minutes")
PREVIEWS = 8  # of an edit while it is trained
MAX_CHARS = 20_000  # that can be typed
STEPS = {True: 12, False: 20}  # of a picture, by whether the model is of Stencil's world
STOPPED_WITHIN_S = 5.0


@dataclass(frozen=True)
class Making:
    """How far an erasure is.

    state: "queued", "running", or the kind of its last event; "done" of one that was made before.
    ahead: jobs before it.
    progress: data of its newest progress event, {} before the first and of the closed form.
    measures: name -> number, those of the closed form.
    steps: of a training, that its edit has had; 0 where it is whole.
    error: how it ended early, a sentence; "" else.
    """

    state: str = "done"
    ahead: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    steps: int = 0
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state not in ("queued", "running")

    @property
    def share(self) -> float:
        """Of a training that is done."""
        return float(self.progress.get("done", 0.0))


# -- what is asked for ----------------------------------------------------------------------------------------------


def plan_of(board: Board, fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The plan of an erasure as plain values; none of it is checked but the seed, which is text. Raises BadInput."""
    entries = [row.value for row in board.rows]
    preserves = [line.strip() for line in str(fields["preserve"] or "").splitlines() if line.strip()]
    seed = parse_seed(fields["seed"])
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
        "seed": 0 if seed is None else seed,
    }


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
    each: dict[str, Outlook] = {}
    for name in METHODS.names():
        with contextlib.suppress(StudioError):
            each[name] = studio.erasures.outlook(plan_of(replace(board, method=name), fields, model))
    return each


def limit_s(minutes: Any) -> float | None:
    """How long a training may take, in seconds; None where nobody says. Raises BadInput for what is no time."""
    if minutes in (None, 0):
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not minutes > 0:
        raise BadInput(f"A time in minutes is a number above 0, not {shown(minutes)}.", field="minutes")
    return 60.0 * minutes


# -- runs -----------------------------------------------------------------------------------------------------------


def start(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> Board:
    """Erase what the rows say, and draw what it is looked at in. Raises BadInput and NotFound for what cannot be."""
    if empty := next((row for row in board.rows if not row.value.words), None):
        at = list(board.rows).index(empty) + 1
        raise BadInput(f"The concept in row {at} has no name.", "Say what is to be erased.", field="concepts")
    plan, limit = studio.erasures.check(plan_of(board, fields, model)), limit_s(fields["minutes"])
    values = plan.model_dump(mode="json")
    trial = Trial(
        model=model,
        method=plan.method,
        concepts=concepts_of(values),
        sights=studio.erasures.sights(values),
        seed=plan.seed,
    )
    trial = _with_base(studio, trial, board.trial)
    return with_trial(board, trial.having(job=studio.erasures.start(values, limit)))


def go_on(studio: Studio, board: Board) -> Board:
    """Train on what was stopped, from where it was. Raises BadInput where nothing was."""
    trial = board.trial
    if trial is None or not trial.job or making(studio, trial).state == "done":
        raise BadInput("There is nothing to go on with.", "Press Erase.")
    return with_trial(board, trial.having(job=studio.jobs.retry(trial.job), edit=""))


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
        method=str(plan.get("method", INSTANT)),
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
    if trial.drawing and (drawing := view_of(studio, trial.drawing.job)).over:
        # Of an edit that was handed over before its turn came, nothing could be drawn.
        is_shown = drawing.pictures or not trial.drawing.edit.startswith(LIVE)
        trial = trial.having(drawn=trial.drawing if is_shown else trial.drawn, drawing=None)
    if (due := _due(studio, trial)) is not None:
        if trial.drawing:
            stop(studio, {trial.drawing.job})
        ref = EditRef(edit=due.edit, strength=due.strength)
        job = _draw(studio, trial, [ref], f"Preview of {_title(trial)} at {due.strength:g}")
        trial = trial.having(drawing=due.model_copy(update={"job": job}))
    return with_trial(board, trial)


def _due(studio: Studio, trial: Trial) -> Drawing | None:
    """What is to be drawn next, without its job; None for nothing.

    While it is trained, the edit as it is by then: at its first eighth, at the next, and so on.
    """
    newest = trial.drawing or trial.drawn
    if trial.edit:
        drawing = Drawing(job="", edit=trial.edit, strength=trial.strength)
        return None if newest and newest.model_copy(update={"job": ""}) == drawing else drawing
    if not trial.job or trial.drawing:
        return None
    training = making(studio, trial)
    if training.over or training.share < next_share(trial):
        return None
    return Drawing(job="", edit=f"{LIVE}{trial.job}", strength=trial.strength, share=training.share)


def next_share(trial: Trial) -> float:
    """How much of a training has to be done before its edit is looked at again."""
    newest = trial.drawing or trial.drawn
    is_live = newest is not None and newest.edit == f"{LIVE}{trial.job}"
    return (int(newest.share * PREVIEWS) + 1) / PREVIEWS if newest and is_live else 1 / PREVIEWS


def making(studio: Studio, trial: Trial) -> Making:
    """How far the erasure is that is looked at."""
    if not trial.job:
        return Making(measures=_measures(entry_of(studio, trial)))
    try:
        events = studio.jobs.events(trial.job)
    except NotFound:  # the browser remembers a job of another workspace
        return Making("interrupted", error="This erasure is of another workspace.")
    values: dict[str, Any] = {"state": "queued"}
    for event in events:
        if event.kind == "queued":
            values["ahead"] = event.data.get("ahead", 0)
        elif event.kind == "progress":
            values["progress"] = event.data
        elif event.kind == "measure" and trial.method == INSTANT:
            values["measures"] = event.data["values"]
        elif event.kind == "edit" and not event.data.get("final", True):
            values["steps"] = event.data["steps"]
        elif event.final:
            values["error"] = event.data.get("error", "")
        values["state"] = event.kind if event.final else "running" if event.kind != "queued" else values["state"]
    if values["state"] == "cancelled":
        values["error"] = "" if values.get("steps") else "It was stopped before there was an edit."
    values.setdefault("measures", _measures(entry_of(studio, trial)))
    return Making(**values)


def has_curves(studio: Studio, trial: Trial) -> bool:
    """Whether it is a training that has measured something."""
    if not trial.job or trial.method == INSTANT:
        return False
    with contextlib.suppress(NotFound):
        return bool(curves.points(studio, trial.job))
    return False


def entry_of(studio: Studio, trial: Trial) -> EditEntry | None:
    """The edit that is looked at; None while there is none, and where it was deleted."""
    return studio.edits.known([trial.edit]).get(trial.edit) if trial.edit else None


def measure(studio: Studio, board: Board, budget: Any) -> Board:
    """Have the report card of the trial's edit drawn. Raises BadInput and NotFound for what cannot be measured."""
    trial = board.trial
    if trial is None or not trial.edit:
        raise BadInput("There is no edit to measure yet.", "Erase something first.")
    return with_trial(board, trial.having(card=studio.cards.start(trial.edit, str(budget))))


def stop(studio: Studio, jobs: Iterable[str]) -> None:
    """Stop jobs; those that are over stay as they are."""
    for job in filter(None, jobs):
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


def _edit_of(studio: Studio, job: str) -> str:
    """The edit that an erasure has made; "" while there is none. Of an earlier run of the studio it is found again by
    its plan, for of that only the end is known.
    """
    with contextlib.suppress(NotFound):
        events = studio.jobs.events(job)
        if edit := next((event.data["edit"] for event in events if event.kind == "edit"), ""):
            return edit
        if events and events[-1].kind == "done":
            plan = studio.jobs.get(job).payload.get("plan") or {}
            plan = (plan.get("provenance") or {}).get("erasure", plan)  # that of a training has it among its origins
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
