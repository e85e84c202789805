"""Labels in and out of a workspace, in the formats of `studio.preference.formats`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import load
from studio.preference.exchange.options import ExportOptions
from studio.preference.exchange.selection import Progress, Stop, Written
from studio.preference.formats import FORMATS, recognised
from studio.preference.label import Label
from studio.services.labels.import_campaigns import ImportCampaigns
from studio.services.labels.taking_in import Imported, TakingIn
from studio.storage.archive import Archive
from studio.storage.labels.salt import salt_of


def never() -> bool:
    """Nobody asks to stop."""
    return False


def unwatched(count: int, total: int) -> None:
    """Nobody looks how far it is."""


class LabelExchange:
    """Exports and imports of one workspace. Every method may be called from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._store = archive.labels

    def export_labels(
        self,
        target: Path,
        format: str,
        campaigns: Collection[str] = (),
        snapshot: str | None = None,
        options: Mapping[str, Any] | None = None,
        progress: Progress = unwatched,
        stop: Stop = never,
    ) -> Written:
        """Write labels to a new file or folder; it is there whole when this returns, or not at all.

        format: name in `studio.preference.formats.FORMATS`.
        campaigns: names or numbers; all of them where there are none.
        snapshot: name of one; what it holds out is not written.
        options: of `ExportOptions`, untrusted; names are hashed with the workspace's salt unless they say another.
        Raises NotFound; BadInput for options, a target that is there, nothing to write; Cancelled; WorkspaceError.
        """
        chosen = FORMATS.get(format)
        values = dict(options or {})
        read = load(ExportOptions, values, "options of the export")
        if read.anonymise and not read.salt:
            read = read.model_copy(update={"salt": salt_of(self._archive.workspace.root)})
        labels, remark = self._labels(campaigns, snapshot)
        written = chosen.write(labels, self._picture, target, read, progress, stop)
        if remark:
            written.remarks.append(remark)
        return written

    def import_labels(
        self, source: Path, format: str, campaign: str, progress: Progress = unwatched, stop: Stop = never
    ) -> Imported:
        """Take labels in, into a campaign of their own that asks nothing; those that are there already are passed over.

        format: its name; "" to recognise it.
        campaign: a new name, or that of an earlier import. Where labels answer in several ways (pairs, rankings,
        single pictures), each way after the first has a campaign of its own under a name that says so.
        progress: rows read, rows in all or 0 where that is not known.
        What was read before a stop or an error stays, and the same import again goes on from there.
        Raises NotFound; BadInput for a source that is no such thing, or another campaign's name; Cancelled.
        """
        name = format or recognised(source)
        reading = FORMATS.get(name).read(source, stop)
        taking_in = TakingIn(self._archive, campaign, f"{name}: {source.name}"[:200])
        with self._archive.bringing():
            imported = taking_in.take(reading, progress)
        imported.format = name
        return imported

    def check_import(self, campaign: str) -> None:
        """Raise BadInput unless labels may be taken in under that name."""
        ImportCampaigns(self._store, campaign)

    def _picture(self, sha256: str) -> Path:
        return self._archive.images.find(sha256) or self._archive.images.path(sha256)

    def _labels(self, campaigns: Collection[str], snapshot: str | None) -> tuple[_Again, str]:
        reader = self._store.reader
        if snapshot is not None:
            if campaigns:
                raise BadInput("A snapshot is of its own campaigns.", "Name either.", field="snapshot")
            frozen = self._store.snapshots.get(snapshot)
            held_out = len(frozen.held_out)
            labels = "1 label was" if held_out == 1 else f"{held_out} labels were"
            remark = f"{labels} not written: the snapshot holds them out." if held_out else ""
            return _Again(lambda: reader.by_numbers(frozen.training, with_recipes=False)), remark
        numbers = [self._store.campaigns.find(name).id for name in campaigns] or None
        return _Again(lambda: reader.read(numbers, only_standing=False, with_recipes=False)), ""


class _Again:
    """Labels that are read once more each time they are gone over."""

    def __init__(self, read: Callable[[], Iterator[Label]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Label]:
        return self._read()
