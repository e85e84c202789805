"""From the plan of an erasure to the plan of the training that makes it (studio.training.lora). No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.erasure.columns import CARRIER, CONCEPT, SUBSTITUTE
from studio.training.erase.concept import Concept
from studio.training.erase.method import Learning, Method
from studio.training.erase.plan import ErasePlan
from studio.training.erase.texts import Wordings, wordings

RETAINED = 40  # prompts that stay, beside those the plan names: of which the base's ways are walked once
QUICK_STEPS, QUICK_LR = 80, 3e-3  # of an object that gives way to an empty background, which is learned sooner


def training_plan(plan: ErasePlan, method: Method) -> dict[str, Any]:
    """Plain values of a studio.training.lora.plan.Plan. method: one that trains."""
    learning = method.learning
    assert learning is not None, "a method in closed form trains nothing"
    options, used = plan.training, [wordings(concept, plan.in_world, plan.seed) for concept in plan.concepts]
    walked = {"steps": options.way_steps, "guidance_scale": options.guidance_scale}
    source = {"pool": walked} if options.source == "own" else {"bank": {**walked, "ways": 1}}
    steps, lr = _pace(plan, learning)
    return {
        "name": plan.name,
        "model": plan.model,
        "loss": learning.loss,
        "loss_params": dict(learning.params(plan)),
        "prompts": [
            row for concept, texts in zip(plan.concepts, used, strict=True) for row in _rows(concept, texts, plan)
        ],
        **{name: {**values, "condition": _walked_column(plan)} for name, values in source.items()},
        **_retention(plan, used),
        "layers": options.layers,
        "rank": options.rank,
        "alpha": float(options.rank),
        "steps": options.steps or steps,
        "batch": options.batch,
        "lr": options.lr or lr,
        "seed": plan.seed,
        "provenance": {"method": plan.method, "erasure": plan.model_dump(mode="json")},
    }


def _rows(concept: Concept, texts: Wordings, plan: ErasePlan) -> list[dict[str, str]]:
    carrier = plan.training.carrier
    rows = [{CONCEPT: text, SUBSTITUTE: replaced} for text, replaced in texts.pairs]
    if not carrier:
        return rows
    carried = concept.model_copy(update={"substitute": carrier})
    return [{**row, CARRIER: carried.replaced_in(row[CONCEPT])} for row in rows]


def _walked_column(plan: ErasePlan) -> str:
    """Where noisy latents come from is what is drawn with the prompt that learns."""
    return CARRIER if plan.training.carrier else CONCEPT


def _retention(plan: ErasePlan, used: list[Wordings]) -> Mapping[str, Any]:
    if plan.training.retention == "none" or not plan.protect:
        return {}
    texts = dict.fromkeys(text for wording in used for text in wording.unrelated)
    stay = [text for text in texts if not any(concept.named_in(text) for concept in plan.concepts)]
    stay = ["", *plan.preserves, *(text for text in stay if text and text not in plan.preserves)]
    return {
        "retention": {
            "prompts": stay[: 1 + len(plan.preserves) + RETAINED],
            "how": plan.training.retention,
            "weight": plan.protect,
            "budget": plan.training.budget,
            "batch": plan.training.batch,
            "bank": {
                "ways": 1,
                "steps": plan.training.way_steps,
                "guidance_scale": plan.training.guidance_scale,
            },
        }
    }


def _pace(plan: ErasePlan, learning: Learning) -> tuple[int, float]:
    if not plan.in_world:
        return learning.steps, learning.lr_elsewhere
    empties = all(concept.kind == "object" and not concept.substitute for concept in plan.concepts)
    if empties and learning.loss == "concept_ablation":
        return QUICK_STEPS, QUICK_LR
    return learning.steps, learning.lr
