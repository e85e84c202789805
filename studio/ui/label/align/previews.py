"""Held-out prompts before and after, at fixed seeds, drawn again while the edit learns.

What is drawn of a training is the same for every page: it is kept here, by the plan, for as long as the studio is open.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.recipe import LIVE, EditRef
from studio.ui import live
from studio.ui.components import before_after, results
from studio.ui.label.align.alignments import Alignment
from studio.ui.live import Drawing, view_of
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

PROMPTS = 4
SEED = 40_000  # of the first; none that a training learns from or is judged by


@dataclass
class _Shown:
    """base: the job that draws the prompts without the edit. finished: what is shown beside. drawing: what will be."""

    base: str
    finished: Drawing | None = None
    drawing: Drawing | None = None


class Previews:
    """Of the alignments of a studio. Thread-safe."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}

    def begin(self, row: Alignment) -> None:
        """Have its prompts drawn, now and as it comes further. Raises BadInput, NotFound for what cannot be drawn."""
        with self._lock:
            if row.key not in self._shown and row.prompts:
                self._shown[row.key] = _Shown(self._draw(row, (), "before"))

    def is_begun(self, row: Alignment) -> bool:
        """Whether its prompts are drawn, or being drawn."""
        return row.key in self._shown

    def html(self, row: Alignment) -> str:
        """The pictures as far as they are, with what is due asked for; "" where nothing of it is drawn."""
        with self._lock:
            preview = self._shown.get(row.key)
            if preview is None:
                return ""
            self._advance(preview, row)
            return self._pairs(preview, row)

    def _advance(self, preview: _Shown, row: Alignment) -> None:
        if preview.drawing and (view := view_of(self._studio, preview.drawing.job)).over:
            # Of an edit that was handed over before its turn came, nothing could be drawn.
            is_seen = view.pictures or not preview.drawing.edit.startswith(LIVE)
            preview.finished, preview.drawing = preview.drawing if is_seen else preview.finished, None
        if (due := self._due(preview, row)) is not None:
            if preview.drawing:
                self._studio.jobs.stop(preview.drawing.job)
            job = self._draw(row, (EditRef(edit=due.edit),), "so far" if row.entry is None else "after")
            preview.drawing = due.model_copy(update={"job": job})

    def _due(self, preview: _Shown, row: Alignment) -> Drawing | None:
        newest = preview.drawing or preview.finished
        if row.entry is not None:
            is_drawn = newest is not None and newest.edit == row.entry.id
            return None if is_drawn else Drawing(job="", edit=row.entry.id)
        if row.job is None or row.job.over or preview.drawing:
            return None
        share = self._share(row)
        edit = f"{LIVE}{row.job.id}"
        return Drawing(job="", edit=edit, share=share) if share >= self._next(preview, row) else None

    def _share(self, row: Alignment) -> float:
        standing = self._studio.jobs.standing(row.job.id) if row.job is not None else None
        return (standing.progress or 0.0) if standing is not None else 0.0

    def _next(self, preview: _Shown, row: Alignment) -> float:
        """From which share of the training on it is looked at again."""
        newest = preview.drawing or preview.finished
        is_live = newest is not None and row.job is not None and newest.edit == f"{LIVE}{row.job.id}"
        return live.next_share(newest.share if newest and is_live else None)

    def _draw(self, row: Alignment, refs: Sequence[EditRef], stage: str) -> str:
        prompts = row.prompts[:PROMPTS]
        recipes = live.recipes(self._studio, str(row.plan.get("model")), prompts, SEED, refs)
        description = f"Preview of {row.name}, {stage}"
        return self._studio.pictures.submit(recipes, "ahead", origin="preview", description=description)

    def _pairs(self, preview: _Shown, row: Alignment) -> str:
        base = view_of(self._studio, preview.base)
        drawings = [drawing for drawing in (preview.finished, preview.drawing) if drawing]
        views = [view_of(self._studio, drawing.job) for drawing in drawings]
        jobs = {preview.base: base, **{drawing.job: view for drawing, view in zip(drawings, views, strict=True)}}
        bars = "".join(before_after.progress_html(job, view) for job, view in jobs.items() if not view.over)
        pairs: list[str] = []
        for place, prompt in enumerate(row.prompts[:PROMPTS]):
            base_picture, edited = dict(base.pictures).get(place), before_after.picture_at(views, place)
            frames = [before_after.frame_html(base_picture, "before", preview.base, base, place)]
            if drawings:
                name = "after" if edited is None or not _is_live(edited) else "after, so far"
                frames.append(before_after.frame_html(edited, name, drawings[-1].job, views[-1], place))
            difference = before_after.difference_of(self._studio, base_picture, edited)
            pairs.append(before_after.pair_html("", prompt, frames, base_picture, difference, "held-out"))
        head = tag("h3", text(f"{row.name}: prompts it has not learned from"))
        tools = results.tools_html(before_after.HOLD) if any(view.pictures for view in views) else ""
        inner = head + bars + before_after.errors_html(list(jobs.values())) + tools + before_after.pairs_html(pairs)
        if row.is_running and row.job is not None:
            inner = tag("div", inner, data_job=row.job.id, data_next=f"{self._next(preview, row):.4f}")
        return inner


def _is_live(picture: results.Drawn) -> bool:
    return bool(picture.recipe.edits) and picture.recipe.edits[-1].edit.startswith(LIVE)
