"""Where readings are kept: readings/<oracle>.jsonl, a line for each picture, with its checksum in front; and what a
CLIP reads of a prompt's words, readings/words-<clip>.jsonl, a line for each picture and prompt.

Lines are added and never changed; one that was cut short or damaged costs itself alone. Loads no torch: the page reads
what the engine wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.storage.workspace import PRIVATE_FOLDER, workspace_error
from studio.world.reading import Reading, SeenThing

FOLDER = "readings"
_NAME = re.compile(r"(words-)?[0-9a-f]{16}\.jsonl")
# What a word adds to the cosine, below which it is missed: of CLIPs of OpenAI's kind, by the code of arXiv:2412.18404.
MISSED_BELOW = -5e-5
Words = tuple[tuple[str, float], ...]  # (word, what it adds to the cosine), in the prompt's order


def path_of(folder: Path, oracle: str) -> Path:
    """Where an oracle's readings are. oracle: what they depend on, in hex (studio.world.oracle.version)."""
    return folder / f"{oracle[:16]}.jsonl"


def words_path_of(folder: Path, clip: str) -> Path:
    """Where what a CLIP reads of words is. clip: its id, in hex."""
    return folder / f"words-{clip[:16]}.jsonl"


def newest(folder: Path, prefix: str = "") -> Path | None:
    """The file that was last written: what the page reads, which does not load the oracle. None without any.

    prefix: "words-" for those of a CLIP.
    """
    names = (
        path for path in folder.glob("*.jsonl") if (match := _NAME.fullmatch(path.name)) and (match[1] or "") == prefix
    )
    stats = [(path.stat().st_mtime_ns, path) for path in names]
    return max(stats)[1] if stats else None


def read(path: Path) -> dict[str, Reading]:
    """sha256 of a picture's file -> what was read in it; {} where there is no file."""
    readings: dict[str, Reading] = {}
    for values in _lines(path):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            image = str(values.pop("image"))
            readings[image] = _reading(values)
    return readings


def add(path: Path, readings: Mapping[str, Reading]) -> None:
    """Keep further readings, by the sha256 of the pictures' files; on disk when this returns. Raises WorkspaceError."""
    _append(path, [{"image": image, **asdict(reading)} for image, reading in readings.items()])


def read_words(path: Path) -> dict[tuple[str, str], Words]:
    """(sha256 of a picture's file, prompt) -> its words; {} where there is no file."""
    words: dict[tuple[str, str], Words] = {}
    for values in _lines(path):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            key = str(values["image"]), str(values["prompt"])
            words[key] = tuple((str(word), float(score)) for word, score in values["words"])
    return words


def add_words(path: Path, words: Mapping[tuple[str, str], Words]) -> None:
    """Keep the words of further pictures and prompts. Raises WorkspaceError."""
    _append(path, [{"image": image, "prompt": prompt, "words": scores} for (image, prompt), scores in words.items()])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """What can be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):
            check, _, text = line.partition(b" ")
            if int(check, 16) == zlib.crc32(text):
                yield json.loads(text)


def _append(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    texts = [json.dumps(row).encode() for row in rows]
    data = b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in texts)
    try:
        path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)  # in a folder that is there: a workspace may have been moved
        with open(path, "ab+", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                data = data if file.read(1) == b"\n" else b"\n" + data  # a write was cut short: nothing is lost with it
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise workspace_error(error, "What was read in the pictures") from None


def _reading(values: Mapping[str, Any]) -> Reading:
    return Reading(**{**values, "things": tuple(SeenThing(**thing) for thing in values["things"])})
