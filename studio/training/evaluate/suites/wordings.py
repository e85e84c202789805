"""Forty ways to ask for a scene that no caption of training is built like, and what each states.

They were written before `studio.world.phrasing`, which the denoiser trains on, and are kept out of it: a test compares
how they are built. A picture is right when all that its sentence states is read from it, and it is not invalid.
"""

from __future__ import annotations

from studio.training.evaluate.cases import SUITES, Case, Suite
from studio.world.reading import Wanted

FIRST_SEED = 78_000


def _one(object: str, colour: str, *, style: str | None = None, background: str | None = None) -> Wanted:
    return Wanted(((object, colour),), style=style, background=background, count=1)


def _two(first: tuple[str, str], relation: str, second: tuple[str, str], style: str | None = None) -> Wanted:
    return Wanted((first, second), style=style, count=2, relation=relation)


PHRASINGS: tuple[tuple[str, Wanted], ...] = (
    ("could I have a blue heart?", _one("heart", "blue")),
    ("heart, blue, in front of a black background", _one("heart", "blue", background="black")),
    ("my red star on a white background", _one("star", "red", background="white")),
    ("a star coloured green", _one("star", "green")),
    ("a red thing shaped like a heart", _one("heart", "red")),
    ("imagine a purple moon at night", _one("moon", "purple", background="night")),
    ("a fish, and make it orange", _one("fish", "orange")),
    ("give me one yellow flower", _one("flower", "yellow")),
    ("blue house at the time of sunset", _one("house", "blue", background="sunset")),
    ("an artwork of a pink circle", _one("circle", "pink")),
    ("look, a green tree!", _one("tree", "green")),
    ("a cross drawn in cyan", _one("cross", "cyan")),
    ("ring (purple)", _one("ring", "purple")),
    ("this is a red square against white", _one("square", "red", background="white")),
    ("just a yellow triangle, that is all", _one("triangle", "yellow")),
    ("render of a shaded orange ring", _one("ring", "orange", style="shaded")),
    ("a star glowing like neon, pink", _one("star", "pink", style="neon")),
    ("a heart with a pattern of dots, red", _one("heart", "red", style="dotted")),
    ("a house with a striped pattern in blue", _one("house", "blue", style="striped")),
    ("green fish, watercolor look", _one("fish", "green", style="watercolor")),
    ("neon sign of a cyan star", _one("star", "cyan", style="neon")),
    ("a checkered version of a red circle", _one("circle", "red", style="checkered")),
    ("cartoon sketch of a yellow moon", _one("moon", "yellow", style="outlined")),
    ("a purple tree as a watercolor", _one("tree", "purple", style="watercolor")),
    ("white page with a blue square on it", _one("square", "blue", background="white")),
    ("meadow scene featuring a red house", _one("house", "red", background="meadow")),
    ("night. a yellow star.", _one("star", "yellow", background="night")),
    ("sunset and in front of it a pink flower", _one("flower", "pink", background="sunset")),
    ("a red circle to the left and a blue square to the right", _two(("circle", "red"), "left of", ("square", "blue"))),
    (
        "on the left you see a green tree and on the right a red house",
        _two(("tree", "green"), "left of", ("house", "red")),
    ),
    ("two things, a yellow star above a purple moon", _two(("star", "yellow"), "above", ("moon", "purple"))),
    ("a blue fish below an orange ring, both striped", _two(("ring", "orange"), "above", ("fish", "blue"), "striped")),
    ("an orange heart sits above a cyan cross", _two(("heart", "orange"), "above", ("cross", "cyan"))),
    ("left: red flower, right: blue fish", _two(("flower", "red"), "left of", ("fish", "blue"))),
    ("a pair: green triangle left of pink square", _two(("triangle", "green"), "left of", ("square", "pink"))),
    (
        "there are two shapes here: a red star right of a blue circle",
        _two(("circle", "blue"), "left of", ("star", "red")),
    ),
    ("top: yellow moon, bottom: green house", _two(("moon", "yellow"), "above", ("house", "green"))),
    ("a red heart with a blue star under it", _two(("heart", "red"), "above", ("star", "blue"))),
    ("hello! a red house please :)", _one("house", "red")),
    ("a very nice big orange circle on a grey background", _one("circle", "orange", background="grey")),
)


def wordings(seeds: int) -> list[Case]:
    """Every wording with so many seeds, those of one side by side."""
    texts = [wording for wording in PHRASINGS for _ in range(seeds)]
    return [Case(text, FIRST_SEED + i, expectation) for i, (text, expectation) in enumerate(texts)]


def _cases(pictures: int) -> list[Case]:
    return wordings(-(-pictures // len(PHRASINGS)))[:pictures]


SUITES.register("wordings")(
    Suite("Forty ways to ask for a scene that no caption of training is built like.", 160, 40, 2000, _cases)
)
