"""The table of neighbours, measured again: on renders by the oracle, and on captions by Stencil's text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from studio.world.colours import COLOURS
from studio.world.neighbours import BY_LOOK, BY_TEXT, neighbours
from studio.world.oracle import Oracle
from studio.world.render import render_uint8
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES, one_object

VALUES: dict[str, Sequence[str]] = {"object": OBJECTS, "colour": COLOUR_NAMES, "style": STYLE_NAMES}
LOOKS = (
    ("circle", "red", "flat"),
    ("house", "blue", "striped"),
    ("tree", "purple", "shaded"),
    ("ring", "yellow", "dotted"),
)
FORMS = {
    "object": ("a {}", "a red {} on a white background", "a striped blue {}"),
    "colour": ("a {} star", "a {} house on a grey background", "a striped {} fish"),
    "style": ("a {} star", "a {} red house on a grey background", "a {} blue fish"),
}
NEARLY = 0.02  # between cosines: of two that are as near, another processor may put either first


def hold(table: Mapping[str, Sequence[str]], names: Sequence[str], vectors: Sequence[Tensor]) -> None:
    """Nothing is nearer than those named, by more than rounding."""
    rows = torch.stack(list(vectors)).double()
    unit = normalize(rows - rows.mean(0), dim=1)
    cosines = unit @ unit.T - 2 * torch.eye(len(names))
    for i, name in enumerate(names):
        nearest = cosines[i].topk(2).values.tolist()
        for place, neighbour in enumerate(table[name]):
            assert float(cosines[i, list(names).index(neighbour)]) > nearest[place] - NEARLY, (name, neighbour)


def test_every_value_has_two_and_none_is_its_own() -> None:
    for table in (BY_TEXT, BY_LOOK):
        assert {kind: set(rows) for kind, rows in table.items()} == {kind: set(VALUES[kind]) for kind in VALUES}
        for kind, rows in table.items():
            for value, near in rows.items():
                assert len({value, *near}) == 3 and set(near) <= set(VALUES[kind])
    assert neighbours("background", "white", "text") == ()


def test_colours_are_nearest_in_srgb() -> None:
    points = {name: np.asarray(colour, float) for name, colour in COLOURS.items()}
    for name, near in BY_LOOK["colour"].items():
        others = (other for other in points if other != name)
        by_distance = sorted(others, key=lambda other: float(np.square(points[other] - points[name]).sum()))
        assert tuple(by_distance[:2]) == near


@pytest.mark.parametrize("kind", ["object", "style"])
def test_by_look(kind: str) -> None:
    oracle, vectors = Oracle.load(), []
    for value in VALUES[kind]:
        pictures = []
        for background in BACKGROUND_NAMES:
            for name, colour, style in LOOKS:
                words = {"object": name, "colour": colour, "style": style} | {kind: value}
                scene = one_object(words["object"], words["colour"], style=words["style"], background=background)
                pictures.append(render_uint8(scene))
        vectors.append(oracle.features(np.stack(pictures)).mean(0))
    hold(BY_LOOK[kind], VALUES[kind], vectors)


def test_by_text(stencil_dir: Path) -> None:
    from studio.models.loading import load_model

    bundle = load_model(stencil_dir, name="stencil")
    for kind, names in VALUES.items():
        vectors = []
        for name in names:
            texts = [form.format(name).replace("a o", "an o") for form in FORMS[kind]]
            ids = torch.tensor([bundle.tokenizer.ids(text) for text in texts])
            with torch.inference_mode():
                tokens = bundle.embed(ids).tokens.double()
            after = [
                row[len(bundle.tokenizer.word_ids(text)) :].mean(0) for row, text in zip(tokens, texts, strict=True)
            ]
            vectors.append(torch.stack(after).mean(0))
        hold(BY_TEXT[kind], names, vectors)
