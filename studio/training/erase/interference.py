"""How far erasures in closed form carry their concepts when they act together, at any strengths.

A kind of job. Texts are encoded and nothing is drawn. It works on the texts, and not on the weights: changes that have
nothing in common as matrices (`studio.engine.edits.interference`: cosines below 0.2) still move each other's texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from studio.core.recipe import EditRef
from studio.engine.edits.interference import pulls
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Steps
from studio.engine.resident import room_of
from studio.training.erase.instant import LAYERS, Texts
from studio.training.erase.plan import read_plan
from studio.training.erase.texts import Wordings, wordings

SENTENCES = 30  # of each concept, that no edit was solved with


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Measure each concept of each edit; yields while texts are encoded.

    job: "model", "stack" ([{"edit": name}], each an erasure in closed form) and "edits" (name -> file).
    Tells "started", "measure" and "done": of concept k (of all edits, in their order) "k/i" is how far edit i carries
    its text along its way, and "k/i/j", i <= j, what edits i and j have in common there, both as a share of the way.
    Raises BadInput, NotFound, AssetError.
    """
    context.tell("started", {"steps": 1})
    with context.engine.lease(str(job["model"]), context.should_stop, False) as bundle:
        room_of(bundle).use(EMPTY)
        refs = [EditRef(edit=str(member["edit"])) for member in job["stack"]]
        edits = [edit for edit, _ in context.engine.shelf.stack(refs, job["edits"], 1).whole]
        plans = [read_plan(edit.provenance["erasure"]) for edit in edits]
        texts, layers = Texts(bundle), bundle.edit_targets()[LAYERS]
        concepts = [(concept, plan) for plan in plans for concept in plan.concepts]

        def weight(component: str, path: str) -> torch.Tensor:
            layer: Any = bundle.components()[component].get_submodule(path)
            return layer.weight

        values: dict[str, float] = {}
        for place, (concept, plan) in enumerate(concepts):
            beside = [neighbour for neighbour, _ in concepts if neighbour is not concept]
            wording = wordings(concept, plan.in_world, plan.seed + 1, beside=beside)
            wording = Wordings(wording.pairs[:SENTENCES], ())
            yield from texts.read([wording], context)
            pairs = texts.pairs(wording, concept)
            along, common = pulls(edits, layers, weight, pairs.sources, pairs.ways)
            for i, carried in enumerate(along.tolist()):
                values[f"{place}/{i}"] = carried
                values |= {f"{place}/{i}/{j}": float(common[i, j]) for j in range(i, len(edits))}
    context.tell("measure", {"step": 1, "values": values})
    context.tell("done", {"images": 0})
