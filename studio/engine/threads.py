"""How the threads of the arithmetic wait for each other, settled before the library that runs them is loaded."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# Spinning keeps the processor from whoever else needs it, sleeping costs the waking. GNU's OpenMP spins 300,000 times
# by itself: docs/design/0014 has what less of it costs on an idle machine, and saves on a busy one.
SPINS = "10000"
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def wait_politely(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads spin shortly before they sleep where they wait; what the user has set of it stays.

    Read by the library once, when it is loaded: call this before torch is imported. OpenMP libraries other than GNU's
    do not know the variable and wait as they do.
    """
    if not any(name in environ for name in WAITING):
        environ["GOMP_SPINCOUNT"] = SPINS
