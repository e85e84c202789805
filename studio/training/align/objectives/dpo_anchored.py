"""Diffusion-DPO, anchored (studio.alignment.dpo)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("dpo-anchored")(
    Objective(
        name="Diffusion-DPO, anchored",
        about="The same beside plain training on what was preferred: slower, and it holds what pictures are made of.",
        source="arXiv:2311.12908, arXiv:2402.13228",
        loss="dpo",
        takes="pairs",
        in_world=Pace(220, 2e-3, {"anchor": 0.3}),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0, "anchor": 0.3}),
    )
)
