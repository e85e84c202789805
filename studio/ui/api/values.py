"""What the endpoints take and tell, as JSON has it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.edits.library import EditEntry
    from studio.services.history import Generation

Plain = dict[str, Any]
ModelName = Annotated[str, Field(max_length=500)]
Seed = Annotated[int | None, Field(ge=0, le=2**64 - 1)]


def picture_values(picture: Generation) -> Plain:
    """All of a picture of the history; url: where the page serves it."""
    return {
        "id": picture.id,
        "url": address(picture.id, picture.sha256),
        "sha256": picture.sha256,
        "recipe": picture.recipe.model_dump(mode="json"),
        "made_by": picture.made_by,
        "created_at": picture.created_at.isoformat(),
        "job": picture.job_id,
        "favourite": picture.favourite,
        "deleted_at": picture.deleted_at.isoformat() if picture.deleted_at else None,
    }


def edit_values(entry: EditEntry) -> Plain:
    """All of an edit but where its file lies."""
    hidden = ("path",)
    values = {name: value for name, value in vars(entry).items() if name not in hidden}
    return {**values, "changed_at": entry.changed_at.isoformat()}


def event_values(event: Event) -> Plain:
    """An event; bytes are in base64, and a picture is named by its url."""
    data: Plain = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in event.data.items()
    }
    if data.pop("path", None) is not None:  # gradio_client would take it for a file to fetch
        data["url"] = address(data["generation"], data["sha256"])
    return {"seq": event.seq, "kind": event.kind, "final": event.final, "data": data}


def time_of(text: str | None, name: str) -> datetime | None:
    """Read a time in ISO 8601. name: of the parameter. Raises BadInput."""
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        message = f"In the call of history, {name} must be a time such as 2026-01-31T12:00:00+00:00, not {shown(text)}."
        raise BadInput(message, field=name) from None
