"""Labels of every kind, with small pictures, for what reads and writes them."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from studio.preference.answer import OUTCOMES, Answer
from studio.preference.label import Label, Picture

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@cache
def png(seed: int, size: int = 12, format: str = "PNG") -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


class Pictures:
    """Pictures in a folder, by their sha256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.png"

    def put(self, data: bytes) -> str:
        """Store a file; give its sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self(sha256).write_bytes(data)
        return sha256

    def new(self, seed: int, model: str = "") -> Picture:
        """A picture of noise that is stored."""
        return Picture(self.put(png(seed)), foreign=True, width=12, height=12, model=model)


def labels(pictures: Pictures) -> list[Label]:
    """One label of every kind: all outcomes of a pair, lists, thumbs; some say everything that a label may."""
    answers = [Answer.pair(outcome) for outcome in OUTCOMES]
    answers += [Answer.best(2, 4), Answer.best_worst(0, 3, 4), Answer("ranking", (2, 1, 2, 3))]
    answers += [Answer.thumb(True), Answer.thumb(False), Answer("ranking", (1, 1, 1), good=False)]
    made: list[Label] = []
    for number, answer in enumerate(answers):
        count = len(answer.ranks) or (1 if answer.mode == "thumb" else 2)
        shown = tuple(pictures.new(100 * number + place, model=f"model {place}") for place in range(count))
        made.append(
            Label(
                id=f"label-{number}",
                item=number + 1,
                campaign="first",
                annotator=f"Anna {number % 3}",
                prompt=f'A prompt, with "quotes", \N{SNOWMAN} and\nlines, {number % 5}',
                pictures=shown,
                answer=answer,
                order=tuple(reversed(range(count))),
                answered_at=START + timedelta(seconds=number),
                latency_ms=1234.5 + number,
                confidence=0.5 if number % 2 else 1.0,
                comment="the left one, \N{GRINNING FACE}" if number == 1 else "",
                flagged=number == 2,
            )
        )
    return made
