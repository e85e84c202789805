"""A concept slider as an erasure (studio.erasure.slider): at +1 the substitute, at -1 more of the concept."""

from studio.erasure.columns import CONCEPT, LESS, MORE, NEUTRAL, SUBSTITUTE, TARGET
from studio.training.erase.method import METHODS, Learning, Method

METHODS.register("slider")(
    Method(
        title="Slider",
        name="Concept Sliders",
        about="Takes the concept away at positive strengths and brings more of it at negative ones.",
        source="arXiv:2311.12092",
        learning=Learning(
            "slider",
            params=lambda plan: {"gamma": plan.training.eta},
            rank=4,
            columns={TARGET: CONCEPT, NEUTRAL: CONCEPT, MORE: SUBSTITUTE, LESS: CONCEPT},
        ),
        leaves_out=frozenset({"style"}),
    )
)
