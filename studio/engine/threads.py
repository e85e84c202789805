"""How the threads of the arithmetic wait for each other, settled before the library that runs them is loaded."""

from __future__ import annotations

import os


def wait_politely() -> None:
    """Let OpenMP's threads sleep where they wait, in place of spinning; what the user has set stays.

    Read by the library once, when it is loaded: call this before torch is imported. See docs/design/0014.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
