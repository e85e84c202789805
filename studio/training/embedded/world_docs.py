"""Pages about the world and its oracle: contact sheets of renders and garbage, gates and confusion matrices.

`write` makes everything under docs/world; nothing is chosen by hand, and the numbers are those `judge_gates` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from studio.training.embedded import judge_gates
from studio.training.embedded.garbage import KINDS, UNSEEN_KINDS, garbage
from studio.training.embedded.judge_data import SEEDS, HeldOut
from studio.training.embedded.sheets import GROUNDS, card
from studio.training.evaluate.rows import ReportRow
from studio.training.evaluate.suites.held_out import prompt_scenes
from studio.world.caption import canonical
from studio.world.oracle import CLASSES, Oracle
from studio.world.render import render_uint8
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES, Scene, one_object

GARBAGE_SHOWN = 10
SHOWN = ("object", "colour", "style", "background", "layout")
Counts = npt.NDArray[np.int64]


def _pictures(scenes: Sequence[Scene]) -> npt.NDArray[np.uint8]:
    return np.stack([render_uint8(scene) for scene in scenes])


def objects_and_styles() -> Image.Image:
    """All objects by all styles, rendered."""
    colours = [COLOUR_NAMES[i % len(COLOUR_NAMES)] for i in range(len(OBJECTS))]
    pairs = list(zip(OBJECTS, colours, strict=True))
    scenes = [one_object(o, c, style=s, background=GROUNDS[s]) for s in STYLE_NAMES for o, c in pairs]
    top = [f"{colour} {name}" for name, colour in pairs]
    note = "Renders, not generated: twelve objects in eight styles. Colours go with objects, backgrounds with styles."
    return card(_pictures(scenes), len(OBJECTS), "The world: objects and styles", note, top=top, side=STYLE_NAMES)


def colours_and_backgrounds() -> Image.Image:
    """All colours on all backgrounds, rendered."""
    scenes = [
        one_object("heart", colour, style=STYLE_NAMES[(i + j) % len(STYLE_NAMES)], background=background)
        for i, background in enumerate(BACKGROUND_NAMES)
        for j, colour in enumerate(COLOUR_NAMES)
    ]
    note = "Renders: eight colours on six backgrounds, the style changing along the diagonals."
    title = "The world: colours and backgrounds"
    return card(_pictures(scenes), len(COLOUR_NAMES), title, note, top=COLOUR_NAMES, side=BACKGROUND_NAMES)


def two_objects() -> Image.Image:
    """Twenty-four held-out scenes of two objects, rendered, with their canonical captions."""
    scenes = prompt_scenes(24, 2, seed=7)
    note = "Renders of combinations that no training set holds, with their canonical captions."
    return card(_pictures(scenes), 8, "The world: two objects", note, below=[canonical(s) for s in scenes])


def garbage_kinds() -> Image.Image:
    """What the oracle must call invalid, kind by kind."""
    kinds = [*KINDS, *UNSEEN_KINDS]
    pictures = np.stack([garbage(kind, i, SEEDS["test"]) for kind in kinds for i in range(GARBAGE_SHOWN)])
    side = [kind.replace("_", " ") + (" (never trained on)" if kind in UNSEEN_KINDS else "") for kind in kinds]
    note = "Pictures of no scene, made to fail as generators fail. The oracle's gate is to flag 95 % of them."
    return card(pictures, GARBAGE_SHOWN, "Garbage", note, side=side)


def confusion_figure(counts: dict[str, Counts]) -> Figure:
    """Confusion matrices side by side: shade by share of the row, numbers are counts."""
    figure = Figure(figsize=(17, 7.2), layout="constrained", facecolor="white")
    widths = [len(CLASSES[name]) + 2 for name in SHOWN[:3]]
    halves: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    upper, lower = halves
    axes = [*upper.subplots(1, 3, width_ratios=widths), *lower.subplots(1, 2)]
    for axis, name in zip(axes, SHOWN, strict=True):
        matrix, names = counts[name], CLASSES[name]
        share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axis.set_xticks(range(len(names)), names, rotation=90)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(f"{name}: {np.trace(matrix)} of {matrix.sum()} right")
        axis.set(xlabel="read", ylabel="drawn")
        for (row, column), n in np.ndenumerate(matrix):
            if n:
                axis.text(
                    column,
                    row,
                    str(n),
                    ha="center",
                    va="center",
                    size=7,
                    color="white" if share[row, column] > 0.5 else "black",
                )
    return figure


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(r) + " |" for r in (head, ["---"] * len(head), *rows)]


def oracle_page(gates: Sequence[ReportRow], counts: dict[str, Counts], threshold: float) -> str:
    """The page docs/world/oracle.md: gates with n and intervals, then a matrix per attribute."""
    lines = [
        "# The oracle: what it reads and how often it errs",
        "",
        "Written by `palimpsest train-embedded world-docs`; do not edit. Shares are of held-out renders (combinations",
        "of attributes in no training set); intervals are Wilson's, 95 %. An object or a colour counts as right when",
        f"every one of the scene is right in its slot. A picture is invalid above a score of {threshold:.3f}.",
        "",
    ]
    rows = []
    for gate in gates:
        goal = "" if gate.gate is None else f"{'at most' if gate.at_most else 'at least'} {100 * gate.gate:g} %"
        verdict = "" if gate.gate is None else "passed" if gate.passed else "**missed**"
        rows.append(
            [
                f"{gate.group}: {gate.name}",
                str(gate.n),
                f"{100 * gate.value:.2f} %",
                f"{100 * gate.low:.2f} to {100 * gate.high:.2f} %",
                goal,
                verdict,
            ]
        )
    lines += _table(["measure", "n", "share", "95 % interval", "gate", ""], rows)
    lines += [
        "",
        "## Confusions",
        "",
        "Rows are what was drawn, columns what was read.",
        "",
        "![Confusion matrices](oracle-confusions.png)",
    ]
    for name, matrix in counts.items():
        names = CLASSES[name]
        body = [[f"**{n}**", *(str(c) if c else "" for c in row)] for n, row in zip(names, matrix, strict=True)]
        lines += ["", f"### {name}", "", *_table(["", *names], body)]
    return "\n".join(lines) + "\n"


def write(
    folder: Path, oracle: Oracle, data: Path, vae_folder: Path | None = None, n: int = 2400, per_kind: int = 100
) -> list[ReportRow]:
    """Write the sheets, the page and the figure into `folder`; gives the gates. The rest: as `judge_gates.evaluate`."""
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {
        "objects-and-styles": objects_and_styles,
        "colours-and-backgrounds": colours_and_backgrounds,
        "two-objects": two_objects,
        "garbage": garbage_kinds,
    }
    for name, make in sheets.items():
        make().save(folder / f"{name}.png", optimize=True)
    gates = judge_gates.evaluate(oracle, data, vae_folder, n, per_kind)
    test = HeldOut.make(data, "test", n)
    counts = judge_gates.confusions(oracle, test.pictures, test.labels)
    confusion_figure(counts).savefig(folder / "oracle-confusions.png", dpi=90)
    (folder / "oracle.md").write_text(oracle_page(gates, counts, oracle.threshold), encoding="utf-8")
    return gates
