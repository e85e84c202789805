"""BCO (studio.alignment.unpaired)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("bco")(
    Objective(
        name="BCO",
        about="From thumbs: the edit as a classifier of liked and disliked pictures.",
        source="arXiv:2404.04656",
        loss="bco",
        takes="thumbs",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0}),
    )
)
