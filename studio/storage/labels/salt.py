"""What names of annotators are hashed with, one for each workspace, so that every export calls a person the same."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from studio.core.errors import WorkspaceError
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error

FILE = "annotators.salt"
_SALT = re.compile(r"[0-9a-f]{32}")


def salt_of(root: Path) -> str:
    """The salt of the workspace at a root, drawn when it is first asked for. Raises WorkspaceError."""
    path = root / FILE
    try:
        if not path.is_file():
            write_durably(path, secrets.token_hex(16).encode())
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise workspace_error(error, "The salt of annotators' names") from None
    if not _SALT.fullmatch(text):
        hint = "Delete it to have another drawn: names in later exports are then others."
        raise WorkspaceError(f"The file {path} holds no salt.", hint)
    return text
