"""SPM (studio.erasure.spm)."""

from studio.training.erase.method import METHODS, Learning, Method
from studio.training.erase.plan import ErasePlan


def _neutral(plan: ErasePlan) -> str:
    """The paper's, no prompt, where nothing is known that would be better."""
    knows = plan.in_world or all(concept.substitute for concept in plan.concepts)
    return "substitute" if knows else "nothing"


METHODS.register("spm")(
    Method(
        title="Anchored",
        name="SPM",
        about="Erases with factors of rank 1 that are held to the base under encodings drawn at random.",
        source="arXiv:2312.16145",
        learning=Learning(
            "spm",
            params=lambda plan: {
                "gamma": plan.training.eta,
                "kappa": plan.training.kappa,
                "anchors": plan.training.anchors,
                "neutral": _neutral(plan),
            },
            rank=1,
        ),
        leaves_out=frozenset({"style"}),
    )
)
