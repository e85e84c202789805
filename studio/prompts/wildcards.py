"""Wildcards: `__colours__` in a prompt stands for one line of colours.txt.

A list is a text file, one entry per line; empty lines and lines that begin with # do not count. Entries may hold
wildcards themselves. Names are looked up among the lists that were read, never turned into paths.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.core.recipe import MAX_PROMPT_CHARS

MAX_DEPTH = 8  # lists within lists
MAX_USES = 200  # wildcards replaced in one prompt, those in entries included
MANY = 10**15  # where `count` stops counting
MAX_FILE_BYTES = 1_000_000
MAX_ENTRIES = 10_000
MAX_ENTRY_CHARS = 1_000

_NAME = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")  # single underscores, so that its end can be told
_USE = re.compile(r"__([^\s_]+(?:_[^\s_]+)*)__")


@dataclass(frozen=True)
class Wildcards:
    """Lists by name, each with one or more entries."""

    lists: Mapping[str, tuple[str, ...]]

    def expand(self, text: str, seed: int) -> str:
        """Put an entry in place of each wildcard, drawn by the image's seed: the same seed gives the same words.

        The n-th draw depends on the seed and n alone, not on a library's random generator, so it stays the same over
        versions. Each use of a list is a draw of its own. Raises as `count` does, and BadInput if more than 200
        wildcards have to be replaced or the prompt grows beyond what a recipe holds.
        """
        draws = itertools.count()

        def draw(entries: tuple[str, ...]) -> str:
            number = next(draws)
            if number >= MAX_USES:
                raise BadInput(f"More than {MAX_USES} wildcards come together in the prompt.", "Use fewer.")
            digest = hashlib.sha256(f"wildcard {seed} {number}".encode()).digest()
            return entries[int.from_bytes(digest, "big") % len(entries)]

        return _within_limit(self._replaced(text, draw, ()))

    def count(self, text: str) -> int:
        """How many prompts a text stands for; 1 if it has no wildcard, and MANY for that many or more.

        Raises NotFound for a list that is not there, BadInput for a name that cannot be one, more than 200 wildcards
        in one text, and lists that lead into each other deeper than 8.
        """
        counts: dict[tuple[str, int], int] = {}

        def of_text(text: str, path: tuple[str, ...]) -> int:
            return min(math.prod(of_list(name, path) for name in _names(text)), MANY)

        def of_list(name: str, path: tuple[str, ...]) -> int:
            entries, key = self._entries(name, path), (name, len(path))
            if key not in counts:
                counts[key] = min(sum(of_text(entry, (*path, name)) for entry in entries), MANY)
            return counts[key]

        return of_text(text, ())

    def _replaced(self, text: str, draw: Callable[[tuple[str, ...]], str], path: tuple[str, ...]) -> str:
        def entry(use: re.Match[str]) -> str:
            text = draw(self._entries(use[1], path))
            return self._replaced(text, draw, (*path, use[1]))

        return _USE.sub(entry, text)

    def _entries(self, name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        """The entries of a list used inside the lists of `path`."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"A wildcard is named with letters, digits, - and _, not {shown(name)}.")
        if name not in self.lists:
            list_names = ", ".join(sorted(self.lists)) or "none"
            raise NotFound(f"There is no wildcard list {shown(name)}; there are: {list_names}.")
        if len(path) >= MAX_DEPTH:
            chain = " -> ".join((*path, name))
            raise BadInput(f"Wildcard lists lead into each other more than {MAX_DEPTH} deep: {chain}.")
        return self.lists[name]


def read_list(path: Path) -> tuple[str, ...]:
    """Read one list, `name.txt`: an entry a line; empty lines and those that begin with # do not count.

    Raises BadInput, naming the file: a name with other than letters, digits, - and single _; not UTF-8 text; over 1 MB,
    10,000 entries or 1,000 characters in one; no entry.
    """
    name = f"The wildcard list {shown(path.name)}"
    if not _NAME.fullmatch(path.stem):
        raise BadInput(f"{name} must be named with letters, digits, - and single _.", "Rename the file.")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{name} is larger than {MAX_FILE_BYTES} bytes.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8 text.") from None
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}.") from None
    entries = tuple(entry for line in lines if (entry := line.strip()) and not entry.startswith("#"))
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise BadInput(f"{name} must have 1 to {MAX_ENTRIES} entries, not {len(entries)}.")
    if (longest := max(map(len, entries))) > MAX_ENTRY_CHARS:
        raise BadInput(f"{name} has an entry of {longest} characters; at most {MAX_ENTRY_CHARS} are read.")
    return entries


def _names(text: str) -> list[str]:
    """The names of the wildcards in a text, in order."""
    names = _USE.findall(text)
    if len(names) > MAX_USES:
        raise BadInput(f"The text has {len(names)} wildcards; at most {MAX_USES} are replaced.", "Use fewer.")
    return names


def _within_limit(text: str) -> str:
    if len(text) > MAX_PROMPT_CHARS:
        raise BadInput(
            f"With its wildcards replaced, the prompt has {len(text)} characters; at most {MAX_PROMPT_CHARS} are read."
        )
    return text
