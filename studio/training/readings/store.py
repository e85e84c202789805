"""Where readings are kept: readings/<oracle>.jsonl, a line for each picture, with its checksum in front.

Lines are added and never changed; one that was cut short or damaged costs itself alone. Loads no torch: the page reads
what the engine wrote.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.storage.workspace import PRIVATE_FOLDER, workspace_error
from studio.world.reading import Reading, SeenThing

FOLDER = "readings"
_NAME = re.compile(r"[0-9a-f]{16}\.jsonl")


def path_of(folder: Path, oracle: str) -> Path:
    """Where an oracle's readings are. oracle: what they depend on, in hex (studio.world.oracle.version)."""
    return folder / f"{oracle[:16]}.jsonl"


def newest(folder: Path) -> Path | None:
    """The file that was last written: what the page reads, which does not load the oracle. None without any."""
    stats = [(path.stat().st_mtime_ns, path) for path in folder.glob("*.jsonl") if _NAME.fullmatch(path.name)]
    return max(stats)[1] if stats else None


def read(path: Path) -> dict[str, Reading]:
    """sha256 of a picture's file -> what was read in it; {} where there is no file."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return {}
    readings: dict[str, Reading] = {}
    for line in lines:
        try:
            check, _, text = line.partition(b" ")
            if int(check, 16) == zlib.crc32(text):
                values: dict[str, Any] = json.loads(text)
                image = str(values.pop("image"))
                readings[image] = _reading(values)
        except (ValueError, KeyError, TypeError):
            continue
    return readings


def add(path: Path, readings: Mapping[str, Reading]) -> None:
    """Keep further readings, by the sha256 of the pictures' files; on disk when this returns. Raises WorkspaceError."""
    texts = [json.dumps({"image": image, **asdict(reading)}).encode() for image, reading in readings.items()]
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
