"""Comparisons given away and taken in, of an open studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.plain import facts_plain
from studio.services.comparisons.service import Cells, ComparisonService
from studio.services.comparisons.share import file, sheet
from studio.services.comparisons.share.contents import Report
from studio.services.comparisons.share.restoring import ReplayedReport, Restored, Restorer
from studio.services.comparisons.share.writing import Writer
from studio.services.edits.library import EditLibrary
from studio.services.history import History
from studio.services.jobs import JobService, OnEvent
from studio.services.pictures import PictureService
from studio.storage.archive import Archive


class ShareService:
    """What is shared of a studio's comparisons. Every method may be called from any thread.

    What gives away raises BadInput where no cell has a picture, and WorkspaceError where one's file is gone.
    """

    def __init__(
        self,
        comparisons: ComparisonService,
        archive: Archive,
        jobs: JobService,
        history: History,
        pictures: PictureService,
        edits: EditLibrary,
    ) -> None:
        self._comparisons = comparisons
        self._writer = Writer(jobs, edits)
        self._restorer = Restorer(archive, history, pictures, edits)

    def facts(self, comparison: Comparison) -> dict[str, Any]:
        """All that is known of it, as plain values (comparisons.plain)."""
        return self._facts(comparison, self._comparisons.cells(comparison))

    def report(self, comparison: Comparison) -> Report:
        """What a report of it holds."""
        cells = self._comparisons.cells(comparison)
        return self._writer.report(comparison, cells, self._facts(comparison, cells))

    def html(self, comparison: Comparison) -> bytes:
        """One file with everything in it: pictures, recipes, edits up to 8 MB, numbers; it opens offline."""
        return file.written(self.report(comparison))

    def png(self, comparison: Comparison) -> bytes:
        """A contact sheet, with the comparison as metadata."""
        return sheet.sheet_png(self.report(comparison))

    def pdf(self, comparison: Comparison) -> bytes:
        """The same as pages to print."""
        return sheet.sheet_pdf(self.report(comparison))

    def restore(self, path: Path) -> Restored:
        """Take a report in: its edits with their checks, its comparison. Draws nothing.

        Raises BadInput, AssetError, NotFound: a file that was cut short, is no report of ours, or holds an edit that is
        not what it says, or for a model that is not here.
        """
        return self._restorer.restore(file.read_file(path))

    def replay(self, path: Path, on_event: OnEvent | None = None) -> ReplayedReport:
        """Draw every picture of a report again and compare the pixels. Raises as `restore`, EngineError."""
        return self._restorer.replay(file.read_file(path), on_event)

    def _facts(self, comparison: Comparison, cells: Cells) -> dict[str, Any]:
        plan, facts = self._comparisons.plan(comparison, cells), self._comparisons.facts(comparison, cells)
        return facts_plain(facts, plan, cells)
