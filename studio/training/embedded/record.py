"""What `evaluate` measured, kept with the weights and written into the pages that quote it.

assets/models/gates.json holds the numbers; README.md and assets/README.md hold a table between two markers, and a test
holds the table against the numbers. No figure of the model is typed by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

GATES = Path("assets") / "models" / "gates.json"
PAGES = (Path("README.md"), Path("assets") / "README.md")
OPEN, CLOSE = "<!-- gates: written by `palimpsest train-embedded evaluate --record` -->", "<!-- end of gates -->"
_HEAD = "| measure | n | value | 95 % interval | gate | reached |\n|---|---|---|---|---|---|"
_CAPTION = {"stencil": "Stencil: what it draws, read by the oracle", "oracle": "The oracle", "clip": "The world's CLIP"}


def _row(row: dict[str, Any]) -> str:
    goal, name, ratio = row["gate"], f"{row['group']}: {row['name']}", row["hits"] is None

    def figure(value: float) -> str:
        return f"{value:.2f}" if ratio else f"{100 * value:.1f} %"

    bound = "" if goal is None else f"{'at most' if row['at_most'] else 'at least'} {figure(goal)}"
    verdict = "" if goal is None else "yes" if row["passed"] else "**no**"
    cells = (name, row["n"], figure(row["value"]), f"{figure(row['low'])} to {figure(row['high'])}", bound, verdict)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(gates: dict[str, Any], parts: tuple[str, ...]) -> str:
    """The gates of some parts as one markdown table each, with n and 95 % interval."""
    blocks = []
    for part in parts:
        if part in gates:
            blocks.append(f"**{_CAPTION[part]}**\n\n{_HEAD}\n" + "\n".join(_row(row) for row in gates[part]["rows"]))
    return "\n\n".join(blocks)


def page_with(text: str, block: str) -> str:
    """A page with what stands between the markers replaced."""
    pattern = re.compile(re.escape(OPEN) + ".*?" + re.escape(CLOSE), re.DOTALL)
    return pattern.sub(lambda _: f"{OPEN}\n\n{block}\n\n{CLOSE}", text)


def blocks(gates: dict[str, Any]) -> dict[Path, str]:
    """What each page says: the README the model alone, assets/README.md everything."""
    return {PAGES[0]: table(gates, ("stencil",)), PAGES[1]: table(gates, ("stencil", "oracle", "clip"))}


def write(root: Path, gates: dict[str, Any]) -> None:
    """Keep the numbers and bring the pages up to date."""
    path = root / GATES
    recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    gates = {**recorded, **gates}  # a part that was not measured this time keeps its numbers
    path.write_text(json.dumps(gates, indent=1) + "\n", encoding="utf-8")
    for page, block in blocks(gates).items():
        path = root / page
        path.write_text(page_with(path.read_text(encoding="utf-8"), block), encoding="utf-8")
