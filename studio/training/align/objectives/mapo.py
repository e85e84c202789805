"""MaPO (studio.alignment.mapo)."""

from studio.training.align.objective import OBJECTIVES, Objective, Pace

OBJECTIVES.register("mapo")(
    Objective(
        name="MaPO",
        about="A margin between the two pictures without a reference; goes furthest, for tastes the base seldom meets.",
        source="arXiv:2406.06424",
        loss="mapo",
        takes="pairs",
        in_world=Pace(100, 2e-3, first=0.4),
        elsewhere=Pace(2000, 1e-5),
        caveat="It goes far, and may collapse to one style: look at the diversity, and turn its strength down.",
        auto_beta=0.0,
    )
)
