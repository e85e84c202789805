"""The engine's state, as the sidebar shows it, and in one line where that is folded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.ui.components.progress import time_left
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.engine.backend import EngineStatus
    from studio.services.queue import QueueEntry

STATES = {
    "resting": "Not started",
    "starting": "Loading the model",
    "ready": "Ready",
    "busy": "Drawing",
    "stalled": "No progress",
    "broken": "Could not start; tries again with the next job",
    "closed": "Closed",
}
WORKING = {
    "train": "Training",
    "evaluate": "Measuring",
    "drift": "Measuring",
    "card": "Measuring",
    "neighbours": "Encoding the prompt",
}  # at what it is busy, by the kind of the job in hand
SHOWN = (("device", "{}"), ("dtype", "{}"), ("threads", "threads: {}"))  # what is told of the engine, and how


def status_html(status: EngineStatus, entries: Sequence[QueueEntry] = ()) -> str:
    """The engine's state. entries: of the queue, which say at what it is busy."""
    return tag("section", _model(status, state_html(status, entries)), class_="side engine")


def state_html(status: EngineStatus, entries: Sequence[QueueEntry]) -> str:
    """Its state in a word, with a dot in its colour."""
    running = _running(entries)
    word = WORKING.get(running.kind) if running and status.state == "busy" else None
    return tag("span", "", class_=f"dot {status.state}") + text(word or STATES[status.state])


def slim_html(status: EngineStatus, entries: Sequence[QueueEntry]) -> str:
    """The engine's state, the job in hand with its progress, and how many wait, in one line."""
    parts = [tag("span", state_html(status, entries), class_="state", role="status")]
    running = _running(entries)
    if running is not None:
        percent = round(100 * (running.progress or 0))
        fill = tag("span", "", style=f"width:{percent}%")
        bar = tag(
            "span",
            fill,
            class_="bar",
            role="progressbar",
            aria_label=running.description,
            aria_valuemin=0,
            aria_valuemax=100,
            aria_valuenow=percent,
        )
        parts += [tag("span", text(running.description), class_="what"), bar, tag("span", time_left(running.left_s))]
    if waiting := sum(entry.state in ("waiting", "paused") for entry in entries):
        parts.append(tag("span", f"{waiting} waiting"))
    return tag("div", "".join(parts), class_="slim")


def _running(entries: Sequence[QueueEntry]) -> QueueEntry | None:
    return next((entry for entry in entries if entry.state in ("running", "stopping")), None)


def _model(status: EngineStatus, state: str) -> str:
    made_by = status.made_by
    engine_facts = [how.format(made_by[key]) for key, how in SHOWN if made_by.get(key)]
    if memory := resident_bytes(status.pid):
        engine_facts.append(f"{memory / 2**20:,.0f} MB")
    message = (
        tag("p", text(status.message), class_="hint")
        if status.message and status.state not in ("ready", "busy")
        else ""
    )
    return (
        tag("p", state, class_="state", role="status")
        + message
        + alert(status.trouble)
        + tag("p", text(" · ".join(engine_facts)), class_="engine-facts")
        + _weights(made_by)
    )


def _weights(made_by: dict[str, Any]) -> str:
    """What the engine holds, and whether it is what the files say."""
    lines = ""
    if parts := made_by.get("resident"):
        parts_lines = [
            f"{part['part']} of {' and '.join(part['models'])}: {megabytes(part['bytes'])}" for part in parts
        ]
        total = megabytes(sum(part["bytes"] for part in parts))
        lines = tag("p", text(f"Weights in memory: {total}"), class_="engine-facts", title="\n".join(parts_lines))
    if (proof := made_by.get("equals_base")) is not None:
        why = "Compared bit for bit with what the model's files say."
        sentence = f"Base weights restored after the last picture with edits: {'yes' if proof else 'no'}"
        lines += tag("p", text(sentence), class_="engine-facts proof" + ("" if proof else " wrong"), title=why)
    return lines


def megabytes(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 2**20:,.0f} MB" if count < 10 * 2**30 else f"{count / 2**30:,.1f} GB"


def resident_bytes(pid: int | None) -> int | None:
    """Memory of a process, where the system tells it (Linux); None elsewhere, and for a process that is gone."""
    if pid is None:
        return None
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
