"""A stage whose budget is looks at the clock instead of time: as many steps on a slow machine as on a quick one."""

from __future__ import annotations

from studio.training.embedded.stage import Stage

LOOKS = 6


class Counted(Stage):
    """Over after LOOKS questions how much of the budget is used."""

    looks = 0

    @property
    def share(self) -> float:
        self.looks += 1
        return (self.looks - 1) / LOOKS
