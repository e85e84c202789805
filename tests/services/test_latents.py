"""Latents beside a picture: what it was decoded from, and a hash of the noise its seed gives; gone with the picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.latents import INITIAL, latents_file, read_latents
from studio.engine.sampler import decode
from studio.models.embedded import load_stencil
from studio.services.history import Generation
from studio.services.studio import Studio
from studio.storage.png import read_png
from tests.tiny_model import CHANNELS, SCALE, SIZE_PX

SIDE = SIZE_PX // SCALE


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as opened:
        yield opened


def drawn(studio: Studio, recipes: list[Recipe], **asked: bool) -> list[Generation]:
    payload = {"kind": "generate", "recipes": [recipe.model_dump(mode="json") for recipe in recipes], **asked}
    return studio.pictures.finish(studio.jobs.submit(payload, "ahead"))


def test_a_job_that_asks_keeps_both_ends_of_each_picture(studio: Studio, draw: Callable[..., Recipe]) -> None:
    recipes = [draw(seed=7), draw(seed=8, batching="shared"), draw(seed=9, batching="shared")]
    bundle = load_stencil(studio.settings.model_dir)
    for picture in drawn(studio, recipes, latents=True):
        noise = torch.randn((CHANNELS, SIDE, SIDE), generator=torch.Generator().manual_seed(picture.recipe.seed))
        made_by = read_png(picture.image_path).made_by  # the file says it as the record does
        assert made_by[INITIAL] == picture.made_by[INITIAL] == hashlib.sha256(noise.numpy().tobytes()).hexdigest()
        latents = read_latents(studio.archive.images.latents_path(picture.sha256).read_bytes())
        assert latents.dtype == np.float16 and latents.shape == (CHANNELS, SIDE, SIDE)
        pixels = np.asarray(Image.open(picture.image_path), dtype=int)
        again = decode(bundle, torch.from_numpy(latents.astype(np.float32))[None], 3).astype(int)
        assert np.abs(pixels - again).max() <= 1  # float16 keeps eleven bits, and a pixel has eight
    (plain,) = drawn(studio, [draw(seed=7)])
    assert INITIAL not in plain.made_by and not studio.archive.images.latents_path(plain.sha256).exists()


def test_latents_go_with_their_picture(studio: Studio, draw: Callable[..., Recipe]) -> None:
    (picture,) = drawn(studio, [draw()], latents=True)
    file = studio.archive.images.latents_path(picture.sha256)
    assert file.exists() and file.stat().st_mode & 0o077 == 0
    studio.history.delete([picture.id])
    studio.history.purge()
    assert not file.exists()


def test_a_file_that_holds_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="latents are"):
        read_latents(latents_file(torch.zeros(1, 2, 3))[:])
    with pytest.raises(ValueError, match=r"pickle|EOF|magic"):
        read_latents(b"nothing of the kind")
