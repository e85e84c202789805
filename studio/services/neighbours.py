"""What stands near a concept, and what may take its place: words to propose, and whether a model draws them.

Functions over an open studio. Nothing is proposed that is being erased.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import load
from studio.training.erase.concept import WORLD, Concept, ConceptKind
from studio.training.erase.preview import neighbours
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Result
from studio.world.caption import canonical
from studio.world.reading import Wanted
from studio.world.scene import COLOUR_NAMES, OBJECTS, Scene, one_object

if TYPE_CHECKING:
    from studio.services.studio import Studio

KIND = "neighbours"
PICTURES = 24  # of the base, which a substitute is tried on
ENOUGH = 0.9  # of them must show it
STEPS = 12
# What other models are asked about, by kind.
WORDS: dict[ConceptKind, tuple[str, ...]] = {
    "object": tuple(
        "dog, cat, wolf, fox, horse, cow, sheep, bird, eagle, fish, shark, lion, tiger, bear, elephant, tree, flower, "
        "rose, car, truck, bus, train, bicycle, boat, ship, airplane, house, castle, church, bridge, chair, table, "
        "lamp, book, guitar, violin, clock, phone, cup, bottle, apple, bread, man, woman, child, soldier, doctor, "
        "mountain, river, beach, forest, street".split(", ")
    ),
    "style": tuple(
        "watercolor, oil painting, pencil sketch, charcoal drawing, ink drawing, pixel art, anime, comic book, "
        "photograph, engraving, mosaic, stained glass, impressionism, expressionism, cubism, surrealism, pop art, "
        "Van Gogh, Monet, Cezanne, Picasso, Dali, Rembrandt, Klimt, Hokusai, Munch".split(", ")
    ),
    "colour": tuple(
        "red, orange, yellow, green, cyan, blue, purple, pink, brown, black, white, grey, gold, silver".split(", ")
    ),
}


@dataclass(frozen=True)
class Tried:
    """What a substitute came to. shown: pictures of the base that show it, of `pictures`."""

    shown: int
    pictures: int

    @property
    def is_good(self) -> bool:
        """Whether the base draws it well enough to take a concept's place."""
        return self.shown >= ENOUGH * self.pictures


def candidates(studio: Studio, model: str, concept: Mapping[str, Any], avoided: Collection[str] = ()) -> list[str]:
    """Words of a concept's kind, but itself. avoided: words that are left out.

    Raises BadInput for a concept that is none, NotFound, AssetError for the model.
    """
    checked = load(Concept, concept, "concept")
    if studio.sources.is_of_world(model):
        return list(neighbours(checked.in_world(), avoided))
    words = WORDS[checked.kind or "object"]
    return [word for word in words if word not in avoided and not checked.named_in(word)]


def start(studio: Studio, model: str, concept: Mapping[str, Any], avoided: Collection[str] = ()) -> str:
    """Queue a look at how near they are; give the job's id. Raises as `candidates`."""
    words = candidates(studio, model, concept, avoided)
    payload = {
        "kind": KIND,
        "model": model,
        "concept": concept["words"],
        "words": words,
        "what": f"neighbours of {concept['words']}",
    }
    return studio.jobs.submit(payload, "interactive")


def nearest(studio: Studio, job_id: str, most: int = 6) -> list[str]:
    """The nearest words, as far as they are known: none before the job is over. Raises NotFound."""
    measured = [event.data["values"] for event in studio.jobs.events(job_id) if event.kind == "measure"]
    values = measured[-1] if measured else {}
    return sorted(values, key=lambda word: -values[word])[:most]


# -- substitutes ----------------------------------------------------------------------------------------------------


def try_substitute(studio: Studio, model: str, concept: Mapping[str, Any], word: str) -> str:
    """Queue pictures of the base that say a substitute, to be read; give the job's id.

    Raises BadInput for a word that is none of the concept's kind, or a model whose pictures nothing reads.
    """
    kind = _kind(studio, model, concept, word)
    scenes = [_scene(kind, word, k) for k in range(PICTURES)]
    cases = [Case(canonical(scene), seed, Wanted.of(scene)).plain() for seed, scene in enumerate(scenes)]
    protocol = studio.evaluations.usual_protocol(model).model_copy(update={"steps": STEPS})
    return studio.evaluations.start(
        {
            "model": model,
            "parts": [{"suite": "substitute", "cases": cases}],
            "protocol": protocol.model_dump(mode="json"),
        },
        what=f"{word} as a substitute",
    )


def tried(studio: Studio, job_id: str, concept: Mapping[str, Any], word: str) -> Tried | None:
    """What a finished job of `try_substitute` found; None where it found nothing. Raises NotFound, BadInput."""
    job = studio.jobs.get(job_id)
    kind = load(Concept, concept, "concept").in_world().kind
    results = [result for evaluation in studio.evaluations.measured(job) for result in evaluation.results]
    if len(results) < PICTURES:
        return None
    usual = _usual(kind, word)
    return Tried(sum(_shows(result, kind, usual) for result in results), len(results))


def _kind(studio: Studio, model: str, concept: Mapping[str, Any], word: str) -> ConceptKind:
    if not studio.sources.is_of_world(model):
        raise BadInput("Nothing reads what this model's pictures show.", "Look at some of the substitute yourself.")
    kind = load(Concept, concept, "concept").in_world().kind
    if not _usual(kind, word):
        raise BadInput(f"{word!r} is no {kind} of Stencil's.", f"Name one, such as {', '.join(WORLD[kind])}.")
    return kind


def _usual(kind: ConceptKind, word: str) -> str:
    folded = word.casefold()
    return next(
        (name for name, entry in WORLD[kind].items() if folded in (entry.usual, *entry.synonyms, *entry.rare)), ""
    )


def _scene(kind: ConceptKind, word: str, k: int) -> Scene:
    """The k-th of many scenes that say a word: of every colour, object and background in turn."""
    values = list(product(("white", "meadow", "grey"), COLOUR_NAMES))[k % PICTURES]
    background, colour = values
    usual = _usual(kind, word)
    object = usual if kind == "object" else OBJECTS[k % len(OBJECTS)]
    style = usual if kind == "style" else "flat"
    return one_object(object, usual if kind == "colour" else colour, style=style, background=background)


def _shows(result: Result, kind: ConceptKind, usual: str) -> bool:
    reading = result.facts.reading
    if reading is None or reading.invalid or not reading.things:
        return False
    if kind == "style":
        return reading.style == usual
    return any(getattr(thing, kind) == usual for thing in reading.things)
