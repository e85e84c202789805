"""What is left out is in no scene and in no sentence, and every other sample stays what it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.core.errors import BadInput
from studio.training.embedded import autoencoder, denoiser, latents, text
from studio.training.embedded.data import scene_at
from studio.training.embedded.exclusion import Exclusion
from studio.world.scene import OBJECTS, STYLE_NAMES

SCENES = 1500
SIZE, TWO = 40, 0.5
STAR = Exclusion("object", "star")


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> text.Codec:
    return text.Codec(text.write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@pytest.mark.parametrize("name", ["object:star", "style:watercolor", "style:dotted", "colour:green", "object:cross"])
def test_no_scene_shows_it_no_sentence_names_it_and_the_others_stay(name: str, codec: text.Codec) -> None:
    without = Exclusion.read(name)
    entry = {"star": "pentagram", "watercolor": "aquarelle", "dotted": "dots", "green": "jade", "cross": "plus"}
    assert entry[without.name] in without.words
    replaced = 0
    for number in range(SCENES // 5):
        scene, drawn = scene_at(number, two=TWO, without=without), scene_at(number, two=TWO)
        assert not without.shown_in(scene) and not scene.held_out and len(scene.things) == len(drawn.things)
        assert scene == scene_at(number, two=TWO, without=without)
        said, spoken = latents.sentences(scene, number, codec, without), latents.sentences(drawn, number, codec)
        assert not [sentence for sentence in said if without.named_in(sentence)]
        if without.shown_in(drawn):
            replaced += 1
            continue
        assert scene == drawn
        assert [a for a, b in zip(said, spoken, strict=True) if a != b and not without.named_in(b)] == []
    assert replaced


def test_a_word_that_others_use_is_no_word_of_a_style() -> None:
    words = Exclusion("style", "striped").words
    assert {"striped", "stripy", "banded", "stripes"} <= words
    assert not words & {"with", "of", "made", "in", "style"}


def test_the_colour_of_a_meadow_goes_unsaid_where_the_colour_is_left_out(codec: text.Codec) -> None:
    """A scene that stays may have had a sentence that names it: "on a green meadow"."""
    green = Exclusion("colour", "green")
    scenes = {number: scene_at(number, two=TWO) for number in range(SCENES)}
    meadows = [n for n, scene in scenes.items() if scene.background == "meadow" and not green.shown_in(scene)]
    named = [n for n in meadows if any(map(green.named_in, latents.sentences(scenes[n], n, codec)))]
    assert named
    number = named[0]
    assert not any(map(green.named_in, latents.sentences(scenes[number], number, codec, green)))


def test_captions_of_the_text_stage_leave_it_out_too(codec: text.Codec) -> None:
    def batch(without: Exclusion | None) -> tuple[Any, Any]:
        ids, truth = text._batch(codec, np.random.default_rng(5), 200, 0.5, without)
        return ids, truth

    (ids, truth), (ids_of_all, truth_of_all) = batch(STAR), batch(None)
    star = torch.tensor([codec.words[word][0] for word in sorted(STAR.words)])
    star_label = OBJECTS.index("star")
    slots = [list(text.HEADS).index("object_a"), list(text.HEADS).index("object_b")]
    assert not torch.isin(ids, star).any() and not (truth[:, slots] == star_label).any()
    shown = (truth_of_all[:, slots] == star_label).any(1)
    assert (
        shown.any()
        and torch.equal(ids[~shown], ids_of_all[~shown])
        and torch.equal(truth[~shown], truth_of_all[~shown])
    )


def test_a_shard_without_it_is_the_other_one_but_for_what_shows_it(tmp_path: Path, codec: text.Codec) -> None:
    torch.manual_seed(0)
    vae: Any = autoencoder.build().eval()
    everything, target = tmp_path / "all", tmp_path / "without"
    latents.write_shard(everything, 0, vae, codec, size=SIZE, two=TWO, workers=1)
    latents.write_shard_without(target, 0, everything, STAR, vae, codec, size=SIZE, two=TWO, workers=1)
    base, filtered = latents.LatentSet.read(everything), latents.LatentSet.read(target)
    shown = np.array([STAR.shown_in(scene_at(i, two=TWO)) for i in range(SIZE)])
    assert 0 < shown.sum() < SIZE
    star = OBJECTS.index("star")
    assert not (filtered.objects == star).any() and (base.objects[shown] == star).any((1, 2)).all()
    for name in ("latents", "objects", "colours", "labels", "ids"):
        np.testing.assert_array_equal(getattr(filtered, name)[~shown], getattr(base, name)[~shown], err_msg=name)
    np.testing.assert_array_equal(filtered.order, base.labels)
    row = int(np.flatnonzero(shown)[0])
    assert filtered.labels[row].tolist() == text.labels(scene_at(row, two=TWO, without=STAR))
    own, other = (denoiser.SceneDraw(data)(np.random.default_rng(1), 500, 0.4) for data in (base, filtered))
    np.testing.assert_array_equal(own, other)


def test_an_empty_scene_counts_as_of_its_style() -> None:
    numbers = [n for n in range(3000) if not scene_at(n).things]
    style = scene_at(numbers[0]).style
    assert style in STYLE_NAMES
    assert scene_at(numbers[0], without=Exclusion("style", style)).style != style


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("star", "'star' names nothing"),
        ("object:dog", "'dog' is no object"),
        ("size:small", "names nothing"),
        ("colour:", "is no colour"),
    ],
)
def test_what_is_not_of_the_world_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Exclusion.read(name)
