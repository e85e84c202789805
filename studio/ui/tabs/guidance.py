"""Guidance: see what guidance does at each step. So far, what the tab will do."""

from __future__ import annotations

from studio.ui import handover
from studio.ui.tabs.base import Page, Tab, promise


def build(page: Page) -> None:
    handover.notice(page, "guidance")
    promise(
        "Tune guidance",
        "See how strongly, where and at which step a method pushes the picture towards the prompt.",
        (
            ("Line up", "Run several methods on one seed in one batch, at an equal number of network evaluations."),
            ("Ask why", "Open a step and look at the predictions a method combined, and what it made of them."),
            ("Sweep", "Vary one parameter over a range, and keep what you find as a preset."),
        ),
        "Two methods can be tried today: in Prompt, choose classifier-free or adaptive projected guidance and keep the "
        "seed fixed.",
    )


TAB = Tab("Guidance", order=40, build=build, accepts=True)
