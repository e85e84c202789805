"""What the numbers of a step are called in plain words, and what to look for in their curves.

A method's own numbers are called what the method calls them. c is the prediction with the prompt, u the one without, g
the guided one, D = c - u; see studio.guidance.diagnostics.
"""

from __future__ import annotations

from dataclasses import dataclass

SYMBOLS = (
    "c: the model's prediction with the prompt. u: without it. d: of a degraded model. g: what guidance makes of them. "
    "D\u00a0=\u00a0c\u00a0−\u00a0u. |x|: length of x. x·y: their product."
)


@dataclass(frozen=True)
class Words:
    """What is said of a curve.

    title: above it, in plain words.
    formula: what is plotted.
    hint: what to look for, "" where nothing is known.
    level: of a line to compare with.
    log: whether it is plotted as factors.
    """

    title: str
    formula: str
    hint: str
    level: float | None = None
    log: bool = False


# Three curves tell the story of a step in its order: what there is to push with, how hard guidance pushes, what comes
# out. Each has a stand-in for the methods that never ask what the model predicts without the prompt.
MAIN = (("gap", "degraded_gap"), ("w_eff", "rel_update"), ("norm_ratio",))

WORDS = {
    "gap": Words(
        "How far prompt and no prompt disagree",
        "|c − u| / |c|",
        "High while the picture is laid out. Near 0 the prompt has nothing left to add, and guidance nothing to push.",
    ),
    "degraded_gap": Words(
        "How far the model and its degraded twin disagree",
        "|c − d| / |c|",
        "This difference is what guidance enlarges. Near 0 there is nothing left to push.",
    ),
    "w_eff": Words(
        "How hard guidance pushes",
        "(g − u)·D / D·D",
        "1 is no guidance. Flat: plain guidance at that scale. Where a line stops, guidance is off.",
        level=1.0,
    ),
    "norm_ratio": Words(
        "How much the prediction grows",
        "|g| / |c|",
        "Above 1 the prediction grows: colours clip. Compare the peaks with “clipped” under the pictures.",
        level=1.0,
        log=True,
    ),
    "rel_update": Words(
        "How far guidance moves the prediction",
        "|g − c| / |c|",
        "0: the step is the model's own. At 1, guidance moves it by its whole length.",
    ),
    "par_frac": Words(
        "Which part of the gap is length",
        "D·c / (|D| |c|)",
        "Near 1, pushing only stretches the prediction; near 0, it changes what is drawn.",
        level=0.0,
    ),
    "cos_cu": Words("Do prompt and no prompt agree?", "cos(c, u)", "1: both predict the same picture."),
    "turn": Words(
        "Does guidance keep its direction?",
        "cos(g − c, the last step's)",
        "Near 1 it pushes the same way again; below 0 it takes back what it did.",
        level=0.0,
    ),
    "x0_std": Words("Spread of the guided prediction", "std(g)", "Roughly its contrast."),
    "x0_absmax": Words("Its largest value", "max |g|", "A peak is a spot that burns."),
    "drift": Words(
        "How far the picture shifts as a whole",
        "|mean(g − c)| / std(c), over channels",
        "Away from 0 it takes on a tint, or gets lighter or darker.",
    ),
    "beyond": Words(
        "Share of values out of range", "g outside of [min c, max c]", "Values the model alone would not predict."
    ),
}


def words(name: str, label: str, unit: str = "") -> Words:
    """Of a number by its name; label, unit: what its method calls it, "title: formula" or a title alone."""
    if name in WORDS:
        return WORDS[name]
    title, _, formula = label.partition(": ")
    return Words(title + (f" ({unit})" if unit else ""), formula, "")
