"""SmPO (studio.alignment.soft)."""

from studio.training.align.objective import AUTO_BETA, OBJECTIVES, Objective, Pace

OBJECTIVES.register("smpo")(
    Objective(
        name="SmPO",
        about="Pairs count by how sure they are: unclear ones teach little.",
        source="arXiv:2506.02698",
        loss="dpo_soft",
        takes="sure pairs",
        in_world=Pace(100, 2e-3, {"beta": 10.0}, first=0.4),
        elsewhere=Pace(200, 1e-5, {"beta": 2000.0}),
        auto_beta=AUTO_BETA / 10,
    )
)
