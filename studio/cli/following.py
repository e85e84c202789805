"""A job of this very command, followed to its end; interrupted, it is stopped, and what it has made is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from studio.cli.answer import follow, remark

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.studio import Studio


def finish(studio: Studio, job_id: str, on_event: Callable[[Event], object] = follow) -> None:
    """Wait until a job is done. The first Ctrl-C stops it, within a step; a second leaves it as it is.

    Raises EngineError if it ends in any other way, KeyboardInterrupt once it is stopped.
    """
    from studio.core.errors import EngineError

    try:
        studio.jobs.wait(job_id, on_event)
    except KeyboardInterrupt:
        remark("Stopping; what is finished is kept.")
        studio.jobs.stop(job_id)
        try:
            studio.jobs.wait(job_id)
        except EngineError:
            pass  # stopped, as was wished
        raise
