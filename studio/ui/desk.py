"""Where a picture lies that one tab sends to another (studio.ui.handover)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr


@dataclass(frozen=True)
class Desk:
    """Where it lies. state: a `Handover`, or None. bell: changes with every sending, and so tells the tabs.

    gr.State has a change event of its own, but not for listeners that wait in no queue.
    """

    state: gr.State
    bell: gr.HTML

    @property
    def parts(self) -> dict[str, Any]:
        """Its components, by the names that a tab's wiring knows them by."""
        return {"sent": self.state, "bell": self.bell}
