"""Diffusion-DPO (studio.alignment.dpo)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("dpo")(
    Objective(
        name="Diffusion-DPO",
        about="Better at the picture that was preferred than the base is, by more than at the other.",
        source="arXiv:2311.12908",
        loss="dpo",
        takes="pairs",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0}),
    )
)
