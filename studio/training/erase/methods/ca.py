"""Concept Ablation (studio.erasure.ablation)."""

from studio.training.erase.method import METHODS, Learning, Method

METHODS.register("ca")(
    Method(
        title="Replace",
        name="Concept Ablation",
        about="Teaches the concept's prompts to draw its substitute, or, of an object, an empty background.",
        source="arXiv:2303.13516",
        learning=Learning("concept_ablation", params=lambda plan: {}, replaces=lambda plan: True),
        leaves_out=frozenset({"object", "style"}),
    )
)
