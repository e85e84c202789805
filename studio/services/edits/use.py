"""Edits that jobs need: such an edit is not deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.core.errors import BadInput
from studio.services.edits.library import edits_named

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio


def remove(studio: Studio, ref: str) -> EditEntry:
    """Delete an edit; give what it was. Recipes that name it cannot be replayed then.

    Raises BadInput while a job that is under way or waits draws with it, else as `EditLibrary.remove`.
    """
    entry = studio.edits.show(ref)
    if (job := _needed_by(studio, entry)) is not None:
        raise BadInput(
            f"The edit {entry.name or entry.id} is in use: {job} is drawn with it or waits to be.",
            "Wait until that is done, or stop it, and delete the edit then.",
        )
    studio.edits.remove(entry.id)
    return entry


def _needed_by(studio: Studio, entry: EditEntry) -> str | None:
    """The first unfinished job with the edit, in a few words."""
    for job in studio.jobs.unfinished():
        refs = edits_named(job.payload)
        if any(known_entry.id == entry.id for known_entry in studio.edits.known(refs).values()):
            return job.description
    return None
