"""RankDPO (studio.alignment.lists)."""

from studio.training.align.objective import AUTO_BETA, OBJECTIVES, Objective, Pace

OBJECTIVES.register("rankdpo")(
    Objective(
        name="RankDPO",
        about="From ranked lists, what is at the top counting most.",
        source="arXiv:2410.18013",
        loss="dpo_lists",
        takes="lists",
        in_world=Pace(100, 2e-3, {"form": "rank"}, first=0.4),
        elsewhere=Pace(400, 1e-5, {"form": "rank", "beta": 5000.0}),
        auto_beta=AUTO_BETA / 2,
    )
)
