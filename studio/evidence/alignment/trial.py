"""Tries alignments one after the other. What was drawn, answered, trained or measured before is there again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import torch

from studio.alignment.ches import ches, displacing
from studio.core.recipe import EditRef
from studio.engine.latents import read_latents
from studio.engine.runner import Engine
from studio.evidence.alignment import prompts as sets
from studio.evidence.alignment.answers import answered, snapshot
from studio.evidence.alignment.arms import Arm, Trial
from studio.evidence.alignment.choice import Point, chosen
from studio.evidence.alignment.outcome import accurate, of_open, toned
from studio.evidence.alignment.people import Person
from studio.evidence.alignment.pool import Pool, draw_pool
from studio.evidence.alignment.sizes import HELD_OUT, Sizes
from studio.evidence.making import Made, Maker, finished
from studio.preference.label import Label
from studio.services.sources import EMBEDDED
from studio.services.studio import Studio
from studio.storage.labels.snapshots import held_out_prompts, prompt_key
from studio.training.align.hidden import hidden_states
from studio.training.align.plan import AlignPlan
from studio.training.drift.request import BASE, EDIT, RETAIN
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Result

RISE, ACCURACY = "held-out winner error, rise in %", "held-out implicit accuracy"  # curves of a training
TUNED, TEST, STATED = "alignment-tuned", "alignment-test", "alignment-stated"
Progress = Callable[[str], None]


class Trials:
    """Trials in one workspace. sizes: of all of them. progress: told what is being done."""

    def __init__(self, studio: Studio, sizes: Sizes, progress: Progress = lambda sentence: None) -> None:
        self._studio, self._sizes, self._progress = studio, sizes, progress
        self._maker = Maker(studio, "alignment", studio.alignments.start, _settled)
        self._prompts = sets.Prompts.of(sizes)
        self._loaded: Pool | None = None
        self._hidden: torch.Tensor | None = None

    def tried(self, trials: Sequence[Trial], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield a result for each trial and seed, as it is known: plain values, as `record` keeps them.

        "person", "arm", "method", "seed"; "base", the weights' fingerprint; "labels", "decided" and "ties" of what was
        learned from; "steps" done and "of" how many, "ended", a sentence where it ended early; "seconds" of the
        processor; "rise" of the held-out winners' error in per cent, and "accuracy", implicit, on held-out pairs, None
        where not known; "strength" of what was trained, and "curve" of those it was chosen of; "open"
        (studio.evidence.alignment.outcome), "stated" with accuracies, "tones", and "drift" in nats of each picture;
        "date".
        Raises what drawing, training or measuring raises; results already yielded are whole.
        """
        for trial in trials:
            for seed in seeds:
                self._progress(f"{trial.person.name}, {trial.arm.label}, seed {seed}")
                yield self._tried(trial.person, trial.arm, seed)

    def _tried(self, person: Person, arm: Arm, seed: int) -> dict[str, Any]:
        labels = self._labels(person, arm, seed)
        name = snapshot(self._studio, f"{person.name} {seed}", labels, self._pool, seed)
        plan = self._studio.alignments.check(arm.plan(person, name, seed))
        edit = self._maker.edit(plan.model_dump(mode="json"))
        contents = self._studio.alignments.contents(name)
        curve = self._curve(person, arm, edit)
        strength = chosen(curve).strength if curve else arm.strengths[0]
        return {
            "person": person.name,
            "arm": arm.label,
            "method": arm.method,
            "seed": seed,
            "base": edit.entry.base["unet"],
            "labels": contents.labels,
            "decided": contents.decided,
            "ties": contents.ties,
            "steps": edit.entry.provenance.get("steps"),
            "of": plan.steps,
            "ended": str(edit.entry.provenance.get("ended", "")),
            "seconds": edit.seconds,
            "rise": edit.measures.get(RISE),
            "accuracy": edit.measures.get(ACCURACY),
            "strength": strength * _own_strength(edit),
            "curve": [point.plain() for point in curve],
            **self._measured(person, edit, strength),
            "date": date.today().isoformat(),
        }

    @property
    def _pool(self) -> Pool:
        if self._loaded is None:
            self._loaded = draw_pool(self._studio, self._prompts.labelled, self._sizes, self._progress)
        return self._loaded

    def _labels(self, person: Person, arm: Arm, seed: int) -> list[Label]:
        """What an arm is given: all answers of a seed, or those about pairs that are alike to the base, or are not."""
        if not arm.subset:
            kind = "lists" if arm.method == "rankdpo" else "pairs"
            return answered(self._pool, person, kind, self._sizes.answers, seed)
        labels = answered(self._pool, person, "pairs", 2 * self._sizes.answers, seed)
        apart = held_out_prompts((prompt_key(label.prompt) for label in labels), seed, HELD_OUT)
        learned = [
            label for label in labels if prompt_key(label.prompt) not in apart and len(label.answer.comparisons()) == 1
        ]
        states, places = self._states, {name: place for place, name in enumerate(self._pool.names)}
        sides = [
            [places[label.pictures[getattr(label.answer.comparisons()[0], side)].sha256] for label in learned]
            for side in ("winner", "loser")
        ]
        scores = ches(states[sides[0]], states[sides[1]])
        chosen_places = displacing(scores if arm.subset == "alike" else -scores, 0.5)
        left_out = {learned[place].id for place in range(len(learned)) if place not in set(chosen_places)}
        part = [label for label in labels if label.id not in left_out]
        assert held_out_prompts((prompt_key(label.prompt) for label in part), seed, HELD_OUT) == apart, (
            "every prompt keeps its ties, so that the same are held out"
        )
        return part

    @property
    def _states(self) -> torch.Tensor:
        """What the base makes of the pool's pictures, by a copy of the model that nobody else uses, [N, d]."""
        if self._hidden is None:
            bundle = Engine(self._studio.sources.engine_config(previews=False)).bundle(EMBEDDED)
            files = [self._studio.archive.images.latents_path(name) for name in self._pool.names]
            x0 = torch.stack([torch.from_numpy(read_latents(file.read_bytes())).float() for file in files])
            self._hidden = _last(hidden_states(bundle, x0, self._pool.prompts))
        return self._hidden

    def _curve(self, person: Person, arm: Arm, edit: Made) -> list[Point]:
        """The strengths of an arm on prompts that nothing else is measured on; none where there is no choice."""
        if len(arm.strengths) < 2 or not self._sizes.tuned:
            return []
        cases = sets.open_cases(self._prompts.tuned, self._sizes.seeds, sets.TUNED_SEED)
        stacks = [(), *(_stack(edit, strength) for strength in arm.strengths)]
        base, *edited = self._drawn({TUNED: cases}, stacks)[TUNED]
        return [
            Point.of(strength, person, results, base) for strength, results in zip(arm.strengths, edited, strict=True)
        ]

    def _measured(self, person: Person, edit: Made, strength: float) -> dict[str, Any]:
        """On prompts that are fresh to labels and to choices."""
        cases = {
            TEST: sets.open_cases(self._prompts.test, self._sizes.seeds, sets.TEST_SEED),
            STATED: sets.stated_cases(self._sizes.stated),
        }
        series = self._drawn(cases, [(), _stack(edit, strength)])
        base, results = series[TEST]
        stated_base, stated = series[STATED]
        return {
            "open": of_open(person, results, base),
            "stated": {"accuracy": accurate(stated), "accuracy_base": accurate(stated_base)},
            "tones": toned(results, base),
            "drift": self._drift(edit, strength),
        }

    def _drawn(
        self, cases: Mapping[str, Sequence[Case]], stacks: Sequence[tuple[EditRef, ...]]
    ) -> dict[str, list[list[Result]]]:
        """Suite -> the results under each stack; what was drawn before is not drawn again."""
        request = {
            "model": EMBEDDED,
            "parts": [{"suite": name, "cases": [case.plain() for case in part]} for name, part in cases.items()],
            "stacks": [[ref.model_dump(mode="json") for ref in stack] for stack in stacks],
            "protocol": sets.PROTOCOL.model_dump(mode="json"),
        }
        job = self._studio.evaluations.start(request)
        finished(self._studio, job)
        measured = self._studio.evaluations.measured(self._studio.jobs.get(job))
        return {name: [list(part.results) for part in measured if part.suite == name] for name in cases}

    def _drift(self, edit: Made, strength: float) -> list[float]:
        """KL(base || edit) of each picture of the base, in nats, over the test prompts."""
        edited = [ref.model_dump(mode="json") for ref in _stack(edit, strength)]
        request = {
            "sides": {BASE: {"model": EMBEDDED}, EDIT: {"model": EMBEDDED, "edits": edited}},
            "prompts": {RETAIN: [prompt.text for prompt in self._prompts.test]},
            "pairs": [{"p": BASE, "q": EDIT, "prompts": RETAIN}],
            "pictures": self._sizes.drift,
            "levels": 8,
            "steps": sets.PROTOCOL.steps,
        }
        job = self._studio.drifts.start(request)
        finished(self._studio, job)
        (values,) = self._studio.drifts.measured(self._studio.jobs.get(job).payload).values()
        return [round(nats, 3) for nats in values.nats]


def _settled(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan without what it leaves as it comes: one of before, which had no word for something, says the same."""
    defaults = {name: field.default for name, field in AlignPlan.model_fields.items()}
    return {name: value for name, value in plan.items() if name not in defaults or value != defaults[name]}


def _own_strength(edit: Made) -> float:
    """At which the training itself put what it had learned into the edit, where it chose one."""
    choice = edit.entry.provenance.get("chosen")
    return float(choice["strength"]) if isinstance(choice, Mapping) else 1.0


def _stack(edit: Made, strength: float) -> tuple[EditRef, ...]:
    return (EditRef(edit=edit.entry.id, strength=strength),)


def _last(steps: Generator[None, None, torch.Tensor]) -> torch.Tensor:
    """What a walk gives in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
