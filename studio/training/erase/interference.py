"""How far erasures in closed form carry their concepts when they act together, at any strengths.

A kind of job. Texts are encoded and nothing is drawn. It works on the texts, and not on the weights: changes that have
nothing in common as matrices (cosines below 0.2) still move each other's texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.core.recipe import EditRef
from studio.engine.edits.format import Edit, Mask
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Steps
from studio.engine.resident import room_of
from studio.training.erase.instant import LAYERS, Texts
from studio.training.erase.plan import read_plan
from studio.training.erase.texts import Wordings, wordings

SENTENCES = 30  # of each concept, that no edit was solved with
BaseWeight = Callable[[str, str], Tensor]  # (component, path) -> W0


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


def pulls(
    edits: Sequence[Edit], addresses: Sequence[str], base: BaseWeight, sources: Tensor, ways: Tensor
) -> tuple[Tensor, Tensor]:
    """How far edits carry inputs c along their ways e, over the layers at some addresses ("component.path").

    edits: D_i, low-rank or dense. base: gives W0. sources: c, [n, d], and ways: e, [n, d], of the layers' width d.
    Gives along [k], <D_i c, W0 e> / ||W0 e||², and common [k, k], <D_i c, D_j c> / ||W0 e||², both over all inputs
    and layers, in float64. At strengths s the inputs go 1 - ||sum s_i D_i c - W0 e||² / ||W0 e||² of their way,
    which is 2 s·along - s·common s.
    """
    along = torch.zeros(len(edits), dtype=torch.float64)
    common = torch.zeros(len(edits), len(edits), dtype=torch.float64)
    whole = 0.0
    for address in addresses:
        component, _, path = address.partition(".")
        aims = ways.double() @ base(component, path).detach().cpu().double().T  # [n, out]
        whole += float(aims.square().sum())
        moved: dict[int, Tensor] = {}
        for place, edit in enumerate(edits):
            if (layer := edit.layers.get(component, {}).get(path)) is not None:
                assert not isinstance(layer, Mask), "no erasure in closed form is one"
                moved[place] = sources.double() @ layer.delta().double().T
                along[place] += (moved[place] * aims).sum()
        for i, first in moved.items():
            for j, second in moved.items():
                common[i, j] += (first * second).sum()
    return along / whole, common / whole
