"""Instant erasure: the closed form (studio.erasure.closed_form) over texts of the concepts, as an edit of the denoiser.

A kind of job. Nothing is trained and nothing drawn: texts are encoded, one system is solved, every key and value of
cross-attention is changed by it. How much of the way unseen texts of each concept go, and how far unseen other texts
are moved, is told with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.format import Edit, LowRank
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Steps, heed
from studio.engine.resident import room_of
from studio.erasure.closed_form import Pairs, completeness_of, leak_of, low_rank, solve
from studio.models.bundle import ModelBundle
from studio.training.erase.concept import Concept
from studio.training.erase.gate import gate_of
from studio.training.erase.plan import INSTANT, ErasePlan, read_plan
from studio.training.erase.texts import Wordings, unrelated, wordings
from studio.training.handover import hand_over

ENERGY = 0.9999  # of each layer's change, which its low-rank factors keep
LAYERS = "xattn_kv"
TOGETHER = 64  # texts that are encoded in one pass


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Make the edit; yields while texts are encoded.

    job: "plan" (plain values, ErasePlan) and "folder" (where the edit is written).
    Tells "started", "measure", "edit" and "done". Raises BadInput, NotFound, WorkspaceError.
    """
    plan, folder = read_plan(job["plan"]), Path(job["folder"])
    began = time.monotonic()
    context.tell("started", {"steps": 1})
    with context.engine.lease(plan.model, context.should_stop, False) as bundle:
        room_of(bundle).use(EMPTY)
        texts = Texts(bundle)
        used = [wordings(concept, plan.in_world, plan.seed, plan.preserves) for concept in plan.concepts]
        unseen = [wordings(concept, plan.in_world, plan.seed + 1) for concept in plan.concepts]
        yield from texts.read(used, context)
        yield from texts.read(unseen, context)
        stays = texts.all_of(unrelated(plan.concepts, used))
        untouched = texts.all_of(plan.preserves) if plan.untouched else None
        pairs = [texts.pairs(wording, concept) for wording, concept in zip(used, plan.concepts, strict=True)]
        change = torch.stack(solve(pairs, stays, plan.protect, plan.completeness, untouched)).sum(0)
        measures = _measures(plan, texts, unseen, change)
        context.tell("measure", {"step": 1, "values": measures})
        edit = _edit(plan, bundle, change, {"measures": measures, "gate": gate_of(plan.concepts, used)})
        context.tell("edit", hand_over(edit, folder, steps=1, final=True))
    context.tell("done", {"images": 0, "seconds": round(time.monotonic() - began, 3)})


class Texts:
    """Encodings of sentences, each made once: vectors [positions, width] in float64."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle
        self._vectors: dict[str, Tensor] = {}

    def read(self, wording: Sequence[Wordings], context: JobContext) -> Iterator[None]:
        """Encode what is not yet, some at a time, and give way. What they read beyond their context is cut."""
        texts_in_order = (
            text
            for sentences in wording
            for text in (*sentences.unrelated, *(text for pair in sentences.pairs for text in pair))
        )
        missing = [text for text in dict.fromkeys(texts_in_order) if text not in self._vectors]
        for first in range(0, len(missing), TOGETHER):
            heed(context.should_stop)
            texts = missing[first : first + TOGETHER]
            ids = torch.tensor([self._bundle.tokenizer.ids(text) for text in texts], device=self._bundle.device)
            with torch.inference_mode():
                tokens = self._bundle.embed(ids).tokens.double().cpu()
                if "" in texts:  # some models take another vector for no prompt at all
                    tokens[texts.index("")] = self._bundle.encode_one("").tokens[0].double().cpu()
            self._vectors |= dict(zip(texts, tokens.clone(), strict=True))
            yield

    def all_of(self, sentences: Sequence[str]) -> Tensor:
        """The vectors of sentences at every position, [n, width]."""
        return torch.cat([self._vectors[text] for text in sentences])

    def pairs(self, wording: Wordings, concept: Concept) -> Pairs:
        """The vectors of sentences that say the concept, and where each is to go.

        From the first token on in which the two differ: before it a text encoder that reads from left to right has
        equal vectors, and after it all of them know of the concept, the padding too.
        """
        sources, targets = [], []
        for text, replaced in wording.pairs:
            start = self._first_difference(text, replaced)
            sources.append(self._vectors[text][start:])
            targets.append(self._vectors[replaced][start:])
        pairs = Pairs(torch.cat(sources), torch.cat(targets))
        if not pairs.ways.any():
            aim = f"{concept.substitute!r}" if concept.substitute else "nothing"
            raise BadInput(f"To this model, {concept.words!r} and {aim} are the same.", "Choose another substitute.")
        return pairs

    def _first_difference(self, text: str, replaced: str) -> int:
        ids, replaced_ids = (self._bundle.tokenizer.ids(sentence) for sentence in (text, replaced))
        return next((place for place, (a, b) in enumerate(zip(ids, replaced_ids, strict=True)) if a != b), len(ids))


def _measures(plan: ErasePlan, texts: Texts, unseen: Sequence[Wordings], change: Tensor) -> dict[str, float]:
    values: dict[str, float] = {}
    for concept, wording in zip(plan.concepts, unseen, strict=True):
        pairs = texts.pairs(wording, concept)
        values[f"{concept.words}: completeness"] = completeness_of(change, pairs)
        values[f"{concept.words}: leak"] = leak_of(change, pairs, texts.all_of(unrelated(plan.concepts, [wording])))
    return values


def _edit(plan: ErasePlan, bundle: ModelBundle, change: Tensor, beside: Mapping[str, Any]) -> Edit:
    """beside: what its provenance says besides its plan."""
    layers: dict[str, dict[str, LowRank]] = {}
    for address in bundle.edit_targets()[LAYERS]:
        component, _, path = address.partition(".")
        layer: Any = bundle.components()[component].get_submodule(path)
        b, a = low_rank(layer.weight.detach().cpu(), change, ENERGY)
        layers.setdefault(component, {})[path] = LowRank(a.float(), b.float(), float(len(a)))
    return Edit(
        plan.name,
        "lora",
        layers,
        base={component: room_of(bundle).fingerprint(component) for component in layers},
        provenance={"method": INSTANT, "erasure": plan.model_dump(mode="json"), **beside},
    )
