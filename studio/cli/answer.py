"""How an answer is printed: as text or as one JSON object on stdout; progress on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.engine.events import Event

Answer = dict[str, Any]
_CLEAR = "\r\x1b[K"


def give(args: argparse.Namespace, answer: Answer, text: str) -> None:
    """Print the answer of a verb: as JSON with --json, else its text."""
    write(answer if args.json else text)


def write(answer: Answer | str) -> None:
    """Print one line or several; JSON in ASCII only, for stdout may be of any encoding.

    What it cannot hold of a text is shown by its number.
    """
    text = (answer if isinstance(answer, str) else json.dumps(answer)) + "\n"
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def remark(sentence: str) -> None:
    """Say something beside the answer."""
    sys.stderr.write(f"{_CLEAR if sys.stderr.isatty() else ''}{sentence}\n")


def line(text: str) -> None:
    """Rewrite the last line of a terminal; in a file or pipe it would be noise."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{_CLEAR}{text}")
        sys.stderr.flush()


def progress(kind: str, data: Answer) -> None:
    """Show an engine's event, as far as it is progress."""
    if kind == "progress":
        picture = f"picture {data['image'] + 1} of {data['images']}, " if "images" in data else ""
        line(f"{picture}step {data['step']} of {data['steps']}")
    elif kind in ("done", "failed", "cancelled", "interrupted"):
        line("")


def follow(event: Event) -> None:
    """Show an event of a job, as far as it is progress."""
    progress(event.kind, event.data)
