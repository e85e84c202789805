"""CLIP: against transformers' own processor, with gradients, and refusing folders that are none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from studio.core.errors import AssetError
from studio.models.clip import Clip
from studio.world.render import render_uint8
from studio.world.scene import one_object
from tests.tolerance import rounding

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "assets" / "models" / "clip"
RED, BLUE = (render_uint8(one_object("star", colour)) for colour in ("red", "blue"))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip.load(FOLDER)


def tensor(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def test_vectors_are_those_of_transformers(clip: Clip) -> None:
    model: Any = CLIPModel.from_pretrained(FOLDER, dtype=torch.float32)
    with torch.no_grad():
        theirs = model.get_image_features(pixel_values=tensor(RED, BLUE) * 2 - 1).pooler_output
    ours = clip.pictures(tensor(RED, BLUE))
    assert torch.allclose(ours, torch.nn.functional.normalize(theirs, dim=-1), atol=rounding(torch.float32, 100))
    texts = ["a red star", "a small neon blue star at night"]
    inputs = CLIPTokenizer.from_pretrained(FOLDER)(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        said = model.get_text_features(**inputs).pooler_output
    expected = torch.nn.functional.normalize(said, dim=-1)
    assert torch.allclose(clip.sentences(texts), expected, atol=rounding(torch.float32, 100))
    assert torch.allclose(clip.sentences(texts[:1]), expected[:1], atol=rounding(torch.float32, 100))
    assert clip.scale == pytest.approx(float(model.logit_scale.detach().exp()))


def test_a_picture_agrees_with_its_sentence_and_words_beyond_the_context_are_cut(clip: Clip) -> None:
    cosines = clip.pictures(tensor(RED, BLUE)) @ clip.sentences(["a red star", "a blue star"]).T
    assert cosines[0, 0] > cosines[0, 1] and cosines[1, 1] > cosines[1, 0]
    long = "a red star " * 40
    assert torch.isfinite(clip.sentences([long])).all()


def test_pictures_of_other_sizes_are_scaled_and_cut_as_the_processor_does(clip: Clip) -> None:
    large = Image.fromarray(RED).resize((320, 256), Image.Resampling.BICUBIC)
    wide = np.asarray(large)
    left = (160 - 128) // 2
    theirs = np.asarray(large.resize((160, 128), Image.Resampling.BICUBIC))[:, left : left + 128]
    likeness = (clip.pictures(tensor(wide)) * clip.pictures(tensor(theirs))).sum()
    assert float(likeness) > 0.995  # PIL rounds to whole values between its two passes


def test_gradients_come_back_to_the_pixels_alone(clip: Clip) -> None:
    pixels = tensor(BLUE).requires_grad_()
    (clip.pictures(pixels) @ clip.sentences(["a red star"]).T).sum().backward()
    assert pixels.grad is not None and float(pixels.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in clip.model.parameters())


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"has no config\.json"):
        Clip.load(tmp_path)
    folder = tmp_path / "broken"
    shutil.copytree(FOLDER, folder)
    (folder / "SHA256SUMS").unlink()
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(AssetError, match="cannot be loaded"):
        Clip.load(folder)
