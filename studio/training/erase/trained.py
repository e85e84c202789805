"""From the plan of an erasure to the plan of the training that makes it (studio.training.lora). No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.erasure.columns import CARRIER, CONCEPT, SUBSTITUTE, TARGET
from studio.training.erase.concept import Concept
from studio.training.erase.gate import gate_of
from studio.training.erase.looks import looks_plan
from studio.training.erase.method import Learning, Method
from studio.training.erase.plan import ErasePlan
from studio.training.erase.texts import Wordings, unrelated, wordings

RETAINED = 40  # prompts that stay, beside those the plan names: of which the base's ways are walked once


def training_plan(plan: ErasePlan, method: Method) -> dict[str, Any]:
    """Plain values of a studio.training.lora.plan.Plan. method: one that trains."""
    learning = method.learning
    assert learning is not None, "a method in closed form trains nothing"
    options, used = plan.training, [wordings(concept, plan.in_world, plan.seed) for concept in plan.concepts]
    lr = learning.lr if plan.in_world else learning.lr_elsewhere
    rank = options.rank or learning.rank
    return {
        "name": plan.name,
        "model": plan.model,
        "loss": learning.loss,
        "loss_params": dict(learning.params(plan)),
        "prompts": [
            {**row, **{column: row[source] for column, source in learning.columns.items()}}
            for concept, texts in zip(plan.concepts, used, strict=True)
            for row in _rows(concept, texts, plan)
        ],
        **_source(plan, learning),
        **_retention(plan, used),
        **_looks(plan, learning),
        "layers": options.layers,
        "rank": rank,
        "alpha": float(rank),
        "steps": options.steps or learning.steps,
        "batch": options.batch,
        "lr": options.lr or lr,
        "seed": plan.seed,
        "provenance": {
            "method": plan.method,
            "erasure": plan.model_dump(mode="json"),
            "gate": gate_of(plan.concepts, used),
        },
    }


def _rows(concept: Concept, texts: Wordings, plan: ErasePlan) -> list[dict[str, str]]:
    carrier = plan.training.carrier
    rows = [{CONCEPT: text, SUBSTITUTE: replaced} for text, replaced in texts.pairs]
    if not carrier:
        return rows
    carried = concept.model_copy(update={"substitute": carrier})
    return [{**row, CARRIER: carried.replaced_in(row[CONCEPT])} for row in rows]


def _source(plan: ErasePlan, learning: Learning) -> Mapping[str, Any]:
    """Where noisy latents come from: what is drawn with the prompt that learns."""
    options = plan.training
    column = CARRIER if options.carrier else TARGET if TARGET in learning.columns else CONCEPT
    walked = {"condition": column, "steps": options.way_steps, "guidance_scale": options.guidance_scale}
    if learning.from_pictures:
        return {"bank": {**walked, "ways": 1, "renoised": True}}
    return {"pool": walked} if options.source == "own" else {"bank": {**walked, "ways": 1}}


def _looks(plan: ErasePlan, learning: Learning) -> Mapping[str, Any]:
    """What is looked at on the way, where it can be said when the training has nothing more to gain."""
    is_wished = plan.training.early_stopping and plan.in_world and learning.replaces(plan)
    looks = looks_plan(plan, learning.steps) if is_wished else None
    return {} if looks is None else {"looks": looks}


def _retention(plan: ErasePlan, used: list[Wordings]) -> Mapping[str, Any]:
    if plan.training.retention == "none" or not plan.protect:
        return {}
    further_texts = (text for text in unrelated(plan.concepts, used) if text and text not in plan.preserves)
    stay = ["", *plan.preserves, *further_texts]
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
