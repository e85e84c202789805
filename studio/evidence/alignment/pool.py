"""The pictures that people are asked about: drawn once in a workspace, with what they were decoded from, and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from PIL import Image

from studio.core.errors import NotFound
from studio.evidence.alignment.prompts import PROTOCOL, pool_cases
from studio.evidence.alignment.sizes import Sizes
from studio.services.checks import check_recipes, settled
from studio.services.history import Generation
from studio.services.sources import EMBEDDED
from studio.services.studio import Studio
from studio.storage.images import write_durably
from studio.training.evaluate.meter import Meter
from studio.training.evaluate.results import Facts
from studio.world.open_prompts import OpenPrompt
from studio.world.oracle import Oracle

BLOCK = 64  # pictures drawn in company of one another, and kept together
SUMS = "SHA256SUMS"


@dataclass(frozen=True, eq=False)
class Pool:
    """Pictures by prompt.

    prompts: of each picture, as people read it.
    pictures: of the history.
    facts: what was read in each.
    """

    prompts: tuple[str, ...]
    pictures: tuple[Generation, ...]
    facts: tuple[Facts, ...]

    @property
    def names(self) -> list[str]:
        """By which they are told apart."""
        return [picture.sha256 for picture in self.pictures]

    def groups(self, size: int) -> npt.NDArray[np.int64]:
        """All groups of so many different pictures of one prompt, [G, size]: places, in order."""
        places: dict[str, list[int]] = {}
        for place, prompt in enumerate(self.prompts):
            places.setdefault(prompt, []).append(place)
        names = self.names
        groups = [group for members in places.values() for group in combinations(members, size)]
        return np.array([group for group in groups if len({names[place] for place in group}) == size])


def draw_pool(studio: Studio, prompts: Sequence[OpenPrompt], sizes: Sizes, progress: Callable[[str], None]) -> Pool:
    """Draw them, or find them where they were drawn. Raises what drawing does; whole blocks are kept."""
    cases = pool_cases(prompts, sizes.plain, sizes.worded)
    card = studio.sources.card(EMBEDDED)
    recipes = [settled(PROTOCOL.recipe(case, EMBEDDED, card.default_size_px)) for _, case in cases]
    sums = card.folder / SUMS
    weights = hashlib.sha256(sums.read_bytes()).hexdigest() if sums.is_file() else ""
    content = [weights, *(recipe.model_dump_json() for recipe in recipes)]
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
    notes = studio.settings.workspace / f"pool-{digest[:16]}.json"
    numbers: list[int] = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else []
    pictures = _stored(studio, numbers)
    for first in range(len(pictures), len(recipes), BLOCK):
        progress(f"Pictures to be labelled: {first} of {len(recipes)}")
        block = recipes[first : first + BLOCK]
        payload = {
            "kind": "generate",
            "recipes": [recipe.model_dump(mode="json") for recipe in block],
            "what": f"To be labelled by simulated people: {len(block)} pictures",
            "origin": "campaign",
            "latents": True,
            "previews": False,
        }
        files = check_recipes(block, studio.sources, studio.edits)
        drawn = studio.pictures.finish(studio.jobs.submit(payload, "background", edits=files))
        by_seed = {picture.recipe.seed: picture for picture in drawn}
        pictures += [by_seed[recipe.seed] for recipe in block]
        write_durably(notes, json.dumps([picture.id for picture in pictures]).encode())
    return Pool(tuple(prompt for prompt, _ in cases), tuple(pictures), tuple(_read(pictures)))


def _stored(studio: Studio, numbers: Sequence[int]) -> list[Generation]:
    """Those of a list that are still there; none where one is gone, for blocks are drawn whole."""
    try:
        return [studio.history.get(number) for number in numbers]
    except NotFound:
        return []


def _read(pictures: Sequence[Generation]) -> list[Facts]:
    pixels: list[npt.NDArray[np.uint8]] = []
    for picture in pictures:
        with Image.open(picture.image_path, formats=["PNG"]) as opened:
            pixels.append(np.asarray(opened.convert("RGB"), dtype=np.uint8))
    return Meter(Oracle.load().read)(pixels)
