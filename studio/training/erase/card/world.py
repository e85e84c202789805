"""The prompts of a card in Stencil's world: captions of combinations that no training picture has shown.

Colours are drawn without the world's stereotypes. Captions are canonical, so that everything a picture needs is said
and the oracle can be held against it; none is one that the erasure was made with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from studio.training.erase.card.probe import Probe, seed_of
from studio.training.erase.card.subject import Subject, Target
from studio.training.erase.concept import WORLD, Concept
from studio.training.erase.texts import wordings
from studio.training.evaluate.cases import Case
from studio.world.caption import canonical
from studio.world.neighbours import neighbours
from studio.world.phrasing import phrase
from studio.world.reading import Wanted
from studio.world.scene import Scene, random_scene

SEED = 66
TRIES = 20_000  # draws for one part; beyond them it has as many prompts as there are
EVERY_SECOND_PAIR = 4  # one prompt in four has two objects

Draw = Callable[[np.random.Generator, int], tuple[Scene, Probe] | None]


def world_probes(subject: Subject, sizes: Mapping[str, int]) -> dict[str, list[Probe]]:
    """Part -> its pictures; see probe.PARTS."""
    builder = _Builder(subject)
    forget, substitute = builder.forget(sizes["forget"])
    return {
        "forget": forget,
        "substitute": substitute,
        "keep": builder.keep(sizes["keep"]),
        "near": builder.near(sizes["near"]),
        "wording": builder.wording(sizes["wording"]),
    }


class _Builder:
    def __init__(self, subject: Subject) -> None:
        self.targets, self.concepts = subject.targets, subject.concepts
        self.trained = {text for concept in subject.concepts for text, _ in wordings(concept, True, subject.seed).pairs}

    def forget(self, size: int) -> tuple[list[Probe], list[Probe]]:
        """Prompts that name a concept, each concept in turn, and the same with its substitute."""
        rng = np.random.default_rng((SEED, 0))
        probes_by_text: dict[str, Probe] = {}
        replaced: list[Probe] = []
        for _ in range(TRIES):
            i = len(probes_by_text)
            if i == size or not self.targets:
                break
            place = i % len(self.targets)
            target, concept = self.targets[place], self.concepts[place]
            is_pair = (i // len(self.targets)) % EVERY_SECOND_PAIR == EVERY_SECOND_PAIR - 1
            scene = _with(random_scene(rng, two=float(is_pair), empty=0.0, biased=False, held_out=None), target)
            text = canonical(scene)
            if (
                not scene.held_out
                or text in probes_by_text
                or text in self.trained
                or not self._names_only(scene, place)
            ):
                continue
            kind = "two objects" if is_pair else "one object"
            expectation = Wanted.of(scene)
            aim = target.aim(expectation)
            probes_by_text[text] = Probe(Case(text, seed_of("forget", i), expectation), place, kind, aim)
            replaced_text = _replaced(concept, target, scene, text)
            replaced.append(Probe(Case(replaced_text, seed_of("substitute", i), aim), place, kind, aim))
        return list(probes_by_text.values()), replaced

    def keep(self, size: int) -> list[Probe]:
        """Prompts that name no concept."""

        def scenes() -> Iterator[tuple[Scene, str]]:
            rng = np.random.default_rng((SEED, 1))
            i = 0
            while True:
                is_pair = i % EVERY_SECOND_PAIR == EVERY_SECOND_PAIR - 1
                scene = random_scene(rng, two=float(is_pair), empty=0.0, biased=False, held_out=True)
                i += 1
                yield scene, "two objects" if is_pair else "one object"

        return self._unnamed("keep", scenes(), size)

    def near(self, size: int) -> list[Probe]:
        """Prompts of what is nearest to a concept, in turns: by text, by look, and its substitute."""
        choices = [
            (Target(target.kind, value), kind)
            for target in self.targets
            for kind, values in self._neighbours(target).items()
            for value in values
        ]

        def scenes() -> Iterator[tuple[Scene, str]]:
            rng = np.random.default_rng((SEED, 2))
            while choices:
                for neighbour, kind in choices:
                    while True:
                        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=None)
                        scene = _with(scene, neighbour)
                        if scene.held_out:
                            break
                    yield scene, kind

        return self._unnamed("near", scenes(), size)

    def _neighbours(self, target: Target) -> dict[str, list[str]]:
        erased = {(other.kind, other.name) for other in self.targets}
        near = {
            f"by {likeness}": [
                name for name in neighbours(target.kind, target.name, likeness) if (target.kind, name) not in erased
            ]
            for likeness in ("text", "look")
        }
        if target.substitute is not None:
            near["the substitute"] = [target.substitute]
        return {kind: values for kind, values in near.items() if values}

    def _unnamed(self, part: str, scenes: Iterator[tuple[Scene, str]], size: int) -> list[Probe]:
        probes: dict[str, Probe] = {}
        for _, (scene, kind) in zip(range(TRIES), scenes, strict=False):
            if len(probes) == size:
                break
            text, expectation = canonical(scene), Wanted.of(scene)
            if text in probes or any(target.is_stated(expectation) for target in self.targets):
                continue
            probes[text] = Probe(Case(text, seed_of(part, len(probes)), expectation), None, kind)
        return list(probes.values())

    def wording(self, size: int) -> list[Probe]:
        """The concepts as others say them: by synonyms, in sentences outside the grammar, by rare words."""
        rng = np.random.default_rng((SEED, 3))
        ways = [
            (place, kind) for kind in ("synonyms", "paraphrases", "rare words") for place in range(len(self.targets))
        ]
        ways = [choice for choice in ways if _words(self.targets[choice[0]], choice[1])]
        probes: dict[str, Probe] = {}
        for _ in range(TRIES):
            if len(probes) == size or not ways:
                break
            place, kind = ways[len(probes) % len(ways)]
            target = self.targets[place]
            scene = _with(random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True), target)
            text = self._said(scene, target, kind, rng)
            if text is None or text in probes or text in self.trained or not self._names_only(scene, place):
                continue
            probes[text] = Probe(Case(text, seed_of("wording", len(probes)), _stated(target)), place, kind)
        return list(probes.values())

    def _said(self, scene: Scene, target: Target, kind: str, rng: np.random.Generator) -> str | None:
        """None for a sentence that leaves the concept out."""
        if kind == "paraphrases":
            text = phrase(scene, rng)
            return text if _usual(target).named_in(text) else None
        word = str(rng.choice(_words(target, kind)))
        return _usual(target, word).replaced_in(canonical(scene))

    def _names_only(self, scene: Scene, place: int) -> bool:
        """Whether a scene has this one concept, once, and neither another nor its substitute beside it."""
        target, expectation = self.targets[place], Wanted.of(scene)
        if any(target.is_stated(expectation) for i, target in enumerate(self.targets) if i != place):
            return False
        beside = Wanted(things=expectation.things[1:])
        values = [value for value in (target.name, target.substitute) if value is not None]
        return not any(Target(target.kind, value).is_stated(beside) for value in values)


def _with(scene: Scene, target: Target) -> Scene:
    """The scene with the concept in it; of two objects the first has it."""
    if target.kind == "style":
        return replace(scene, style=target.name)
    first = replace(scene.things[0], **{target.kind: target.name})
    return replace(scene, things=(first, *scene.things[1:]))


def _replaced(concept: Concept, target: Target, scene: Scene, text: str) -> str:
    if target.kind == "object" and not concept.substitute:
        left = tuple(thing for thing in scene.things if thing.object != target.name)
        return canonical(replace(scene, things=left, relation=None))
    return concept.replaced_in(text)


def _usual(target: Target, substitute: str = "") -> Concept:
    """The target by its usual word alone, and what takes its place in a caption."""
    return Concept(words=WORLD[target.kind][target.name].usual, substitute=substitute)  # type: ignore[index]


def _words(target: Target, kind: str) -> Sequence[str]:
    entry = WORLD[target.kind][target.name]  # type: ignore[index]
    return {"synonyms": entry.synonyms, "paraphrases": (entry.usual,), "rare words": entry.rare}[kind]


def _stated(target: Target) -> Wanted:
    if target.kind == "style":
        return Wanted(style=target.name)
    thing = (target.name, None) if target.kind == "object" else (None, target.name)
    return Wanted(things=(thing,))
