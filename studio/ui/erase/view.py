"""A session as the page shows it: values for the components, by their names; what is not named stays as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.ui import order
from studio.ui.components import progress
from studio.ui.components.curves import job as curves
from studio.ui.edit_stack import EditRow, Stack
from studio.ui.erase import cards, many, methods, near, outcome, pairs, past, plan, rows
from studio.ui.erase.aim import BALANCE, TITLES, aim_html
from studio.ui.erase.balance import plan as plans
from studio.ui.erase.balance.form import form_html as wishes_html
from studio.ui.erase.balance.run import measured_of
from studio.ui.erase.board import BoardSession, Trial
from studio.ui.erase.making import Making, entry_of, has_curves, lengthened_by, making_of, parts_of
from studio.ui.live import view_of
from studio.ui.markup import alert, tag, text
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.erasures import Outlook
    from studio.services.studio import Studio

UNKNOWN_S = "How long that takes here is known after its third step."
MEANWHILE = "Meanwhile you can draw: what you ask for goes first."


def form(studio: Studio, session: BoardSession, fields: Mapping[str, Any], model: str) -> Answer:
    """What is to be erased or balanced, with what is wrong of it."""
    board = session.value
    answer = _form_of_balance if board.aim == BALANCE else _form_of_erasure
    return {
        **answer(studio, session, fields, model),
        "aim": aim_html(board.aim),
        "batch": many.batch_html(studio, board),
        "go": gr.Button(TITLES[board.aim][0]),
    }


def _form_of_balance(studio: Studio, session: BoardSession, fields: Mapping[str, Any], model: str) -> Answer:
    wishes = session.value.wishes
    wrong = plans.problems(studio, wishes, fields, model)
    note = alert(wrong.rest)
    if not wrong.any:
        with contextlib.suppress(StudioError):
            words = plans.outlook_words(studio, wishes, fields, model)
            note = tag("p", text(f"{words} {MEANWHILE}"), class_="hint")
    return {**copied(session), "wishes": wishes_html(wishes, wrong.concept, wrong.rows), "note": note}


def _form_of_erasure(studio: Studio, session: BoardSession, fields: Mapping[str, Any], model: str) -> Answer:
    board = session.value
    of_rows, rest = plan.problems(studio, board, fields, model)
    outlooks = {} if of_rows else plan.outlooks(studio, board, fields, model)
    outlook = outlooks.get(board.method)
    times = {name: _in_short(forecast) for name, forecast in outlooks.items()}
    return {
        **copied(session),
        "rows": rows.rows_html(board, of_rows, plan.is_of_world(studio, model), near.tries_html(studio, board)),
        "near": near.near_html(studio, board, str(fields["preserve"] or "")),
        "methods": methods.methods_html(
            board.method, board.options, outlook.steps if outlook else 0, plan.kinds(studio, board, model), times
        ),
        "sliders": gr.Checkbox(visible=plan.can_have_sliders(board)),
        "note": alert(rest) or (tag("p", text(_in_words(outlook)), class_="hint") if outlook else ""),
    }


def trial(studio: Studio, session: BoardSession, stack: Stack, message: str = "") -> Answer:
    """What came of it. message: what to say above."""
    current = session.value.trial
    if current is None:
        return {
            **copied(session),
            "outcome": outcome.EMPTY_OF_BALANCE if session.value.aim == BALANCE else outcome.EMPTY,
            "pairs": "",
            "figures": "",
            "card": "",
            "message": message,
            "past": past.past_html(studio, past.erasures(studio)),
            "stop": gr.Button(interactive=bool(many.under_way(studio, session.value))),
        }
    making = making_of(studio, current)
    entry = entry_of(studio, current)
    is_longer = making.over and bool(lengthened_by(studio, current))
    return {
        **copied(session),
        "outcome": outcome.outcome_html(
            current,
            making,
            entry,
            row_of(studio, stack, current),
            is_longer,
            len(parts_of(studio, entry)) if entry else 0,
            measured_of(studio, current, entry) if current.is_balance else None,
        ),
        "pairs": pairs.pairs_html(studio, current) if entry is not None or not making.over else "",
        "figures": outcome.figures_html(current, making, entry)
        + (curves.inline_html(studio, current.job) if has_curves(studio, current) else ""),
        "card": cards.card_html(studio, current, entry),
        "message": message,
        "past": past.past_html(studio, past.erasures(studio), entry.id if entry else ""),
        "stop": gr.Button(interactive=is_busy(studio, current, making) or bool(many.under_way(studio, session.value))),
    }


def row_of(studio: Studio, stack: Stack, current: Trial) -> EditRow | None:
    """Where the edit that is looked at stands on the stack; a row may know it by a former name.

    Where it has parts, they stand there for it: the first of them, where all are on or off at one strength.
    """
    entry = entry_of(studio, current)
    if entry is None:
        return None
    rows = rows_of(studio, stack, parts_of(studio, entry) or [entry])
    is_alike = None not in rows and len({(row.on, row.strength) for row in rows if row}) == 1
    return rows[0] if is_alike else None


def rows_of(studio: Studio, stack: Stack, entries: Sequence[EditEntry]) -> list[EditRow | None]:
    """Of some edits the row that each has on the stack, None of one that is not there."""
    by_row = studio.edits.known(row.edit for row in stack.rows)
    by_id = {by_row[row.edit].id: row for row in stack.rows if row.edit in by_row}
    return [by_id.get(entry.id) for entry in entries]


def is_busy(studio: Studio, current: Trial, making: Making) -> bool:
    """Whether something of a trial is under way."""
    jobs = (current.jobs | {current.card}) - {current.job, ""}
    return not making.over or any(not view_of(studio, job).over for job in jobs)


def _in_short(outlook: Outlook) -> str:
    """What a method takes, on its card."""
    most = "at most " if outlook.may_end_early else ""
    if outlook.seconds is not None:
        return most + progress.seconds(outlook.seconds)
    return f"{most}{outlook.steps} steps" if outlook.steps else "some seconds"


def _in_words(outlook: Outlook) -> str:
    """What the erasure takes, under the button, before it is started."""
    if not outlook.steps:
        time = "some seconds" if outlook.seconds is None else progress.seconds(outlook.seconds)
        return f"Takes {time}: nothing is trained. Then eight pictures are drawn, four before and four after."
    time = UNKNOWN_S if outlook.seconds is None else f"That takes {progress.seconds(outlook.seconds)} here."
    if not outlook.may_end_early:
        return f"Trains {outlook.steps} steps, and shows the pictures as they change. {time} {MEANWHILE}"
    if outlook.seconds is not None:
        time = f"All of them take {progress.seconds(outlook.seconds)} here."
    return (
        f"Trains {outlook.steps} steps at most, and shows the pictures as they change: it ends once the substitute is "
        f"drawn as often as the base draws it. {time} {MEANWHILE}"
    )


def copied(session: BoardSession) -> Answer:
    """What the browser keeps, and its number."""
    return {"erase": session.browser_copy, "erase_revision": order.revision("erase", session.revision)}
