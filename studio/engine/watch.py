"""Whether a worker that is alive still works: how long it has been silent, and for how long that may go on.

Three things are told apart. A process that says nothing at all (stopped, or stuck in native code that lets no thread
run) is silent. One whose pulse goes on while its work gets nowhere (a deadlock, or a very long evaluation of a network)
is still. One that was asked to stop and has not is deaf. Time is counted only while we look: a computer that slept, or
a studio that was itself stopped, must not find its worker dead on waking.
"""

from __future__ import annotations

from dataclasses import dataclass

LOOK_EVERY_S = 1.0
STOP_WITHIN_S = 30.0  # after being asked to
NOTICED_S = 30.0  # without a word, before it is said on the page
_STOP_STEPS = 3  # or so many of the longest pieces of work measured in this job
_STILL_STEPS = 20
_STARTING = 3  # times as patient: it imports and reads weights, and says nothing of its progress


@dataclass
class Watch:
    """What is known of one worker's signs of life.

    patience_s: silence or standstill after which it is given up.
    silent_s: since it last said anything.
    still_s: since its work last got somewhere; 0 while it has none.
    deaf_s: since it was asked to stop what it is at.
    longest_s: the longest step so far, by which it is judged; see studio.engine.pulse.
    beats: steps by its pulse, -1 before the first.
    """

    patience_s: float
    silent_s: float = 0.0
    still_s: float = 0.0
    deaf_s: float = 0.0
    longest_s: float = 0.0
    beats: int = -1

    def heard(self) -> None:
        """It has said something."""
        self.silent_s = 0.0

    def progress(self) -> None:
        """The work has got somewhere, or there is other work."""
        self.still_s = 0.0

    def pulse(self, beats: int, longest_s: float) -> None:
        """Its pulse: see studio.engine.pulse."""
        if beats != self.beats:
            self.progress()
        self.beats, self.longest_s = beats, longest_s

    def pass_time(self, seconds: float, *, busy: bool, stopping: bool) -> None:
        """So much time has gone by. busy: it has work. stopping: the work it is at was asked to stop."""
        counted = min(seconds, 2 * LOOK_EVERY_S)
        self.silent_s += counted
        self.still_s = self.still_s + counted if busy else 0.0
        self.deaf_s = self.deaf_s + counted if stopping else 0.0

    def is_deaf(self) -> bool:
        """Whether a wish to stop has gone unheard for too long."""
        return self.deaf_s > max(STOP_WITHIN_S, _STOP_STEPS * self.longest_s)

    def given_up(self, *, starting: bool) -> str | None:
        """Why it is to be ended, as the end of "The process that makes the pictures ..."; None while it is not."""
        patience = self.patience_s * (_STARTING if starting else 1)
        if self.silent_s > patience:
            return f"gave no sign of life for {spoken(self.silent_s)}"
        if self.still_s > max(patience, _STILL_STEPS * self.longest_s):
            return f"made no progress for {spoken(self.still_s)}"
        return None

    def remark(self) -> str | None:
        """What the page says of a worker that seems to hang; None of one that does not."""
        until = f"without one it is started again after {spoken(self.patience_s)}"
        if self.silent_s > NOTICED_S:
            return f"The engine has given no sign of life for {spoken(self.silent_s)}; {until}."
        if self.still_s > max(2 * NOTICED_S, _STOP_STEPS * self.longest_s):
            limit = spoken(max(self.patience_s, _STILL_STEPS * self.longest_s))
            return f"The engine has made no progress for {spoken(self.still_s)}; it is started again after {limit}."
        return None


def spoken(seconds: float) -> str:
    """A time as people say it."""
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes > 1 else f"{seconds:.0f} seconds"
