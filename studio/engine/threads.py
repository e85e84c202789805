"""The threads of the arithmetic: how they wait for each other, and how many there are beside other programs."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

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


# Who has set one of these has settled how many threads there are.
NUMBERS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_LOOKS = 4  # that are kept: the last three seconds where there is one a second
_TOO_SHORT_S = 0.5  # times of processors are counted in hundredths of a second
_UNHEARD = 0.25  # of a processor taken by others, an editor or a page, that costs less than a thread fewer would


@dataclass(frozen=True)
class ProcessorTimes:
    """What the processors did until a moment, in seconds.

    at_s: of a clock.
    busy_s: time all programs together have had of the processors that this one may run on.
    ours_s: this process's share of it.
    """

    at_s: float
    busy_s: float
    ours_s: float


def processor_times() -> ProcessorTimes:
    """As they are now."""
    import psutil  # not above: what comes before torch is to be quick

    times = psutil.cpu_times(percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(times))
    busy = sum(sum(times[i][:8]) - times[i].idle - getattr(times[i], "iowait", 0.0) for i in mine if i < len(times))
    ours = os.times()
    return ProcessorTimes(time.monotonic(), busy, ours.user + ours.system)


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crowd:
    """How many processors' worth of time other programs take, of those that this process may run on.

    Threads that wait for each other at every operation are as slow as the one that got least of a processor: beside
    busy programs, fewer are faster (docs/design/0014). `look` is to be called about once a second.
    """

    def __init__(self, read: Callable[[], ProcessorTimes] = processor_times, processors: int = processors()) -> None:
        self._read, self._processors = read, processors
        self._seen: deque[ProcessorTimes] = deque(maxlen=_LOOKS)

    def look(self) -> None:
        """Take note of the times as they are now; where the system does not tell them, nothing is known."""
        try:
            self._seen.append(self._read())
        except Exception:  # of any kind: the caller has a pulse to keep
            self._seen.clear()

    def others(self) -> float | None:
        """What other programs had of late, in processors: 0 to their number. None where too little was seen."""
        looks = list(self._seen)  # another thread looks meanwhile
        if not looks:
            return None
        first, last = looks[0], looks[-1]
        passed_s = last.at_s - first.at_s
        if passed_s < _TOO_SHORT_S:
            return None
        taken_s = (last.busy_s - first.busy_s) - (last.ours_s - first.ours_s)
        return min(float(self._processors), max(0.0, taken_s / passed_s))

    def threads(self, most: int) -> int:
        """How many threads there is room for, 1 to `most`."""
        busy = self.others()
        return most if busy is None else max(1, min(most, math.ceil(self._processors - busy - _UNHEARD)))


def are_settled(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user's environment says how many threads there are."""
    return any(environ.get(name) for name in NUMBERS)
