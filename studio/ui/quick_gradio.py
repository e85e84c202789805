"""Imports Gradio in half the time, without the stub files it writes for editors, and lays a page out without the web
applications that nobody serves.

For each of its some eighty components, Gradio 6 parses the component's source at import, renders a `.pyi` file beside
it and reads that back: 1.2 of 2.6 CPU seconds, and a write into site-packages that two programs starting at once can
trip over. Nothing at run time reads those files. `install` before the first `import gradio`; where Gradio no longer
has that function, nothing happens.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

MODULE, FUNCTION = "gradio.component_meta", "create_or_modify_pyi"


class _Loader(importlib.abc.Loader):
    """Loads the module as its own loader does, then takes the function out."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        if hasattr(module, FUNCTION):
            setattr(module, FUNCTION, lambda *args, **kwargs: None)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != MODULE:
            return None
        sys.meta_path.remove(self)  # asked once; and the search below must not come back here
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def install() -> None:
    """Arrange it. Does nothing if Gradio is imported already."""
    if "gradio" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def one_application() -> Iterator[None]:
    """Lay a page out in it; what is mounted afterwards makes the page's only web application.

    A Gradio page makes one where it begins and another where it ends, for `launch`, which the studio never calls: 0.3
    of the 3.3 CPU seconds from the start to the page.
    """
    import gradio.blocks

    maker = gradio.blocks.App
    original = maker.__dict__["create_app"]
    maker.create_app = staticmethod(lambda *args, **kwargs: None)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        maker.create_app = original
