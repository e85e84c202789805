"""What the engine tells, written down: the sink between a backend and a workspace."""

from __future__ import annotations

from typing import Any

from PIL import Image

from studio.core.recipe import Recipe
from studio.engine.events import FINAL
from studio.storage.archive import Archive
from studio.storage.png import encode_png


def record(archive: Archive, job_id: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Write one event down; give the data to tell in its place. An image is stored and told by its path.

    Raises WorkspaceError if it cannot be written, and then nobody is told of the image.
    """
    if kind == "started":
        archive.jobs.start(job_id)
    elif kind == "image":
        return _store(archive, job_id, data)
    elif kind in FINAL:
        if kind == "cancelled" and not data["keep"]:
            for image in archive.generations.discard_job(job_id):
                archive.images.remove(image)
        died = data.get("type") == "WorkerDied"
        archive.jobs.finish(job_id, kind, data.get("error"), worker_died=died)  # type: ignore[arg-type]
    return data


def _store(archive: Archive, job_id: str, data: dict[str, Any]) -> dict[str, Any]:
    """Put the picture on disk first, then its row: a row without a file would be a hole in the gallery."""
    recipe = Recipe.load(data["recipe"])
    image = Image.frombytes("RGB", (data["width"], data["height"]), data["rgb"])
    sha256 = archive.images.put(encode_png(image, recipe, data["made_by"]))
    generation = archive.generations.add(job=job_id, image=sha256, recipe=recipe, made_by=data["made_by"])
    told = {key: value for key, value in data.items() if key != "rgb"}
    return {**told, "path": str(archive.images.path(sha256)), "sha256": sha256, "generation": generation.id}
