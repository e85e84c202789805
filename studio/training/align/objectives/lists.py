"""Plackett-Luce (studio.alignment.lists)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("plackett-luce")(
    Objective(
        name="Plackett-Luce",
        about="From ranked lists, the whole order of each.",
        source="arXiv:2305.18290",
        loss="dpo_lists",
        takes="lists",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0}),
    )
)
