"""Imports and exports that go on by themselves, each on a thread of its own, while somebody looks how far they are."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from studio.core.errors import BadInput, Cancelled, NotFound, StudioError
from studio.core.params import load, shown
from studio.preference.exchange.companion import companion_path
from studio.preference.exchange.options import ExportOptions
from studio.preference.exchange.selection import Written
from studio.preference.formats import FOLDER, FORMATS
from studio.services.labels.exchange import LabelExchange
from studio.services.labels.taking_in import Imported
from studio.services.labels.zipped import pack
from studio.storage.archive import Archive
from studio.storage.workspace import workspace_error

State = Literal["running", "done", "stopped", "failed"]
MAX_RUNNING = 3
MAX_LISTED = 20  # of those that are over; the file of an export is there as long as the export is listed
BROKEN = "Something went wrong inside the studio; the log has it."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExchangeRun:
    """One import or export.

    id: random.
    kind: which of the two.
    what: of what, in a few words.
    format: name of it; "" while it is not recognised yet.
    state: "running", or how it ended.
    count, total: rows or labels so far, and in all; total is 0 where that is not known.
    error: why it failed.
    imported, written: what came of it, once it is done.
    file: of an export that is done: what can be fetched.
    """

    id: str
    kind: Literal["import", "export"]
    what: str
    format: str
    state: State = "running"
    count: int = 0
    total: int = 0
    error: StudioError | None = None
    imported: Imported | None = None
    written: Written | None = None
    file: Path | None = None


class ExchangeRuns:
    """Those of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, exchange: LabelExchange) -> None:
        self._archive = archive
        self._exchange = exchange
        self._runs: dict[str, ExchangeRun] = {}  # in the order they began
        self._threads: dict[str, threading.Thread] = {}
        self._stopped: set[str] = set()
        self._lock = threading.Lock()  # of all three
        self._is_closing = False

    def start_import(self, source: Path, format: str, campaign: str, folder: Path | None = None) -> ExchangeRun:
        """Begin to take labels in. What was taken in before a stop stays; the same again goes on from there.

        source, format, campaign: as of `LabelExchange.import_labels`.
        folder: with the source, which is removed when it is over.
        Raises NotFound, BadInput for what can be told at once, or where too many are under way.
        """
        if format and not FORMATS.get(format).reads:
            raise BadInput(f"{FORMATS.get(format).title} is only written.", field="format")
        self._exchange.check_import(campaign)
        run = ExchangeRun(secrets.token_hex(12), "import", f"{source.name} into “{campaign}”", format)

        def work(tell: Callable[[int, int], None], stop: Callable[[], bool]) -> dict[str, Any]:
            imported = self._exchange.import_labels(source, format, campaign, tell, stop)
            return {"imported": imported, "format": imported.format}

        return self._start(run, work, folder)

    def start_export(
        self, format: str, campaigns: tuple[str, ...] = (), snapshot: str | None = None, **options: Any
    ) -> ExchangeRun:
        """Begin to write labels, as one file that can be fetched when it is done: what is a folder is packed.

        format, campaigns, snapshot, options: as of `LabelExchange.export_labels`.
        Raises as `start_import`.
        """
        entry = FORMATS.get(format)
        load(ExportOptions, options, "options of the export")
        names = (
            f"snapshot “{snapshot}”" if snapshot else ", ".join(f"“{name}”" for name in campaigns) or "all campaigns"
        )
        run = ExchangeRun(secrets.token_hex(12), "export", f"{names} as {entry.title}", format)
        name = _file_name(snapshot or (campaigns[0] if len(campaigns) == 1 else "labels"))
        folder = self._archive.workspace.scratch()

        def work(tell: Callable[[int, int], None], stop: Callable[[], bool]) -> dict[str, Any]:
            try:
                target = folder / "labels" / f"{name}{next(iter(entry.extensions), FOLDER)}"
                written = self._exchange.export_labels(target, format, campaigns, snapshot, options, tell, stop)
                return {"written": written, "file": self._packed(target, folder / f"{name}-{format}.zip", stop)}
            except BaseException as error:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError):
                    raise workspace_error(error, "The export") from None
                raise

        return self._start(run, work, None)

    def list(self) -> list[ExchangeRun]:
        """All that are remembered, newest first."""
        with self._lock:
            return list(reversed(self._runs.values()))

    def get(self, id: str) -> ExchangeRun:
        """Give one. Raises NotFound."""
        with self._lock:
            if id not in self._runs:
                raise NotFound(f"There is no import or export {shown(id)}.", "It may be of an earlier session.")
            return self._runs[id]

    def stop(self, id: str) -> None:
        """Stop one; one that is over stays as it is. Raises NotFound."""
        self.get(id)
        with self._lock:
            self._stopped.add(id)

    def forget(self, id: str) -> None:
        """Take one that is over off the list, and remove its file. Raises NotFound, BadInput while it runs."""
        if self.get(id).state == "running":
            raise BadInput("It is under way.", "Stop it first.")
        with self._lock:
            run = self._runs.pop(id, None)
            self._stopped.discard(id)
        if run is not None:
            _remove_file(run)

    def wait(self, id: str) -> ExchangeRun:
        """Give one when it is over. Raises NotFound."""
        with self._lock:
            thread = self._threads.get(id)
        if thread is not None:
            thread.join()
        return self.get(id)

    def close(self) -> None:
        """Stop all and wait until they have: called before the archive is closed. May be called twice."""
        with self._lock:
            self._is_closing = True
            self._stopped |= set(self._runs)
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _start(
        self,
        run: ExchangeRun,
        work: Callable[[Callable[[int, int], None], Callable[[], bool]], Mapping[str, Any]],
        folder: Path | None,
    ) -> ExchangeRun:
        def tell(count: int, total: int) -> None:
            self._put(run.id, count=count, total=total)

        def follow() -> None:
            try:
                self._put(run.id, state="done", **work(tell, lambda: run.id in self._stopped))
            except Cancelled:
                self._put(run.id, state="stopped")
            except StudioError as error:
                self._put(run.id, state="failed", error=error)
            except Exception:  # a thread has nobody to raise to
                log.exception("the %s of %s", run.kind, run.what)
                self._put(run.id, state="failed", error=StudioError(BROKEN))
            finally:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                with self._lock:
                    self._threads.pop(run.id, None)

        with self._lock:
            if self._is_closing or len(self._threads) >= MAX_RUNNING:
                raise BadInput(f"{MAX_RUNNING} imports and exports are under way.", "Wait for one, or stop one.")
            over = [old for old in self._runs.values() if old.state != "running"]
            forgotten = over[: max(0, len(over) - MAX_LISTED + 1)]
            for old in forgotten:
                del self._runs[old.id]
            self._runs[run.id] = run
            thread = threading.Thread(target=follow, name=f"label {run.kind}", daemon=True)
            self._threads[run.id] = thread
        for old in forgotten:
            _remove_file(old)
        thread.start()
        return run

    def _put(self, id: str, **values: Any) -> None:
        with self._lock:
            self._runs[id] = replace(self._runs[id], **values)

    def _packed(self, target: Path, zip_file: Path, stop: Callable[[], bool]) -> Path:
        """One file of what was written: itself, or all of it as a zip where it is a folder or has a second file."""
        if target.is_file() and not companion_path(target).exists():
            return target
        return pack(target if target.is_dir() else target.parent, zip_file, stop)


def _remove_file(run: ExchangeRun) -> None:
    if run.file is not None:
        # Of the folder that was made for it: the file is in it, or in its folder "labels".
        folder = run.file.parent.parent if run.file.parent.name == "labels" else run.file.parent
        shutil.rmtree(folder, ignore_errors=True)


def _file_name(name: str) -> str:
    """A name of a campaign as one of a file that every system takes."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:60] or "labels"
