"""Instant erasure: the closed form (studio.erasure.closed_form) over texts of the concepts, as an edit of the denoiser.

A kind of job. Nothing is trained and nothing drawn: texts are encoded, one system is solved, every key and value of
cross-attention is changed by it. How much of the way unseen texts of each concept go, and how far unseen other texts
are moved, is told with it. Of several concepts a sentence says one at a time. Their shares of the solution can be edits
of their own, that add up to the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from studio.training.lora.files import EDITS

ENERGY = 0.9999  # of each layer's change, which its low-rank factors keep
LAYERS = "xattn_kv"
Layers = dict[str, dict[str, LowRank]]  # component -> path of a module -> its change
TOGETHER = 64  # texts that are encoded in one pass


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Make the edit; yields while texts are encoded.

    job: "plan" (plain values, ErasePlan) and "folder" (where the edit is written).
    Tells "started", "measure", "edit" (for each part, with its words as "part", before the whole) and "done".
    Raises BadInput, NotFound, WorkspaceError.
    """
    plan, folder = read_plan(job["plan"]), Path(job["folder"])
    began = time.monotonic()
    context.tell("started", {"steps": 1})
    with context.engine.lease(plan.model, context.should_stop, False) as bundle:
        room_of(bundle).use(EMPTY)
        texts = Texts(bundle)
        used = [_wordings(plan, concept, plan.seed, plan.preserves) for concept in plan.concepts]
        unseen = [_wordings(plan, concept, plan.seed + 1) for concept in plan.concepts]
        yield from texts.read(used, context)
        yield from texts.read(unseen, context)
        stays = texts.all_of(unrelated(plan.concepts, used))
        untouched = texts.all_of(plan.preserves) if plan.untouched else None
        pairs = [texts.pairs(wording, concept) for wording, concept in zip(used, plan.concepts, strict=True)]
        changes = solve(pairs, stays, plan.protect, plan.completeness, untouched)
        solution = _Solution(plan, changes, texts, used, unseen)
        measures = solution.measures()
        context.tell("measure", {"step": 1, "values": measures})
        whole, parts = solution.edits(bundle, measures)
        for place, (part, concept) in enumerate(zip(parts, plan.concepts, strict=False)):
            facts = hand_over(part, folder, steps=1, final=True, name=EDITS.replace("*", f"-{place}"))
            context.tell("edit", {**facts, "part": concept.words})
        context.tell("edit", hand_over(whole, folder, steps=1, final=True))
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


@dataclass(frozen=True)
class _Solution:
    """What was solved for.

    changes: G of each concept.
    used, unseen: the sentences it was solved with, and others that say the same.
    """

    plan: ErasePlan
    changes: Sequence[Tensor]
    texts: Texts
    used: Sequence[Wordings]
    unseen: Sequence[Wordings]

    def measures(self) -> dict[str, float]:
        """Completeness and leak of each concept under the whole; of parts, completeness under its own edit too."""
        whole, values = torch.stack(list(self.changes)).sum(0), dict[str, float]()
        for place, concept in enumerate(self.plan.concepts):
            values |= self._measures_of(place, whole)
            if self.plan.parts:
                alone = self._measures_of(place, self.changes[place])
                values[f"{concept.words}: completeness alone"] = alone[f"{concept.words}: completeness"]
        return values

    def _measures_of(self, place: int, change: Tensor) -> dict[str, float]:
        concept, wording = self.plan.concepts[place], self.unseen[place]
        pairs = self.texts.pairs(wording, concept)
        stays = self.texts.all_of(unrelated(self.plan.concepts, [wording]))
        return {
            f"{concept.words}: completeness": completeness_of(change, pairs),
            f"{concept.words}: leak": leak_of(change, pairs, stays),
        }

    def edits(self, bundle: ModelBundle, measures: Mapping[str, float]) -> tuple[Edit, list[Edit]]:
        """The whole, and its parts: their factors share A and their B add up to the whole's, layer by layer."""
        plans = self.plan.parts
        changes = list(self.changes) if plans else [torch.stack(list(self.changes)).sum(0)]
        shares: list[Layers] = [{} for _ in changes]
        whole: Layers = {}
        for address in bundle.edit_targets()[LAYERS]:
            component, _, path = address.partition(".")
            layer: Any = bundle.components()[component].get_submodule(path)
            bs, a = low_rank(layer.weight.detach().cpu(), changes, ENERGY)
            for layers, b in zip((*shares, whole), (*bs, torch.stack(bs).sum(0)), strict=True):
                layers.setdefault(component, {})[path] = LowRank(a.float(), b.float(), float(len(a)))
        base = {component: room_of(bundle).fingerprint(component) for component in whole}
        parts = [self._part(plan, place, shares[place], base) for place, plan in enumerate(plans)]
        beside: dict[str, Any] = {"measures": dict(measures), "gate": gate_of(self.plan.concepts, self.used)}
        if parts:
            pairs = zip(self.plan.concepts, parts, strict=True)
            beside["parts"] = [{"words": concept.words, "sha256": part.sha256} for concept, part in pairs]
        return _edit(self.plan, whole, base, beside), parts

    def _part(self, plan: ErasePlan, place: int, layers: Layers, base: Mapping[str, str]) -> Edit:
        beside = {
            "measures": self._measures_of(place, self.changes[place]),
            "gate": gate_of(plan.concepts, self.used[place : place + 1]),
            "solved_with": self.plan.model_dump(mode="json"),
        }
        return _edit(plan, layers, base, beside)


def _wordings(plan: ErasePlan, concept: Concept, seed: int, preserves: Sequence[str] = ()) -> Wordings:
    beside = tuple(neighbour for neighbour in plan.concepts if neighbour is not concept)
    return wordings(concept, plan.in_world, seed, preserves, beside)


def _edit(plan: ErasePlan, layers: Layers, base: Mapping[str, str], beside: Mapping[str, Any]) -> Edit:
    """beside: what its provenance says besides its plan."""
    provenance = {"method": INSTANT, "erasure": plan.model_dump(mode="json"), **beside}
    return Edit(plan.name, "lora", layers, base=base, provenance=provenance)
