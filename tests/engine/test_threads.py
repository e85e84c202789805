"""How threads wait is settled before the library that reads it is loaded, and a user's own wish is left alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Stops where torch would be imported, and says how its threads would wait.
WATCHED = """
import os, sys

class AtTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
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
@pytest.mark.parametrize(("wish", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_before_torch_is_imported(start: str, wish: str | None, policy: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environ |= {} if wish is None else {"OMP_WAIT_POLICY": wish}
    made = subprocess.run(
        [sys.executable, "-c", WATCHED + start], env=environ, capture_output=True, text=True, check=True
    )
    assert made.stdout.split() == [policy]
