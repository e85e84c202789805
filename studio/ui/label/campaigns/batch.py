"""Picture files that were uploaded, until a campaign is made of them: each page's own, in a folder of the workspace."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.services.labels.incoming import Collection, checked_count, collect

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_BATCHES = 16  # pages whose files wait


@dataclass(frozen=True)
class Batch:
    """folder: with the files. collection: what came of them."""

    folder: Path
    collection: Collection


class Batches:
    """Of all pages. Thread-safe; of too many the one that waits longest is forgotten."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._batches: OrderedDict[str, Batch] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, session: str, uploads: Sequence[Path]) -> Batch:
        """Take files over from where uploads lie, and read them; what waited on that page before is forgotten.

        Raises BadInput for too many; then they are deleted. A file that cannot be read is named in the collection.
        """
        folder = self._studio.archive.workspace.scratch()
        try:
            files = [_moved(upload, folder) for upload in checked_count(uploads)]
            batch = Batch(folder, collect(files))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            for upload in uploads:
                upload.unlink(missing_ok=True)
        with self._lock:
            forgotten = [self._batches.pop(session, None)]
            self._batches[session] = batch
            while len(self._batches) > MAX_BATCHES:
                forgotten.append(self._batches.popitem(last=False)[1])
        for old in forgotten:
            if old is not None:
                shutil.rmtree(old.folder, ignore_errors=True)
        return batch

    def of(self, session: str) -> Batch | None:
        """What waits on a page."""
        with self._lock:
            return self._batches.get(session)

    def forget(self, session: str) -> None:
        """Delete what waits on a page."""
        with self._lock:
            batch = self._batches.pop(session, None)
        if batch is not None:
            shutil.rmtree(batch.folder, ignore_errors=True)


def _moved(upload: Path, folder: Path) -> Path:
    """A file under its name, made its own where two have one: pictures of two folders may."""
    target = folder / upload.name
    number = 2
    while target.exists():
        target = folder / f"{upload.stem} ({number}){upload.suffix}"
        number += 1
    shutil.move(upload, target)
    return target
