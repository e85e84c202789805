"""An erasure or a balance as it runs: started, drawn with, stopped, gone on with, opened again, measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.core.recipe import LIVE, EditRef, Recipe
from studio.training.erase.plan import INSTANT
from studio.ui import live
from studio.ui.erase.aim import BALANCE
from studio.ui.erase.balance import run as balance
from studio.ui.erase.board import Board, Trial, concepts_of, with_trial
from studio.ui.erase.making import edit_of, lengthened_by, making_of
from studio.ui.erase.plan import limit_s, plan_of
from studio.ui.live import Drawing, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studio.services.studio import Studio

STOPPED_WITHIN_S = 5.0


def start(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> Board:
    """Do what the tab is to do, and draw what it is looked at in. Raises BadInput and NotFound for what cannot be."""
    prepare = balance.prepared if board.aim == BALANCE else _prepared
    trial, begin = prepare(studio, board, fields, model)
    trial = _with_base(studio, trial, board.trial)
    return with_trial(board, trial.having(job=begin()))


def _prepared(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> tuple[Trial, Callable[[], str]]:
    """As `balance.prepared`, of what the rows say."""
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
    return trial, lambda: studio.erasures.start(values, limit)


def go_on(studio: Studio, board: Board) -> Board:
    """Train on what was stopped, from where it was. Raises BadInput where nothing was."""
    trial = board.trial
    if trial is None or trial.is_balance or not trial.job or making_of(studio, trial).state == "done":
        raise BadInput("There is nothing to go on with.", "Press Erase.")
    return with_trial(board, trial.having(job=studio.jobs.retry(trial.job), edit=""))


def lengthen(studio: Studio, board: Board, steps: Any) -> Board:
    """Train the edit that is looked at further, to its next version. Raises BadInput where that cannot be."""
    trial = board.trial
    job = lengthened_by(studio, trial) if trial else ""
    if trial is None or not job:
        raise BadInput("What this training would go on from is gone.", "Press Erase, with more steps.")
    if not str(steps).isdecimal():
        raise BadInput(f"Steps are a whole number, not {shown(steps)}.", field="steps")
    return with_trial(board, trial.having(job=studio.trainings.lengthen(job, int(steps)), edit=""))


def open_edit(studio: Studio, board: Board, ref: str, model: str) -> Board:
    """Look at an erasure or a balance that was made before. Raises NotFound, and BadInput for an edit that is none."""
    entry = studio.edits.show(ref)
    plan, of_balance = entry.provenance.get("erasure"), entry.provenance.get("balance")
    plan = of_balance if isinstance(of_balance, dict) else plan
    if not isinstance(plan, dict):
        raise BadInput(f"The edit {entry.name or entry.id} was not made by an erasure.", "Switch it on in the stack.")
    if plan.get("model") != model:
        raise BadInput(
            f"The edit {entry.name} was made for {shown(plan.get('model'))}.", "Choose that model in the sidebar."
        )
    trial = (
        balance.opened(studio, plan, entry.id)
        if plan is of_balance
        else Trial(
            model=model,
            method=str(plan.get("method", INSTANT)),
            concepts=concepts_of(plan),
            sights=studio.erasures.sights(plan),
            seed=int(plan.get("seed", 0)),
            edit=entry.id,
        )
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
        trial = trial.having(edit=edit_of(studio, trial.job))
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
    if not trial.job or trial.drawing or trial.is_balance:
        return None
    training = making_of(studio, trial)
    if training.over or training.share < next_share(trial):
        return None
    return Drawing(job="", edit=f"{LIVE}{trial.job}", strength=trial.strength, share=training.share)


def next_share(trial: Trial) -> float:
    """How much of a training has to be done before its edit is looked at again."""
    newest = trial.drawing or trial.drawn
    is_live = newest is not None and newest.edit == f"{LIVE}{trial.job}"
    return live.next_share(newest.share if newest and is_live else None)


def at_strength(board: Board, strength: float) -> Board:
    """The board wanting another strength."""
    return replace(board, trial=board.trial.having(strength=strength)) if board.trial else board


def beside_negative(studio: Studio, board: Board) -> Board:
    """Have the prompts drawn by the base with the concepts as negative prompt too; once more, leave that out again.

    Raises BadInput where nothing is looked at.
    """
    trial = board.trial
    if trial is None or trial.is_balance:
        raise BadInput("There is nothing to compare yet.", "Erase something first.")
    if trial.negative:
        stop(studio, {trial.negative})
        return with_trial(board, trial.having(negative=""))
    words = ", ".join(words for words, _ in trial.concepts)
    recipes = [recipe.model_copy(update={"negative_prompt": words}) for recipe in recipes_of(studio, trial)]
    description = f"Preview of {_title(trial)}, by negative prompt"
    job = studio.pictures.submit(recipes, "ahead", origin="preview", description=description)
    return with_trial(board, trial.having(negative=job))


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
    """The prompts of a trial, each drawn alone."""
    return live.recipes(studio, trial.model, [sight.prompt for sight in trial.sights], trial.seed, refs)


def _draw(studio: Studio, trial: Trial, refs: Sequence[EditRef], description: str) -> str:
    recipes = recipes_of(studio, trial, refs)
    return studio.pictures.submit(recipes, "ahead", origin="preview", description=description)


def _title(trial: Trial) -> str:
    if trial.is_balance:
        return f"{trial.concepts[0][0]}: {', '.join(f'{words} {share:.0%}' for words, share in trial.shares)}"
    return ", ".join(f"{words} → {substitute or 'nothing'}" for words, substitute in trial.concepts)
