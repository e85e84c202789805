"""Alignments: what labels there are to learn from, which objective fits them, and the training from them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.preference.label import Label
from studio.services.labels.service import LabelService
from studio.services.sources import LOSSES, Sources
from studio.services.trainings import TrainingService
from studio.training.align.objective import Takes
from studio.training.align.objectives import OBJECTIVES
from studio.training.align.plan import AlignPlan, read_plan
from studio.training.align.rows import rows_of
from studio.training.align.trained import Surroundings, training_plan
from studio.training.features.extractors import names

MANY_TIES = 0.3  # of the pairs: from here on ties say more than a stricter objective could
HELD_OUT = 0.25  # of the prompts, where nobody says otherwise
LEAST_HELD_OUT = 8  # rows, below which what is held out says next to nothing


@dataclass(frozen=True)
class Contents:
    """What is in a snapshot.

    labels, prompts: how many, to learn from.
    held_out: labels of prompts that are held apart.
    decided, ties, thumbs, lists: labels of which a picture was preferred, both were equal, pictures were judged alone,
    more than two were ranked.
    first_side: share of the decided pairs whose picture on the left won; None where the sides are not known.
    foreign: share of pictures that were brought along.
    models: name -> share of pictures it drew.
    objective, why: which is recommended, and a sentence.
    """

    labels: int
    prompts: int
    held_out: int
    decided: int
    ties: int
    thumbs: int
    lists: int
    first_side: float | None
    foreign: float
    models: Mapping[str, float]
    objective: str
    why: str

    def warnings(self, model: str) -> list[str]:
        """What is to be known before a model learns from them, a sentence each."""
        others = 1 - self.models.get(model, 0.0)
        sentences: list[str] = []
        if others > 0.05:
            sentences.append(
                f"{others:.0%} of the pictures were not drawn by {model}: it learns to look like them first, whatever "
                "was preferred."
            )
        if self.held_out < LEAST_HELD_OUT:
            sentences.append(
                f"{self.held_out} of the answers {'is' if self.held_out == 1 else 'are'} held out, too few to tell "
                f"learning from memorising: about {self._more()} more answers are needed."
            )
        return sentences

    def _more(self) -> int:
        """How many more answers bring enough that are held out."""
        return math.ceil((LEAST_HELD_OUT - self.held_out) / HELD_OUT)


class AlignmentService:
    """The alignments of an open studio. Every method may be called from any thread."""

    def __init__(self, labels: LabelService, sources: Sources, trainings: TrainingService) -> None:
        self._labels = labels
        self._sources = sources
        self._trainings = trainings

    def contents(self, snapshot: str) -> Contents:
        """What a snapshot has to learn from. Raises NotFound."""
        learning, held_out = (list(part) for part in self._labels.snapshot_labels(snapshot))
        return contents_of(learning, len(held_out))

    def check(self, plan: Mapping[str, Any]) -> AlignPlan:
        """The plan as it would be run. Raises BadInput, NotFound."""
        checked = read_plan(plan)
        self._rows(checked)
        return checked

    def start(self, plan: Mapping[str, Any], limit_s: float | None = None) -> str:
        """Queue the training of an alignment; give the job's id.

        plan: plain values (studio.training.align.plan.AlignPlan). limit_s: how long it may take in all.
        Raises BadInput, NotFound, AssetError.
        """
        checked = read_plan(plan)
        return self._trainings.start(self._rows(checked), limit_s=limit_s, title=f"aligning {checked.name}")

    def _rows(self, plan: AlignPlan) -> dict[str, Any]:
        objective = OBJECTIVES.get(plan.method)
        self._sources.card(plan.model)
        parts = [list(part) for part in self._labels.snapshot_labels(plan.snapshot)]
        sureness = [agreement(part) for part in parts]
        if objective.takes == "sure pairs" and not any(share < 1 for share in sureness[0]):
            raise BadInput(
                f"{objective.name} counts a pair by how far people agree about it, and nobody disagrees in "
                f"{plan.snapshot!r}: all would count alike.",
                "Take dpo, or have more people answer the same pairs.",
                field="method",
            )
        rows, held_out = (rows_of(part, objective.takes, shares) for part, shares in zip(parts, sureness, strict=True))
        self._check(plan, parts[0], objective.takes)
        origin = {"labels": len(parts[0]), "held_out_labels": len(parts[1])}
        prompts = [label.prompt for label in parts[1]]
        return training_plan(plan, objective, rows, held_out, self._around(plan.model, parts[0]), prompts, **origin)

    def _around(self, model: str, labels: Sequence[Label]) -> Surroundings:
        """What pictures of a model are judged by: the oracle's features in its world, a CLIP of the user's, or tones.

        Where pictures from elsewhere are among the labels, the oracle does not know what it sees.
        """
        in_world = self._sources.is_of_world(model)
        is_foreign = any(picture.foreign for label in labels for picture in label.pictures)
        features = names(in_world and not is_foreign, self._sources.settings.models_dir)[0]
        return Surroundings(in_world, features, self._sources.card(model).sampler)

    def _check(self, plan: AlignPlan, labels: Sequence[Label], takes: Takes) -> None:
        """Raise BadInput for labels that teach nothing."""
        contents = contents_of(labels, 0)
        if contents.ties == contents.labels and takes != "thumbs":  # of which both good and both bad are some
            raise BadInput(
                f"All {contents.ties} answers of {plan.snapshot!r} are ties: nothing was preferred.",
                "Show pairs that differ more.",
                field="snapshot",
            )
        if contents.prompts == 1:
            raise BadInput(
                f"All labels of {plan.snapshot!r} are of one prompt: what is learned would be that prompt's.",
                "Label pictures of more prompts.",
                field="snapshot",
            )
        if contents.decided >= 20 and contents.first_side in (0.0, 1.0):
            side = "left" if contents.first_side else "right"
            raise BadInput(
                f"In all {contents.decided} decided pairs of {plan.snapshot!r} the picture on the {side} won: "
                "that is a habit, and no taste.",
                "Have somebody else answer them.",
                field="snapshot",
            )


def agreement(labels: Sequence[Label]) -> list[float]:
    """For each label, how likely its winner is preferred: the share of all answers about its item that say so.

    Ties count half (preference of several annotators, as soft labels take it); 1 where there is no other answer, and of
    labels that prefer nothing.
    """
    by_item: dict[int, list[Label]] = {}
    for label in labels:
        by_item.setdefault(label.item, []).append(label)
    return [_share_of(label, by_item[label.item]) for label in labels]


def _share_of(label: Label, answers: Sequence[Label]) -> float:
    if len(label.pictures) != 2 or not label.answer.comparisons():
        return 1.0
    winner = label.answer.comparisons()[0].winner
    votes = [
        1.0 if comparisons and comparisons[0].winner == winner else 0.0 if comparisons else 0.5
        for answer in answers
        if (comparisons := answer.answer.comparisons()) or answer.answer.ties()
    ]
    return sum(votes) / len(votes)


def contents_of(labels: Sequence[Label], held_out: int) -> Contents:
    """Count labels to learn from. held_out: how many there are besides."""
    kinds = Counter(_kind(label) for label in labels)
    pictures = [picture for label in labels for picture in label.pictures]
    models = Counter(picture.model or "another program" for picture in pictures)
    sides = [side for label in labels if (side := _winner_is_left(label)) is not None]
    objective, why = _recommended(kinds)
    return Contents(
        labels=len(labels),
        prompts=len({label.prompt.casefold() for label in labels}),
        held_out=held_out,
        decided=kinds["decided"],
        ties=kinds["tie"],
        thumbs=kinds["thumb"],
        lists=kinds["list"],
        first_side=sum(sides) / len(sides) if sides else None,
        foreign=sum(picture.foreign for picture in pictures) / max(1, len(pictures)),
        models={name: count / len(pictures) for name, count in models.most_common()},
        objective=objective,
        why=why,
    )


def _kind(label: Label) -> str:
    if len(label.answer.ranks) > 2:
        return "list"
    if label.answer.comparisons():
        return "decided"
    return "tie" if label.answer.ties() else "thumb"


def _winner_is_left(label: Label) -> bool | None:
    comparisons = label.answer.comparisons()
    if len(label.pictures) != 2 or not comparisons or len(label.order) != 2:
        return None
    return label.order[0] == comparisons[0].winner


def _recommended(kinds: Mapping[str, int]) -> tuple[str, str]:
    """An objective for labels of these kinds, and why."""
    pairs = kinds["decided"] + kinds["tie"]
    if kinds["list"] > max(pairs, kinds["thumb"]):
        return "plackett-luce", "Most labels rank lists, and it learns from the whole order."
    if kinds["thumb"] > pairs:
        return "kto", "Most labels judge single pictures, and it needs no pairs."
    if pairs and kinds["tie"] / pairs >= MANY_TIES:
        share = kinds["tie"] / pairs
        return "dpo-ties", f"{share:.0%} of the pairs were called equal, and it learns from these too."
    return "dpo", "Most labels are pairs with a winner; it is the one others are measured against."


assert {objective.loss for _, objective in OBJECTIVES.items()} <= LOSSES.keys(), "a loss without an address"
