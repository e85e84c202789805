"""Links that let somebody label from another device: /pad/<secret> is one person's pad, with nothing else on its page.

There is none until it is asked for. Who may reach the address at all is what studio.ui.security says of the whole page:
from another device, that of a studio which listens on the network. A link is no lock: whoever reaches such a studio can
open its own page as well.
"""

from __future__ import annotations

import json
import secrets
import threading
from pathlib import Path
from typing import cast

from studio.core.errors import NotFound
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error

FILE_NAME = "pad-links.json"
MAX_BYTES = 1_000_000


class Links:
    """The links of one workspace: secret -> name of the annotator. Thread-safe."""

    def __init__(self, workspace: Path) -> None:
        self._path = workspace / FILE_NAME
        self._lock = threading.Lock()

    def annotator_of(self, secret: str) -> str:
        """Whose link it is. Raises NotFound."""
        name = self._read().get(secret)
        if name is None:
            raise NotFound("This link is not in use.", "Ask for a new one.")
        return name

    def switch(self, annotator: str, on: bool) -> str | None:
        """Make somebody's link, or end it for good; give its secret. Raises WorkspaceError."""
        with self._lock:
            links = self._read()
            secret = next((secret for secret, name in links.items() if name == annotator), None)
            if on == (secret is not None):
                return secret
            links = {key: name for key, name in links.items() if name != annotator}
            secret = secrets.token_urlsafe(24) if on else None
            if secret is not None:
                links[secret] = annotator
            try:
                write_durably(self._path, json.dumps(links).encode())
            except OSError as error:
                raise workspace_error(error, "The link") from None
            return secret

    def _read(self) -> dict[str, str]:
        """What is written; nothing where that cannot be read: links then have to be made anew."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                return {}
            values = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(values, dict):
            return {}
        links = cast("dict[object, object]", values)
        return {secret: name for secret, name in links.items() if isinstance(secret, str) and isinstance(name, str)}
