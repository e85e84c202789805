"""Comparisons as files to give away: a report, a contact sheet, pages to print; made when they are asked for.

A comparison is on a page and nowhere else, so its address names it by its checksum, and what pages hold is noted here.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound, StudioError
from studio.services.comparisons.comparison import Comparison
from studio.ui.exports import FRESH, MEDIA, refused
from studio.ui.markup import tag

if TYPE_CHECKING:
    from studio.services.studio import Studio

MOST = 200  # of all pages of a studio; the one that was longest not shown goes first
KINDS = {
    "html": ("Report (HTML)", "One file with pictures, recipes, edits and numbers; it opens offline, and here again"),
    "png": ("Contact sheet (PNG)", "All pictures with their rows and columns as one picture"),
    "pdf": ("Contact sheet (PDF)", "The same as pages to print"),
}


class Links:
    """The comparisons of a studio's pages, by checksum. Thread-safe."""

    def __init__(self) -> None:
        self._comparisons: OrderedDict[str, Comparison] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, comparison: Comparison) -> str:
        """Note one; give what its address calls it."""
        key = hashlib.sha256(comparison.to_json().encode()).hexdigest()[:32]
        with self._lock:
            self._comparisons[key] = comparison
            self._comparisons.move_to_end(key)
            while len(self._comparisons) > MOST:
                self._comparisons.popitem(last=False)
        return key

    def get(self, key: str) -> Comparison:
        """Raises NotFound for one that no page has shown lately."""
        with self._lock:
            if key not in self._comparisons:
                raise NotFound("This comparison is on no page any more.", "Load the Compare tab again.")
            return self._comparisons[key]


_links: WeakKeyDictionary[Studio, Links] = WeakKeyDictionary()


def of(studio: Studio) -> Links:
    """Those of a studio."""
    return _links.setdefault(studio, Links())


def links_html(studio: Studio, comparison: Comparison) -> str:
    """What can be taken away. comparison: with its rows called as they are on the page."""
    key = of(studio).put(comparison)
    return "".join(
        tag(
            "a",
            label,
            href=f"/comparisons/{key}.{kind}",
            download=f"{_file_name(comparison)}.{kind}",
            class_="action",
            title=title,
        )
        for kind, (label, title) in KINDS.items()
    )


def routes(studio: Studio) -> list[Route]:
    """The addresses."""

    def made(key: str, kind: str) -> bytes:
        comparison = of(studio).get(key)
        match kind:
            case "html":
                return studio.shares.html(comparison)
            case "png":
                return studio.shares.png(comparison)
            case _:
                return studio.shares.pdf(comparison)

    async def answer(request: Request) -> Response:
        key, kind = str(request.path_params["key"]), str(request.path_params["kind"])
        if kind not in KINDS:
            return PlainTextResponse(f"It is there as {', '.join(KINDS)}.", status_code=404)
        try:
            content = await run_in_threadpool(made, key, kind)
        except StudioError as error:
            return refused(error)
        # To be kept and not to be opened here: it is a page, though one without scripts.
        name = {"Content-Disposition": f'attachment; filename="{_file_name(of(studio).get(key))}.{kind}"'}
        return Response(content, media_type=MEDIA[kind], headers={**FRESH, **name})

    return [Route("/comparisons/{key}.{kind}", answer)]


def _file_name(comparison: Comparison) -> str:
    """Of letters that every system takes."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in comparison.name).strip("-")
    return f"palimpsest-comparison-{name[:60]}" if name else "palimpsest-comparison"
