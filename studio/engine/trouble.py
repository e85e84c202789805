"""Anything that went wrong, as something a user can be told."""

from __future__ import annotations

import logging
import uuid

from studio.core.errors import EngineError, OutOfMemory, StudioError

log = logging.getLogger("studio.engine")

SMALLER = "Take a smaller size or fewer pictures at once."


def as_studio_error(error: BaseException) -> StudioError:
    """Give the error itself if it is ours, OutOfMemory for lack of memory, what a device that failed says of itself,
    and for a bug a sentence with a short id.

    A bug is logged whole under that id.
    """
    if isinstance(error, StudioError):
        return error
    if is_out_of_memory(error):
        return OutOfMemory("There was not enough memory for this job.", SMALLER)
    if is_device_failure(error):
        log.error("the device failed", exc_info=error)
        reason = str(error).partition("\n")[0][:200].rstrip(".")
        return EngineError(f"The device failed: {reason}.", "Run the job again; doctor says what the device is.")
    short_id = uuid.uuid4().hex[:8]
    log.error("internal error %s", short_id, exc_info=error)
    return EngineError(f"Something went wrong inside ({type(error).__name__}, error id {short_id}).", "The log has it.")


def is_device_failure(error: BaseException) -> bool:
    """Whether an accelerator or its driver gave up, after which nothing on it can be used by this process any more."""
    lost = type(error).__name__ == "AcceleratorError" or str(error).startswith(("CUDA error", "HIP error"))
    return lost and isinstance(error, RuntimeError) and not is_out_of_memory(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the host ran out. torch's own class goes by its name, so that torch is not imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # The CPU allocator raises a bare RuntimeError.
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)
