"""Canonical captions of combinations that no training set has held, drawn without the world's stereotypes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.training.evaluate.cases import SUITES, Case, Suite
from studio.world.caption import canonical
from studio.world.reading import Wanted
from studio.world.render import render_uint8
from studio.world.scene import Scene, random_scene

HEADROOM = 20 / 255  # how far renders of the oversaturation prompts keep from either end, in all but MOST_NEAR
MOST_NEAR = 0.01
TWO_SEED, HEADROOM_SEED = 50_000, 90_000  # first seeds of their suites


def prompt_scenes(n: int, objects: int, seed: int = 0) -> list[Scene]:
    """n held-out scenes of one or two objects, unbiased, no canonical caption twice."""
    rng = np.random.default_rng((61, seed, objects))
    scenes: dict[str, Scene] = {}
    while len(scenes) < n:
        scene = random_scene(rng, two=float(objects == 2), empty=0.0, biased=False, held_out=True)
        scenes.setdefault(canonical(scene), scene)
    return list(scenes.values())


def scenes_with_headroom(n: int, seed: int = 0) -> list[Scene]:
    """One-object held-out scenes whose own render is clipped nowhere, nor nearly.

    White backgrounds, pale skies and pure colours lie at the end of the range as they are: what pictures of those clip
    says nothing of guidance.
    """
    rng = np.random.default_rng((62, seed))
    scenes: dict[str, Scene] = {}
    while len(scenes) < n:
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        brightest = render_uint8(scene, 64).max(-1) / 255
        if float(np.mean((brightest <= HEADROOM) | (brightest >= 1 - HEADROOM))) <= MOST_NEAR:
            scenes.setdefault(canonical(scene), scene)
    return list(scenes.values())


def cases_of(scenes: Sequence[Scene], first_seed: int) -> list[Case]:
    """The canonical caption of each scene, all that it determines wanted; seeds count up from the first."""
    return [Case(canonical(s), first_seed + i, Wanted.of(s), scene=s) for i, s in enumerate(scenes)]


def one_object(pictures: int, seed: int = 0) -> list[Case]:
    """Captions of one object. seed: of other prompts and other noise."""
    return cases_of(prompt_scenes(pictures, 1, seed), seed * 100_000)


def two_objects(pictures: int, seed: int = 0) -> list[Case]:
    """Captions of two objects and their relation. seed: as for one."""
    return cases_of(prompt_scenes(pictures, 2, seed), seed * 100_000 + TWO_SEED)


def headroom(pictures: int, seed: int = 0) -> list[Case]:
    """Captions of `scenes_with_headroom`. seed: as for one object."""
    return cases_of(scenes_with_headroom(pictures, seed), seed * 100_000 + HEADROOM_SEED)


SUITES.register("one-object")(
    Suite("One object, everything said, in combinations no training set has held.", 600, 48, 2000, one_object)
)
SUITES.register("two-objects")(
    Suite("Two objects and how they stand, in combinations no training set has held.", 300, 48, 2000, two_objects)
)
SUITES.register("headroom")(
    Suite("Scenes clipped nowhere by themselves: what their pictures clip comes of guidance.", 64, 16, 400, headroom)
)
