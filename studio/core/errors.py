"""The one tree of errors a user can act on. Everything outside it is a bug: logged whole, shown as a short id.

StudioError                     exit code 1
 ├── BadInput                   2   a value of the user's is out of range or malformed
 │    └── NotFound              2   no such model, preset, method, image
 ├── AssetError                 2   a shipped file is missing or its checksum is wrong
 ├── WorkspaceError             2   read-only, locked, corrupt or newer database, disk full
 ├── EnvironmentProblem         2   port in use, Python too old, no such device
 └── EngineError                1   the work was started and did not finish
      ├── Cancelled             1   the user stopped it
      ├── OutOfMemory           1   the device had no room; the hint names a smaller setting
      ├── NonFinite             1   a NaN or infinity appeared, with the step it appeared in
      └── WorkerDied            1   the process that owns the models ended
"""

from __future__ import annotations

from typing import ClassVar


class StudioError(Exception):
    """An error with one clear sentence (`message`) and, where there is one, the next thing to try (`hint`).

    Survives pickling, so it can cross from the worker process to the page.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} {self.hint}"


class BadInput(StudioError):
    """A value of the user's is out of range or malformed. `field` names it, dotted for nested ones, when known."""

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message, hint)
        self.field = field


class NotFound(BadInput):
    """There is no model, preset, method or image of that name."""


class AssetError(StudioError):
    """A shipped file is missing, or its checksum is wrong; the message names the file and both checksums."""

    exit_code = 2


class WorkspaceError(StudioError):
    """The workspace cannot be used: read-only, locked by another process, corrupt, newer than us, disk full."""

    exit_code = 2


class EnvironmentProblem(StudioError):
    """The machine is in the way: port in use, Python too old, the device asked for is absent."""

    exit_code = 2


class EngineError(StudioError):
    """Work was started and did not finish."""


class Cancelled(EngineError):
    """The user stopped the job."""


class OutOfMemory(EngineError):
    """The device had no room for the work."""


class NonFinite(EngineError):
    """A NaN or infinity appeared in the latents or the image."""


class WorkerDied(EngineError):
    """The process that owns the models ended while it was working."""
