"""Words a CLIP misses: the derivative by its attention, and the word that is wrong of a picture suffers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.models.clip import modeling_clip

from studio.models.clip import Clip
from studio.models.clip_words import LAYERS, PREFIX, WordScore, word_scores
from studio.world.render import render_uint8
from studio.world.scene import COLOUR_NAMES, OBJECTS, one_object

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "clip"


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip.load(FOLDER)


def pictures(*scenes: tuple[str, str]) -> Tensor:
    stacked = np.stack([render_uint8(one_object(kind, colour)) for kind, colour in scenes])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


def by_word(scores: list[WordScore]) -> dict[str, float]:
    return {scored.word: scored.score for scored in scores}


def test_a_score_is_the_derivative_by_the_word_s_attention(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    image, prompt = pictures(("star", "blue")), "a red star"
    (scores,) = word_scores(clip, image, [prompt])
    ids, spans = clip.tokens(PREFIX + prompt)
    place = next(i for i, (a, _) in enumerate(spans) if (PREFIX + prompt)[a : a + 3] == "red")
    plain = modeling_clip.eager_attention_forward
    depth = len(clip.model.text_model.encoder.layers)
    heads = int(clip.model.config.text_config.num_attention_heads)  # type: ignore[union-attr]

    def cosine(factor: float) -> float:
        calls = [0]

        def changed(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **rest: Any) -> Any:
            output, weights = plain(module, query, key, value, mask, **rest)
            calls[0] += 1
            if calls[0] <= depth - LAYERS:
                return output, weights
            weights = weights.clone()
            weights[:, :, -1, place] *= factor
            return (weights @ value).transpose(1, 2).contiguous(), weights

        monkeypatch.setattr(modeling_clip, "eager_attention_forward", changed)
        config: Any = clip.model.text_model.config
        before = config._attn_implementation
        config._attn_implementation = "eager"
        try:
            with torch.no_grad():
                picture = clip.pictures(image)[0]
                vector = clip.sentence_vectors(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))
            return float((vector @ picture).sum().double())
        finally:
            config._attn_implementation = before
            monkeypatch.undo()

    step = 0.02
    slope = (cosine(1 + step) - cosine(1 - step)) / (2 * step)
    expected = LAYERS * heads * by_word(scores)["red"]
    # Cosines are known to 1e-6 or so, and are divided by the step; what is left of the slope's curve is its square.
    assert abs(slope - expected) < 2e-4 + 0.02 * abs(expected) and abs(expected) > 1e-3


def test_the_wrong_colour_is_the_word_that_suffers(clip: Clip) -> None:
    rng = np.random.default_rng(1)
    lower, tries = 0, 24
    for _ in range(tries):
        kind = OBJECTS[int(rng.integers(len(OBJECTS)))]
        right, wrong = rng.choice(COLOUR_NAMES, 2, replace=False)
        prompts = [f"a {colour} {kind} on a white background" for colour in (right, wrong)]
        first, second = word_scores(clip, pictures((kind, right), (kind, right)), prompts)
        lower += by_word(second)[wrong] < by_word(first)[right]
    assert lower >= 0.8 * tries  # 38 of 40 on others: three standard deviations from here


def test_words_come_in_their_order_and_nothing_of_the_model_stays_changed(clip: Clip) -> None:
    image = pictures(("star", "red"))
    before = clip.sentences(["a red star"])
    config: Any = clip.model.text_model.config
    implementation = config._attn_implementation
    (scores,) = word_scores(clip, image, ["Star, (RED:1.3) and the 3 don't"])
    assert [scored.word for scored in scores] == ["star", "red", "don't"]
    assert config._attn_implementation == implementation
    assert torch.equal(clip.sentences(["a red star"]), before)
    layers: Any = clip.model.text_model.encoder.layers
    assert not any(layer.self_attn._forward_hooks for layer in layers)
    (cut,) = word_scores(clip, image, ["red " * 400])
    assert 0 < len(cut) < 400
    assert word_scores(clip, image, [""]) == [[]]
    with pytest.raises(ValueError):
        word_scores(clip, image, [])
