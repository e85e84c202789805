"""What the engine tells, written down: the sink between a backend and a workspace."""

from __future__ import annotations

from typing import Any

from PIL import Image

from studio.core.errors import WorkspaceError
from studio.core.recipe import Recipe
from studio.engine.events import Event
from studio.storage.archive import Archive
from studio.storage.png import encode_png


class Recorder:
    """Writes events down and gives the data to tell in their place. Called on one thread at a time, by a board."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._unwritten: list[Event] = []  # ends of jobs that a full disk kept out of the ledger

    def __call__(self, event: Event) -> dict[str, Any]:
        """Write one event down. An image is stored and told by its path.

        Raises WorkspaceError if it cannot be written, and then nobody is told of the image. The end of a job is told
        all the same, and written as soon as something can be written again.
        """
        if event.final:
            self._unwritten.append(event)
            self.catch_up()
        elif event.kind == "started":
            self.catch_up()
            self._archive.jobs.start(event.job_id)
        elif event.kind == "image" and "rgb" in event.data:
            return self._store(event)
        return event.data

    def catch_up(self) -> None:
        """Write what could not be written before. Raises WorkspaceError if it still cannot be."""
        while self._unwritten:
            event = self._unwritten.pop(0)
            try:
                self._finish(event)
            except WorkspaceError:
                self._unwritten.insert(0, event)
                raise

    def close(self) -> None:
        """Try once more. What still cannot be written is told as interrupted when the workspace is next opened."""
        try:
            self.catch_up()
        except WorkspaceError:
            pass

    def _finish(self, event: Event) -> None:
        if event.kind == "cancelled" and not event.data["keep"]:
            self._archive.generations.discard_job(event.job_id)
        died = event.data.get("type") == "WorkerDied"
        self._archive.jobs.finish(
            event.job_id,
            event.kind,  # type: ignore[arg-type]  # a final kind is a status
            event.data.get("error"),
            worker_died=died,
            last_seq=event.seq,
        )

    def _store(self, event: Event) -> dict[str, Any]:
        data = event.data
        recipe = Recipe.load(data["recipe"])
        image = Image.frombytes("RGB", (data["width"], data["height"]), data["rgb"])
        made = self._archive.keep_picture(
            encode_png(image, recipe, data["made_by"]),
            job=event.job_id,
            recipe=recipe,
            made_by=data["made_by"],
            place=data["image"],
            seq=event.seq,
            account=data.get("account"),
        )
        told = {key: value for key, value in data.items() if key not in ("rgb", "account")}
        path = str(self._archive.images.path(made.image))
        return {**told, "path": path, "sha256": made.image, "generation": made.id}
