"""Diffusion-KTO (studio.alignment.unpaired)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("kto")(
    Objective(
        name="Diffusion-KTO",
        about="From thumbs: liked pictures up, disliked ones down, as people weigh gains and losses.",
        source="arXiv:2404.04465",
        loss="kto",
        takes="thumbs",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5, {"beta": 5000.0}),
    )
)
