"""All but One (studio.erasure.all_but_one)."""

from studio.training.erase.method import METHODS, Learning, Method

METHODS.register("abo")(
    Method(
        title="Careful",
        name="All but One",
        about="Edits only what guidance adds for the concept, and holds what the model draws without a prompt.",
        source="arXiv:2312.12807",
        learning=Learning(
            "all_but_one",
            params=lambda plan: {
                "towards": plan.training.towards,
                "eta": plan.training.eta,
                "mu": plan.training.mu,
            },
            replaces=lambda plan: plan.training.towards == "substitute",
        ),
        leaves_out=frozenset({"style"}),
    )
)
