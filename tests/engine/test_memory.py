"""Memory: what the system says, within what a container allows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from studio.engine import memory
from studio.engine.memory import Memory, budget_for, give_back, host_memory, memory_of


def test_this_machine_has_some() -> None:
    found = memory_of(torch.device("cpu"))
    assert found.total_bytes is not None and found.free_bytes is not None
    assert 0 < found.free_bytes <= found.total_bytes


def test_a_container_bounds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_meminfo", lambda: {"MemTotal": 1000, "MemAvailable": 600})
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (str(tmp_path / "max"),))
    assert host_memory() == Memory(600, 1000)
    for text, expected in (("500", Memory(500, 500)), ("max", Memory(600, 1000)), ("9" * 19, Memory(600, 1000))):
        (tmp_path / "max").write_text(text)
        assert host_memory() == expected


def test_where_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_of", lambda device: Memory(None, None))
    assert budget_for(torch.device("cpu")) > 0
    monkeypatch.setattr(memory, "memory_of", lambda device: Memory(1000, 2000))
    assert budget_for(torch.device("cpu")) == 600


def test_giving_back_is_harmless() -> None:
    give_back(torch.device("cpu"))
