"""Many concepts at once, as lines of text: added as rows of one edit, or erased each by itself, job after job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound
from studio.training.erase.lines import Line, read_lines
from studio.ui.components.progress import progress
from studio.ui.components.rows import Rows
from studio.ui.erase import board as boards
from studio.ui.erase.board import MAX_ROWS, Board, Entry
from studio.ui.erase.plan import limit_s, plan_of, usual_name
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.studio import Studio


def add_rows(studio: Studio, board: Board, text: str, fields: Mapping[str, Any], model: str) -> tuple[Board, str, str]:
    """The board with a row for each line, in the place of the example that a first visitor finds.

    Gives the lines that were not taken, and what to say of them, as HTML, too. Raises BadInput where there are none.
    """
    good, refused = _sorted_out(studio, board, text, fields, model)
    entries = [row.value for row in board.rows if row.value != Entry()]
    if entries == [row.value for row in boards.new().rows]:
        entries = []
    room = MAX_ROWS - len(entries)
    refused += [replace(line, problem=f"There are {MAX_ROWS} rows already.") for line in good[room:]]
    if entries := entries + [_entry(line) for line in good[:room]]:
        board = replace(board, rows=Rows.of(entries, MAX_ROWS))
    return board, *_left(refused)


def erase_each(
    studio: Studio, board: Board, text: str, fields: Mapping[str, Any], model: str
) -> tuple[Board, str, str]:
    """The board following a job for each line, with the method and the settings of the tab. Else as `add_rows`."""
    good, refused = _sorted_out(studio, board, text, fields, model)
    limit = limit_s(fields["minutes"])
    jobs: list[str] = []
    for line in good:
        entry = _entry(line)
        plan = {**plan_of(board, fields, model), "concepts": [entry.concept], "sliders": False}
        jobs.append(studio.erasures.start({**plan, "name": usual_name([entry])}, limit))
    return replace(board, batch=(*under_way(studio, board), *jobs) if jobs else board.batch), *_left(refused)


def under_way(studio: Studio, board: Board) -> list[str]:
    """The jobs of the batch that are not over."""
    return [job for job in board.batch if not _end(studio, job)]


def batch_html(studio: Studio, board: Board) -> str:
    """How far the batch is, and what failed of it; "" where there is none."""
    if not board.batch:
        return ""
    ends = {job: _end(studio, job) for job in board.batch}
    failures = "".join(alert(f"{_what(studio, job)}: {end}") for job, end in ends.items() if end not in ("", "done"))
    total, over = len(ends), sum(map(bool, ends.values()))
    if over < total:
        first = next(job for job, end in ends.items() if not end)
        return progress(f"{over} of {total} erased, each by itself", over, total, "", first) + failures
    successes = sum(end == "done" for end in ends.values())
    note = f"{successes} of {total} edits were made, each by itself. They are listed under Made before."
    return alert(note, "note") + failures


def _sorted_out(
    studio: Studio, board: Board, text: str, fields: Mapping[str, Any], model: str
) -> tuple[list[Line], list[Line]]:
    """The lines that can be erased, each by itself, and the others with their problems."""
    lines = read_lines(text)
    if not lines:
        raise BadInput("There are no concepts to read.", "Write one on each line, such as: star -> heart")
    legible = [line for line in lines if not line.problem]
    plan = {**plan_of(board, fields, model), "sliders": False, "name": "a name"}
    sentences = studio.erasures.refusals({**plan, "concepts": [line.concept for line in legible]}, separate=True)
    checked = [replace(line, problem=sentence) for line, sentence in zip(legible, sentences, strict=True)]
    refused = [line for line in (*lines, *checked) if line.problem]
    return [line for line in checked if not line.problem], sorted(refused, key=lambda line: line.number)


def _left(refused: list[Line]) -> tuple[str, str]:
    """Lines to be mended, and what is wrong with each."""
    sentences = (alert(f"Line {line.number}, “{line.text[:60]}”: {line.problem}") for line in refused)
    return "\n".join(line.text for line in refused), "".join(sentences)


def _entry(line: Line) -> Entry:
    values = {name: value for name, value in line.concept.items() if name != "synonyms"}
    return Entry(**values, synonyms=", ".join(line.concept.get("synonyms", ())))


def _end(studio: Studio, job: str) -> str:
    """How a job ended: "done", or a sentence; "" while it has not."""
    try:
        event = studio.jobs.events(job)[-1]
    except NotFound:  # of another workspace
        return "It is of another workspace."
    if not event.final:
        return ""
    return "done" if event.kind == "done" else str(event.data.get("error") or "It was stopped.")


def _what(studio: Studio, job: str) -> str:
    try:
        return str(studio.jobs.get(job).payload.get("what") or "An erasure")
    except NotFound:
        return "An erasure"
