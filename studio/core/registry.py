"""Registries for open sets: guidance methods, solvers, metrics, tabs, model families.

A method package's `__init__.py` calls `import_folder(__name__)`, so a new file is in the menu by being there.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from studio.core.errors import NotFound

T = TypeVar("T")
U = TypeVar("U")


class Registry(Generic[T]):
    """Name -> entry. `kind` is what one entry is called in messages, e.g. "guidance method"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[U], U]:
        """Decorator that files an entry under `name` and returns it unchanged.

        Raises ValueError if the name is taken: two methods under one name is a bug, not a user's mistake.
        """

        def file_under_name(entry: U) -> U:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice: {self._entries[name]!r} and {entry!r}")
            self._entries[name] = entry  # type: ignore[assignment]  # U is T; a decorator must give back the exact type
            return entry

        return file_under_name

    def get(self, name: str) -> T:
        """Give the entry of that name. Raises NotFound listing the names, with the closest one suggested."""
        if name in self._entries:
            return self._entries[name]
        close = difflib.get_close_matches(name[:100], self._entries, n=1)
        suggestion = f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(self.names())}."
        excerpt = name if len(name) <= 60 else name[:57] + "..."
        hint = f"Known names: {', '.join(self.names())}." if close else None
        raise NotFound(f"There is no {self.kind} named {excerpt!r}{suggestion}", hint)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._entries))

    def items(self) -> tuple[tuple[str, T], ...]:
        """All (name, entry) pairs, sorted by name."""
        return tuple((name, self._entries[name]) for name in self.names())


def import_folder(package_name: str) -> None:
    """Import every module beside a package's `__init__.py`, in name order, so each registers what it holds.

    Raises whatever a module raises on import: a broken method file must not vanish silently from the menu.
    """
    package = sys.modules.get(package_name) or importlib.import_module(package_name)
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package_name}.{module}")
