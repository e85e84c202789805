"""What was read in a picture, and how it compares with what was wanted.

The comparison follows GenEval (arXiv:2310.11513): an object is present if anything in the picture is it, whatever else
is there; colours are bound if one and the same thing has the object and the colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations

from studio.world.scene import Scene
from studio.world.words import INVERSE

LAYOUTS = ("empty", "one", "horizontal", "vertical")
SLOTS = {"horizontal": ("left", "right"), "vertical": ("top", "bottom")}
_RELATION_OF_FIRST = {"horizontal": "left of", "vertical": "above"}


@dataclass(frozen=True)
class SeenThing:
    """One object read: its kind and colour, and where it is.

    object, colour: words of the world.
    slot: the place of a lone object (center, left, right, top, bottom), the half of the picture of one of two.
    object_confidence, colour_confidence: probabilities the oracle gives its answers, 0..1.
    """

    object: str
    colour: str
    slot: str = "center"
    object_confidence: float = 1.0
    colour_confidence: float = 1.0


@dataclass(frozen=True)
class Wanted:
    """A scene, or part of one: None and empty mean that anything will do.

    things: (object, colour) pairs, either of them None; relation: of the first thing to the second.
    """

    things: tuple[tuple[str | None, str | None], ...] = ()
    style: str | None = None
    background: str | None = None
    count: int | None = None
    size: str | None = None
    place: str | None = None
    relation: str | None = None

    @classmethod
    def of(cls, scene: Scene) -> Wanted:
        """Everything a scene determines. An empty scene has no style, two objects have neither size nor place."""
        alone = len(scene.things) == 1
        return cls(
            things=tuple((t.object, t.colour) for t in scene.things),
            style=scene.style if scene.things else None,
            background=scene.background,
            count=len(scene.things),
            size=scene.size if alone else None,
            place=scene.place if alone else None,
            relation=scene.relation if len(scene.things) == 2 else None,
        )


@dataclass(frozen=True)
class Reading:
    """A picture as the oracle reads it.

    things: left or upper object first.
    layout: one of LAYOUTS.
    style: of the objects; means nothing when there is none.
    background: a word of the world.
    size: of a lone object, otherwise "small".
    place: of a lone object, otherwise "center".
    invalid: the picture is not one of this world; the other fields are then a guess.
    invalid_score: the probability of that, 0..1.
    confidence: probability of the answer by head (layout, style, background, size, place), 0..1.
    """

    things: tuple[SeenThing, ...]
    layout: str
    style: str
    background: str
    size: str
    place: str
    invalid: bool
    invalid_score: float
    confidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many objects: 0, 1 or 2."""
        return len(self.things)

    @property
    def relation(self) -> str | None:
        """How things[0] stands to things[1], or None if there are not two."""
        return _RELATION_OF_FIRST.get(self.layout)

    def matches(self, scene: Scene | Wanted) -> dict[str, bool]:
        """Which of the stated attributes the picture has; attributes that are not stated are left out.

        object: all wanted objects are there. colour: all wanted colours are there. bound: each wanted object has its
        colour. relation: two things with the wanted objects stand so. count, style, background, size, place: equal.
        """
        want = Wanted.of(scene) if isinstance(scene, Scene) else scene
        matches: dict[str, bool] = {}
        objects, colours = [o for o, _ in want.things if o], [c for _, c in want.things if c]
        if objects:
            matches["object"] = not Counter(objects) - Counter(t.object for t in self.things)
        if colours:
            matches["colour"] = not Counter(colours) - Counter(t.colour for t in self.things)
        if objects and colours:
            matches["bound"] = any(self._fits(order, want) for order in permutations(self.things, len(want.things)))
        if want.relation is not None:
            matches["relation"] = self._related(want)
        for name in ("style", "background", "count", "size", "place"):
            value = getattr(want, name)
            if value is not None:
                matches[name] = getattr(self, name) == value and (name != "style" or bool(self.things))
        return matches

    @staticmethod
    def _fits(things: tuple[SeenThing, ...], want: Wanted) -> bool:
        pairs = zip(things, want.things, strict=True)
        return all(o in (None, t.object) and c in (None, t.colour) for t, (o, c) in pairs)

    def _related(self, want: Wanted) -> bool:
        if self.relation is None or want.relation is None:
            return False
        wanted_objects = [o for o, _ in want.things] or [None, None]
        for order, relation in ((self.things, self.relation), (self.things[::-1], INVERSE[self.relation])):
            pairs = zip(order, wanted_objects, strict=True)
            if relation == want.relation and all(o in (None, t.object) for t, o in pairs):
                return True
        return False
