"""How threads wait is settled before the library that reads it is loaded, and a user's own wish is left alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from studio.engine.threads import SPINS, WAITING

# Stops where torch would be imported, and says how its threads would wait.
WATCHED = """
import os, sys

class AtTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")), flush=True)
            os._exit(0)

sys.meta_path.insert(0, AtTorch())
"""
COMMAND_LINE = "from studio import cli; cli.main(['bench'])"
WORKER = """
from multiprocessing import Pipe
from studio.engine import worker
from studio.engine.config import EngineConfig
ours, theirs = Pipe()
worker.main(EngineConfig(models={}), theirs)
"""


@pytest.mark.parametrize("start", [COMMAND_LINE, WORKER], ids=["command line", "worker"])
@pytest.mark.parametrize(
    ("wish", "settled"),
    [
        ({}, ["None", SPINS]),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, ["ACTIVE", "None"]),
        ({"GOMP_SPINCOUNT": "7"}, ["None", "7"]),
    ],
)
def test_before_torch_is_imported(start: str, wish: dict[str, str], settled: list[str]) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in WAITING} | wish
    made = subprocess.run(
        [sys.executable, "-c", WATCHED + start], env=environ, capture_output=True, text=True, check=True
    )
    assert made.stdout.split() == settled
