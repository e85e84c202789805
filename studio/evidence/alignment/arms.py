"""What is compared: objectives, how they are trained, and at which strengths they are drawn with.

Every arm may spend as much as a hundred steps of Diffusion-DPO with four pairs, counted in rows of the network: one of
the base once, one that learns three times, for its gradient takes two more. So MaPO, which asks no base, has more
steps, and SFT, which looks at one picture of each pair, many more. It ends before that where what is held out rose by
5 %, as everywhere in the studio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.evidence.alignment.people import CLEAN, COLOUR, LEFT, NOISY, STYLE, Person
from studio.evidence.alignment.sizes import LIST

BATCH, LEARNING, RETAINED = 4, 3, 4
BUDGET = 100 * BATCH * (2 * LEARNING + 2)  # of Diffusion-DPO: a winner and a loser, of the student and of the base
ROWS = {"mapo": (2, 0), "sft": (1, 0), "rankdpo": (LIST, LIST)}  # rows of a pair or list that learn, and of the base
SEEDS = (0, 1, 2)
WEAKER, BOTH, STRONGER = (0.5, 0.7, 1.0), (0.5, 0.7, 1.0, 1.5), (1.0, 1.5, 2.0, 2.5)
Subset = Literal["", "alike", "unlike"]


@dataclass(frozen=True)
class Arm:
    """One way to align.

    label: on the page.
    method: objective by name (studio.training.align.objectives).
    about: what is tried with it.
    values: of the plan, beside names, steps and batch.
    strengths: of the edit; of several one is chosen on other prompts, by the rule of studio.evidence.alignment.choice.
    subset: of the decided pairs: half of them, those whose pictures are most alike to the base, or least; no ending
    early then, and twice as many answers.
    """

    label: str
    method: str
    about: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    strengths: tuple[float, ...] = (1.0,)
    subset: Subset = ""

    @property
    def batch(self) -> int:
        """Rows of a step: pairs, or half as many lists, which have twice the pictures."""
        return BATCH * 2 // LIST if self.method == "rankdpo" else BATCH

    @property
    def steps(self) -> int:
        """As many as the budget allows."""
        learning, frozen = ROWS.get(self.method, (2, 2))
        cost = self.batch * (learning * LEARNING + frozen)
        if self.values.get("protect"):
            cost += RETAINED * (LEARNING + 1)
        return round(BUDGET / cost)

    def plan(self, person: Person, snapshot: str, seed: int) -> dict[str, Any]:
        """Plain values of a studio.training.align.plan.AlignPlan: the same of arms that differ in strength alone."""
        fixed = {"stop_rise": None} if self.subset else {}
        words = [self.method, self.subset, *(f"{name} {value}" for name, value in self.values.items())]
        return {
            "name": f"{person.name}, {', '.join(filter(None, words))}, {seed}"[:80],
            "method": self.method,
            "snapshot": snapshot,
            "steps": self.steps,
            "batch": self.batch,
            "seed": seed,
            "pictures": 0,  # the last state is measured, at equal compute; what strength it has is chosen afterwards
            **fixed,
            **self.values,
        }


@dataclass(frozen=True)
class Trial:
    """An arm, and whose labels it learns from."""

    person: Person
    arm: Arm


DPO = Arm("Diffusion-DPO", "dpo", "as it comes")
MAPO = Arm("MaPO", "mapo", "as it comes")
SFT = Arm("SFT on winners", "sft", "what the others have to beat")
KTO = Arm("Diffusion-KTO", "kto", "winners as liked, losers as disliked")
BCO = Arm("BCO", "bco", "winners as liked, losers as disliked")
RANK = Arm("RankDPO", "rankdpo", "rankings of four, showing as many pictures as the pairs do")
TIES = Arm("DPO with ties", "dpo-ties", "ties are learned from")
ANCHORED = Arm("DPO, anchored", "dpo-anchored", "the anchor at its usual weight")
SMOOTHED = Arm(
    "DPO, labels smoothed", "dpo", "a quarter of the answers taken to be wrong", {"params": {"flipped": 0.25}}
)
ROBUST = Arm("DPO, robust", "dpo", "likewise, without bias", {"params": {"flipped": 0.25, "form": "robust"}})

# The same, drawn at a strength that is chosen on other prompts; and what might spare pictures.
CHOSEN_MAPO = Arm("MaPO, strength chosen", "mapo", "the edit of MaPO", strengths=WEAKER)
CHOSEN_DPO = Arm("Diffusion-DPO, strength chosen", "dpo", "the edit of Diffusion-DPO", strengths=BOTH)
CHOSEN_ANCHORED = Arm("DPO, anchored, strength chosen", "dpo-anchored", "the edit of DPO, anchored", strengths=STRONGER)
HELD = Arm(
    "DPO, anchored, held, averaged",
    "dpo-anchored",
    "pictures without a prompt held to the base, factors averaged (EMA .95)",
    {"protect": 1.0, "ema": 0.95},
    strengths=STRONGER,
)
NOISIEST = Arm(
    "DPO, anchored, noisiest times",
    "dpo-anchored",
    "times from .6 of the schedule on, where style is decided; factors averaged",
    {"first": 0.6, "ema": 0.95},
    strengths=STRONGER,
)
HELD_MAPO = Arm(
    "MaPO, held, noisiest times",
    "mapo",
    "times from .6 on, pictures without a prompt held to the base, factors averaged",
    {"first": 0.6, "protect": 1.0, "ema": 0.95},
    strengths=BOTH,
)
# As the studio does it where nobody says otherwise; the pictures it looks at on the way come on top of the budget.
JUDGED = {"pictures": None}
JUDGED_MAPO = Arm("MaPO, judged by pictures", "mapo", "held-out pictures end it and choose state and strength", JUDGED)
JUDGED_DPO = Arm("Diffusion-DPO, judged by pictures", "dpo", "likewise", JUDGED)

# Whether pairs of near-identical pictures push both aside, and what helps.
UNLIKE = Arm("DPO on unlike pairs", "dpo", "the half that CHES ranks lowest", subset="unlike")
ALIKE = Arm("DPO on alike pairs", "dpo", "the half that CHES ranks highest", subset="alike")
ALIKE_POSITIVE = Arm(
    "DPOP on alike pairs",
    "dpo",
    "with a penalty of 5 for winners' errors",
    {"params": {"penalty": 5.0}},
    subset="alike",
)
ALIKE_MAPO = Arm("MaPO on alike pairs", "mapo", "without a reference", subset="alike")

TRIALS = (
    *(Trial(STYLE, arm) for arm in (DPO, CHOSEN_MAPO, MAPO, SFT, KTO, JUDGED_MAPO, JUDGED_DPO)),
    Trial(CLEAN, ANCHORED),
    *(Trial(STYLE, arm) for arm in (CHOSEN_ANCHORED, NOISIEST, HELD_MAPO, TIES)),
    *(Trial(NOISY, arm) for arm in (DPO, SMOOTHED)),
    *(Trial(STYLE, arm) for arm in (ALIKE, UNLIKE, ALIKE_POSITIVE, ALIKE_MAPO)),
    *(Trial(STYLE, arm) for arm in (HELD, BCO, RANK, CHOSEN_DPO, ANCHORED)),
    Trial(CLEAN, DPO),
    Trial(LEFT, DPO),
    *(Trial(COLOUR, arm) for arm in (DPO, MAPO)),
    Trial(NOISY, ROBUST),
    Trial(CLEAN, MAPO),
)
QUICK_TRIALS = (Trial(STYLE, DPO), Trial(STYLE, MAPO))
