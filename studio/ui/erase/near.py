"""What stands near a concept, to be kept; and what a substitute came to that was tried on the base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound
from studio.services import neighbours
from studio.services.neighbours import PICTURES, Tried
from studio.training.erase.texts import with_article
from studio.ui import watch
from studio.ui.components import fields
from studio.ui.components.progress import progress
from studio.ui.erase import board as boards
from studio.ui.erase import plan
from studio.ui.erase.board import Board, Lookup
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

# One event for everything: {op, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, value: value}});
{fields.SCRIPT}
{watch.PART}
"""
MOST_TRIED = 4  # substitutes, before it is left to the user


# -- words near a concept -------------------------------------------------------------------------------------------


def suggest(studio: Studio, board: Board, model: str) -> Board:
    """Look for words near the open row's concept. Raises BadInput for a concept that is none."""
    entry = board.rows[board.rows.chosen]
    if not entry.words:
        raise BadInput("Say what is to be erased first.", "Then its neighbours can be looked for.", field="concepts")
    job = neighbours.start(studio, model, entry.concept, _said(board))
    return replace(board, near=Lookup(row=board.rows.chosen, job=job))


def near_html(studio: Studio, board: Board, preserved: str) -> str:
    """The button, and the words that were found, each to be kept. preserved: the texts that are."""
    button = tag(
        "button",
        "Suggest neighbours",
        type="button",
        class_="small",
        data_op="suggest",
        title="Finds what the text encoder has nearest to this concept: an erasure harms that first",
    )
    return tag("div", button + _words(studio, board, preserved), class_="near")


def _words(studio: Studio, board: Board, preserved: str) -> str:
    if board.near is None or board.near.row not in board.rows:
        return ""
    try:
        words = neighbours.nearest(studio, board.near.job)
        is_over = studio.jobs.events(board.near.job)[-1].final
    except NotFound:  # of another workspace
        return ""
    if not is_over:
        return progress("Reads words", 0, 1, "", board.near.job)
    lines = {line.strip() for line in preserved.splitlines()}
    kind = _kind(studio, board)
    texts = [with_article(word) if kind == "object" else word for word in words]
    chips = "".join(
        tag("button", text(f"+ {words}"), type="button", class_="chip", data_op="keep", data_value=words)
        for words in texts
        if words not in lines
    )
    if not chips:
        return tag("p", "All of the nearest are kept." if words else "No words were found.", class_="hint")
    about = f"Nearest to “{board.rows[board.near.row].words}” first. A click keeps one."
    return tag("p", text(about), class_="hint") + tag("div", chips, class_="chips")


def _kind(studio: Studio, board: Board) -> str:
    assert board.near is not None
    at = [row.id for row in board.rows].index(board.near.row)
    model = str(studio.jobs.get(board.near.job).payload["model"])
    return plan.kinds(studio, board, model)[at] or "object"


def with_kept(preserved: str, words: str) -> str:
    """The texts that are kept, and one more."""
    lines = [line for line in preserved.splitlines() if line.strip()]
    return "\n".join([*lines, words]) if words and words not in lines else preserved


# -- substitutes ----------------------------------------------------------------------------------------------------


def try_substitute(studio: Studio, board: Board, id: int, model: str) -> Board:
    """Try what is named in a concept's place; where nothing is, propose something. Raises BadInput, NotFound."""
    entry = board.rows[id]
    if not entry.words:
        raise BadInput("Say what is to be erased first.", field="concepts")
    word, proposes = entry.substitute, False
    if not word:
        word, proposes = next(iter(_proposals(studio, board, id, model, ())), ""), True
    if not word:
        raise BadInput("There is nothing else of its kind.", "Name a substitute.", field="concepts")
    job = neighbours.try_substitute(studio, model, entry.concept, word)
    lookup = Lookup(row=id, job=job, word=word, proposes=proposes)
    return replace(board, rows=board.rows.choose(id), substitute=lookup)


def proposed(studio: Studio, board: Board, model: str) -> Board:
    """The board when what was tried is known: taken where the base draws it well, else the next is tried."""
    lookup = board.substitute
    if lookup is None or lookup.row not in board.rows or not lookup.proposes or not _is_over(studio, lookup):
        return board
    entry = board.rows[lookup.row]
    came = _came_to(studio, board, lookup)
    if entry.substitute or came is None:
        return board
    if came.is_good:
        board = boards.change(board, "substitute", lookup.row, lookup.word)
        return replace(board, substitute=lookup.model_copy(update={"proposes": False}))
    refused = (*lookup.refused, lookup.word)
    word = next(iter(_proposals(studio, board, lookup.row, model, refused)), "")
    if not word or len(refused) >= MOST_TRIED:
        return replace(board, substitute=lookup.model_copy(update={"proposes": False, "refused": refused}))
    job = neighbours.try_substitute(studio, model, entry.concept, word)
    return replace(board, substitute=lookup.model_copy(update={"job": job, "word": word, "refused": refused}))


def tries_html(studio: Studio, board: Board) -> dict[int, str]:
    """Row -> what a substitute came to that was tried there, or that it is being tried."""
    lookup = board.substitute
    if lookup is None or lookup.row not in board.rows:
        return {}
    if not _is_over(studio, lookup):
        words = f"Tries “{lookup.word}”: {PICTURES} pictures of the base"
        return {lookup.row: progress(words, 0, 1, "", lookup.job)}
    came = _came_to(studio, board, lookup)
    if came is None or board.rows[lookup.row].substitute not in ("", lookup.word):
        return {}
    sentence = f"“{lookup.word}”: {came.shown} of {came.pictures} pictures of the base show it."
    if not came.is_good:
        sentence += " It is drawn badly as it is, and so it would be in the concept's place: choose another."
    style = "formula tried" if came.is_good else "formula caveat"
    return {lookup.row: tag("p", text(sentence), class_=style, role="status")}


def _proposals(studio: Studio, board: Board, id: int, model: str, refused: tuple[str, ...]) -> list[str]:
    words = neighbours.candidates(studio, model, board.rows[id].concept, (*_said(board), *refused))
    # What looks alike is next to it, and would be read as the concept still: so not the very next.
    return words[2:] + words[:2]


def _said(board: Board) -> list[str]:
    return [row.value.words for row in board.rows]


def _is_over(studio: Studio, lookup: Lookup) -> bool:
    try:
        return studio.jobs.events(lookup.job)[-1].final
    except NotFound:
        return True


def _came_to(studio: Studio, board: Board, lookup: Lookup) -> Tried | None:
    concept: dict[str, Any] = board.rows[lookup.row].concept
    try:
        return neighbours.tried(studio, lookup.job, concept, lookup.word)
    except (BadInput, NotFound):  # another concept stands there by now
        return None
