"""The tokenizer knows every word of the world as one token; labels say what a scene holds, by place."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from studio.training.embedded import text
from studio.training.embedded.data import scene_at
from studio.world.caption import caption
from studio.world.scene import COLOUR_NAMES, OBJECTS, two_objects
from studio.world.words import vocabulary
from tests.training.counted import Counted


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return text.write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_every_word_of_the_world_is_one_token(tokenizer: CLIPTokenizer) -> None:
    assert [w for w in vocabulary() if tokenizer.tokenize(w) != [f"{w}</w>"]] == []


def test_unknown_words_fall_into_known_pieces_and_come_back(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("a zebra, naïve 🐟").input_ids
    assert max(ids) < len(tokenizer)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a zebra , naïve 🐟"


def test_codec_equals_the_tokenizer_on_captions(tokenizer: CLIPTokenizer) -> None:
    rng = np.random.default_rng(0)
    texts = [caption(scene_at(i, two=0.5), rng, rare=0.2) for i in range(300)]
    slow = tokenizer(texts, padding="max_length", max_length=text.CONTEXT, truncation=True).input_ids
    np.testing.assert_array_equal(text.Codec(tokenizer)(texts), np.asarray(slow))


def test_byte_pairs_merge_the_commonest_first() -> None:
    assert text.byte_pair_merges(["ab", "abc", "xab"])[0] == ("a", "b</w>")
    assert text.byte_pair_merges(["a"]) == []


@pytest.mark.parametrize(
    ("relation", "first_slot"), [("left of", "star"), ("right of", "fish"), ("above", "star"), ("below", "fish")]
)
def test_slot_a_is_the_left_or_upper_object(relation: str, first_slot: str) -> None:
    said = dict(zip(text.HEADS, text.labels(two_objects(("star", "red"), ("fish", "blue"), relation)), strict=True))
    assert OBJECTS[said["object_a"]] == first_slot
    assert COLOUR_NAMES[said["colour_a"]] == {"star": "red", "fish": "blue"}[first_slot]
    assert text.LAYOUTS[said["layout"]] == ("horizontal" if "of" in relation else "vertical")


def test_a_few_steps_learn_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = text._batch  # type: ignore[attr-defined]
    monkeypatch.setattr(
        text, "_batch", lambda codec, rng, size, rare, without: batch(codec, rng, size // 16, rare, without)
    )
    monkeypatch.setattr(text, "accuracy", partial(text.accuracy, n=64))
    torch.manual_seed(0)
    stage = Counted("text", tmp_path, minutes=1)
    folder = text.train(stage, threads=1)
    kept = stage.load()
    assert kept is not None and kept["step"] > 0
    assert (folder / "text_encoder" / "model.safetensors").exists()
    text.train(Counted("text", tmp_path, minutes=1), threads=1)
    again = stage.load()
    assert again is not None and again["step"] > kept["step"]
