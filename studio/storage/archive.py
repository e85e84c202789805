"""Everything a workspace keeps, opened together and closed together."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.edits import EditStore
from studio.storage.generations import GenerationRecord, Generations
from studio.storage.grids import Grids
from studio.storage.images import ImageStore, ending_of
from studio.storage.jobs import Jobs
from studio.storage.labels.foreign import ForeignPicture
from studio.storage.labels.store import LabelStore
from studio.storage.planned.items import PlannedItems
from studio.storage.planned.progress import PlannedProgress
from studio.storage.reports import ReportKey, ReportStore
from studio.storage.workspace import Workspace


class Archive:
    """An open workspace with its database and images. Thread-safe."""

    def __init__(self, workspace: Workspace, database: Database) -> None:
        self.workspace = workspace
        self.jobs = Jobs(database)
        self.generations = Generations(database)
        self.grids = Grids(database)
        self.labels = LabelStore(database)
        self.planned = PlannedItems(database)
        self.planned_progress = PlannedProgress(database)
        self.images = ImageStore(workspace.images)
        self.edits = EditStore(workspace.edits, workspace.check)
        self.reports = ReportStore(workspace.root / "reports", workspace.check)
        self._database = database
        # An image is there before the row that shows it, and gone only after. Whoever removes images that no row shows
        # must therefore not come between the two, or would take away one that is just about to be shown.
        self._pictures = threading.Lock()
        self._bringing = 0  # how many are bringing pictures along whose items are not there yet

    @classmethod
    def open(cls, root: Path) -> Archive:
        """Take the folder and open what is in it. Raises WorkspaceError; then nothing is held."""
        workspace = Workspace.open(root)
        try:
            return cls(workspace, Database.open(workspace.database, workspace.check))
        except BaseException:
            workspace.close()
            raise

    @property
    def logs(self) -> Path:
        return self.workspace.logs

    def keep_picture(
        self,
        png: bytes,
        *,
        job: str | None,
        recipe: Recipe,
        made_by: dict[str, Any],
        place: int | None,
        seq: int | None,
        account: bytes | None = None,
        latents: bytes | None = None,
        origin: str = "prompt",
    ) -> GenerationRecord:
        """Store a picture and record it. Both are on disk when this returns.

        account: how its guidance went (studio.engine.account), kept beside it.
        latents: those it was decoded from (studio.engine.latents), likewise.
        origin: what it was drawn for.
        Raises WorkspaceError.
        """
        with self._pictures:
            self._database.check()  # or the folder of a workspace that was moved would be made once more
            image = self.images.put(png)
            if account is not None:
                self.images.put_account(image, account)
            if latents is not None:
                self.images.put_latents(image, latents)
            return self.generations.add(
                job=job, image=image, recipe=recipe, made_by=made_by, place=place, seq=seq, origin=origin
            )

    @contextmanager
    def bringing(self) -> Iterator[None]:
        """While pictures are brought along that no item asks about yet, no purge takes those for leftovers."""
        with self._pictures:
            self._bringing += 1
        try:
            yield
        finally:
            with self._pictures:
                self._bringing -= 1

    def keep_foreign(self, data: bytes, picture: ForeignPicture) -> None:
        """Store a picture that was brought along, byte for byte, and record it. Both are on disk when this returns.

        data: PNG, JPEG or WebP; what it holds was checked before.
        picture: its `image` is the sha256 of the data.
        Raises WorkspaceError, BadInput for another format.
        """
        with self._pictures:
            self._database.check()
            self.images.put(data, ending_of(data))
            self.labels.foreign.add(picture)

    def keep_all_foreign(self, files: Sequence[tuple[bytes, ForeignPicture]]) -> None:
        """Store and record several such pictures. All are on disk when this returns. Raises as `keep_foreign`."""
        with self._pictures:
            self._database.check()
            self.images.put_all([(data, ending_of(data)) for data, _ in files])
            self.labels.foreign.add_all([picture for _, picture in files])

    def keep_report(self, key: ReportKey, report: dict[str, Any], pictures: Collection[int] = ()) -> None:
        """Keep what was measured of an edit. Raises BadInput, WorkspaceError; NotFound for a picture that is gone.

        pictures: numbers of those it shows, which no purge removes; those that only an earlier report of this name
        showed may go.
        """
        holder = f"report:{key}"
        self.generations.hold(pictures, holder)  # first: what it shows must be there when it is
        self.reports.put(key, report)
        self.generations.release(holder, but=pictures)

    def purge(self) -> tuple[int, int]:
        """Empty the bin and remove every image that no row shows. Gives how many rows and files are gone.

        What anything refers to (`Generations.hold`) stays in the bin. Pictures that were brought along stay while an
        item asks about them, and so while any label does; and all of them while more are brought (`bringing`).

        Repeats itself without harm: a program killed in the middle leaves files that the next purge removes.
        """
        with self._pictures:
            rows = self.generations.empty_bin()
            if not self._bringing:
                self.labels.foreign.remove_unasked()
            in_use = self.generations.images() | self.labels.foreign.images()
            gone = [image for image in self.images.stored() if image not in in_use]
            for image in gone:
                self.images.remove(image)
            return rows, len(gone)

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        self._database.close()
        self.workspace.close()
