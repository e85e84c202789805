"""SFT on winners (studio.alignment.sft)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("sft")(
    Objective(
        name="SFT on winners",
        about="Plain training on what was preferred: what the others have to beat.",
        source="arXiv:2309.15807",
        loss="sft",
        takes="winners",
        in_world=Pace(100, 3e-3),
        elsewhere=Pace(2000, 1e-5),
        auto_beta=0.0,
    )
)
