"""A session as the page shows it: values for the components, by their names; what is not named stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.ui import order
from studio.ui.edit_stack import EditRow, Stack
from studio.ui.erase import outcome, pairs, past, rows, run
from studio.ui.erase.board import BoardSession, Trial
from studio.ui.erase.run import Making
from studio.ui.markup import alert, tag, text
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio

TIME = "Takes about a second, and nothing is trained; then eight small pictures are drawn."
TIME_OTHERS = "Nothing is trained: some sentences are encoded, in a second or a few. Then eight pictures are drawn."


def form(studio: Studio, session: BoardSession, fields: Mapping[str, Any], model: str) -> Answer:
    """What is to be erased, with what is wrong of it."""
    of_rows, rest = run.problems(studio, session.value, fields, model)
    in_world = _is_of_world(studio, model)
    return {
        **copied(session),
        "rows": rows.rows_html(session.value, of_rows, in_world),
        "note": note_html(in_world, rest),
    }


def trial(studio: Studio, session: BoardSession, stack: Stack, message: str = "") -> Answer:
    """What came of it. message: what to say above."""
    current = session.value.trial
    if current is None:
        return {
            **copied(session),
            "outcome": outcome.EMPTY,
            "pairs": "",
            "message": message,
            "past": past.past_html(past.erasures(studio)),
            "stop": gr.Button(interactive=False),
        }
    making = run.making(studio, current)
    entry = run.entry_of(studio, current)
    return {
        **copied(session),
        "outcome": outcome.outcome_html(current, making, entry, row_of(studio, stack, current)),
        "pairs": pairs.pairs_html(studio, current) if entry is not None or not making.over else "",
        "message": message,
        "past": past.past_html(past.erasures(studio), entry.id if entry else ""),
        "stop": gr.Button(interactive=is_busy(studio, current, making)),
    }


def row_of(studio: Studio, stack: Stack, current: Trial) -> EditRow | None:
    """Where the edit that is looked at stands on the stack; a row may know it by a former name."""
    entry = run.entry_of(studio, current)
    if entry is None:
        return None
    entries = studio.edits.known(row.edit for row in stack.rows)
    return next((row for row in stack.rows if row.edit in entries and entries[row.edit].id == entry.id), None)


def is_busy(studio: Studio, current: Trial, making: Making) -> bool:
    """Whether something of a trial is under way."""
    return not making.over or any(not run.view_of(studio, job).over for job in current.jobs - {current.job})


def note_html(in_world: bool, wrong: str) -> str:
    """What stands under the button: what is wrong, else what it takes."""
    if wrong:
        return alert(wrong)
    return tag("p", text(TIME if in_world else TIME_OTHERS), class_="hint")


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"erase": session.browser_copy, "erase_revision": order.revision("erase", session.revision)}


def _is_of_world(studio: Studio, model: str) -> bool:
    try:
        return studio.sources.is_of_world(model)
    except StudioError:  # a model that cannot be read has a sentence of its own, elsewhere
        return False
