"""DPO with ties (studio.alignment.ties)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("dpo-ties")(
    Objective(
        name="DPO with ties",
        about="Pairs that were called equal are learned from as well, as equal.",
        source="arXiv:2409.17431",
        loss="dpo_ties",
        takes="pairs and ties",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0}),
    )
)
