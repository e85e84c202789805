"""The guidance methods and their parameters, as the page needs them, without bringing torch into the page's start.

The methods are classes full of torch, which takes seconds to import; the page wants only what they declare. So a
second interpreter reads the declarations while this one imports Gradio, and writes them as JSON: `start` as early as
possible, `methods` where they are needed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from studio.core.params import ParamSpec, specs

Methods = dict[str, tuple[ParamSpec, ...]]  # guidance method -> its parameters
_reader: list[subprocess.Popen[bytes]] = []


def start() -> None:
    """Begin to read. Without it, `methods` reads in this process."""
    if not _reader:
        # -P: a folder named studio where the user happens to stand must not be taken for ours. The path is handed on
        # so that the interpreter finds the package as this one did.
        program = f"import sys; sys.path[:] = {sys.path!r}; from studio.ui.methods import main; main()"
        with contextlib.suppress(OSError):
            _reader.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            )


@functools.cache
def methods() -> Methods:
    """Every guidance method, by name."""
    if _reader:
        written, _ = _reader.pop().communicate()
        with contextlib.suppress(ValueError, TypeError, KeyError):  # it failed: read them here, and fail here if so
            return from_json(written)
    return declared()


def declared() -> Methods:
    """The same, from the classes themselves. Imports torch."""
    from studio.guidance import GUIDANCE

    return {name: specs(method) for name, method in GUIDANCE.items()}


def to_json(found: Methods) -> str:
    return json.dumps({name: [asdict(spec) for spec in parameters] for name, parameters in found.items()})


def from_json(written: bytes | str) -> Methods:
    """Raises ValueError, TypeError or KeyError if it is not what `to_json` gives."""
    read: dict[str, list[dict[str, Any]]] = json.loads(written)
    return {name: tuple(_spec(values) for values in parameters) for name, parameters in read.items()}


def _spec(values: dict[str, Any]) -> ParamSpec:
    choices = values["choices"]
    return ParamSpec(**{**values, "choices": None if choices is None else tuple(choices)})


def main() -> None:
    sys.stdout.write(to_json(declared()))
