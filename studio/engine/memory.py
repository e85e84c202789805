"""How much memory a device has, and giving back what was freed."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

FREE_SHARE = 0.6
_UNKNOWN_BUDGET = 4 * 1024**3

# Bounds that containers set, in both versions of Linux's control groups.
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Memory:
    """free_bytes, total_bytes: of the device's memory; None where the system does not say."""

    free_bytes: int | None
    total_bytes: int | None


def memory_of(device: torch.device) -> Memory:
    """Ask for a device's memory. For "cpu" that is the machine's, or less where a container has a bound."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Memory(free, total)
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return Memory(max(0, total - torch.mps.driver_allocated_memory()), total)
    return host_memory()


def budget_for(device: torch.device) -> int:
    """Bytes that resident models may take where nobody says: 60 % of what is free, so that work and others fit too."""
    free = memory_of(device).free_bytes
    return int(FREE_SHARE * free) if free is not None else _UNKNOWN_BUDGET


def host_memory() -> Memory:
    """Ask for the machine's memory."""
    account = _meminfo()
    free, total = account.get("MemAvailable"), account.get("MemTotal")
    if total is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        page = os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * page
        free = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in os.sysconf_names else total // 2
    bound = _cgroup_limit()
    if total is not None and bound is not None and bound < total:
        return Memory(min(free or bound, bound), bound)
    return Memory(free, total)


def give_back(device: torch.device) -> None:
    """Return memory that nothing holds any more to the device and the system.

    Modules may be in reference cycles, the CUDA allocator keeps blocks for later, and glibc keeps the pages of what
    was freed in many pieces: without this, switching between models grows the process.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def _meminfo() -> dict[str, int]:
    """Linux's own account, in bytes; {} elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    except (OSError, ValueError, IndexError):
        return {}


def _cgroup_limit() -> int | None:
    for name in _CGROUP_LIMITS:
        try:
            return int(Path(name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # absent, or "max"
            continue
    return None


@cache
def _malloc_trim() -> ctypes._NamedFuncPointer | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another libc
        return None
