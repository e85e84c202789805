"""Task-vector negation (studio.erasure.negation)."""

from studio.training.erase.method import METHODS, Learning, Method

METHODS.register("negation")(
    Method(
        title="Negation",
        name="Task-vector negation",
        about="Learns to draw the concept, and applies the opposite. A baseline; nothing takes the concept's place.",
        source="arXiv:2212.04089",
        learning=Learning("negation", params=lambda plan: {}, from_pictures=True),
        leaves_out=frozenset({"object", "style", "colour"}),
        caveat="A baseline to compare with: nothing says what is drawn in the concept's place.",
    )
)
