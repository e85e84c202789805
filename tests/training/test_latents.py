"""Standardised latents reconstruct the same picture; cells say where objects are."""

from typing import Any

import numpy as np
import torch

from studio.training.embedded import autoencoder, latents
from studio.training.embedded.data import render_all, scene_at
from studio.world.scene import OBJECTS, two_objects


def test_standardising_changes_latents_and_nothing_else() -> None:
    torch.manual_seed(0)
    vae: Any = autoencoder.build().eval()
    pictures = render_all([scene_at(i) for i in range(32)], workers=1)
    x = autoencoder.to_tensor(pictures[:4], "cpu")
    with torch.no_grad():
        before = vae.decode(vae.encode(x).latent_dist.mode()).sample
        spread = vae.encode(x).latent_dist.std / vae.encode(x).latent_dist.mode().std((0, 2, 3), keepdim=True)
        latents.standardise(vae, pictures)
        after = vae.decode(vae.encode(x).latent_dist.mode()).sample
        means = vae.encode(autoencoder.to_tensor(pictures, "cpu")).latent_dist.mean
        new_spread = vae.encode(x).latent_dist.std / vae.encode(x).latent_dist.mode().std((0, 2, 3), keepdim=True)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(means.mean((0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(means.std((0, 2, 3)), torch.ones(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(new_spread, spread, rtol=1e-2, atol=1e-4)  # the posterior scales along
    assert vae.config.scaling_factor == 1.0


def test_cells_show_each_object_on_its_side() -> None:
    objects, colours = latents._cells(two_objects(("star", "red"), ("circle", "blue"), "left of"))
    assert objects[8, 4] == OBJECTS.index("star") and objects[8, 11] == OBJECTS.index("circle")
    assert (objects[:, :8] == OBJECTS.index("circle")).sum() == 0
    np.testing.assert_array_equal(objects == len(OBJECTS), colours == 8)
