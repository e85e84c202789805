"""The world's CLIP: its hard negatives, its loss against closed form, its gate, and what it leaves on disk."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPProcessor, CLIPTokenizer

from studio.models.checksums import verify
from studio.training.embedded import autoencoder, clip, text
from studio.training.embedded.stage import Stage
from studio.world.caption import canonical
from studio.world.scene import OBJECTS, Scene, one_object, two_objects

PAIR = two_objects(("star", "red"), ("moon", "blue"), "left of", style="striped", background="grey")
LONE = one_object("star", "red", style="striped", background="grey")


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip") / "tokenizer"
    text.write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def codec(tokenizer_folder: Path) -> text.Codec:
    return text.Codec(CLIPTokenizer.from_pretrained(tokenizer_folder))


@pytest.fixture
def model(codec: text.Codec) -> CLIPModel:
    torch.manual_seed(0)
    return clip.build(codec.eos + 1, codec.eos).eval()


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


# -- hard negatives -------------------------------------------------------------------------------------------------


def swap(scene: Scene, what: str, seed: int = 0) -> Scene:
    found = clip.with_swap(scene, what, np.random.default_rng(seed))
    assert found is not None
    return found


def test_exchanging_colours_and_relation_says_the_opposite() -> None:
    assert canonical(swap(PAIR, "colours")) == "a striped blue star left of a striped red moon on a grey background"
    assert canonical(swap(PAIR, "relation")) == "a striped red star right of a striped blue moon on a grey background"
    assert swap(swap(PAIR, "colours"), "colours") == PAIR and swap(swap(PAIR, "relation"), "relation") == PAIR


def test_what_a_scene_lacks_cannot_be_swapped() -> None:
    rng = np.random.default_rng(0)
    alike = two_objects(("star", "red"), ("moon", "red"), "above")
    assert clip.with_swap(LONE, "colours", rng) is None and clip.with_swap(LONE, "relation", rng) is None
    assert clip.with_swap(alike, "colours", rng) is None
    assert all(clip.with_swap(Scene(()), word, rng) is None for word in ("object", "colour", "style"))


@pytest.mark.parametrize("word", clip.ONE_WORD)
@pytest.mark.parametrize("scene", [LONE, PAIR], ids=["lone", "pair"])
def test_one_word_changes_and_nothing_else(word: str, scene: Scene) -> None:
    def facts(of: Scene) -> dict[str, set[object]]:
        told = sorted(of.things, key=lambda thing: thing.x)
        parts = {f"{name} {i}": getattr(t, name) for i, t in enumerate(told) for name in ("object", "colour")}
        left_first = of.things[0].x < of.things[-1].x
        relation = (
            of.relation
            if left_first or not of.relation
            else {"left of": "right of", "right of": "left of"}[of.relation]
        )
        return {"all": {*parts.items(), ("style", of.style), ("background", of.background), ("relation", relation)}}

    before = facts(scene)["all"]
    for seed in range(12):
        changed = facts(swap(scene, word, seed))["all"] - before
        assert len(changed) == 1 and str(next(iter(changed))[0]).startswith(word)  # type: ignore[index]


def test_a_changed_object_is_not_the_other_one() -> None:
    for seed in range(40):
        kinds = [thing.object for thing in swap(PAIR, "object", seed).things]
        assert len(set(kinds)) == 2


def test_captions_are_told_alike_and_contradict_where_they_differ() -> None:
    told = [clip.captions_of(PAIR, np.random.default_rng(seed)) for seed in range(60)]
    assert all(len(texts) == 1 + clip.NEGATIVES for texts in told)
    assert told[0] == clip.captions_of(PAIR, np.random.default_rng(0))
    words = [[sorted(text.replace(",", "").split()) for text in texts] for texts in told]
    exchanged = [texts for texts, bags in zip(told, words, strict=True) if bags[1] == bags[0]]
    assert len(exchanged) > 25, "swapped colours keep the bag of words most of the time"
    assert sum(texts[1] != texts[0] for texts in told) > 55
    lengths = np.array([[len(text.split()) for text in texts] for texts in told])
    assert abs(lengths[:, 1:].mean() - lengths[:, 0].mean()) < 0.5, "nor does length give the true one away"


# -- loss -----------------------------------------------------------------------------------------------------------


def test_loss_of_embeddings_that_tell_nothing() -> None:
    n, k = 4, 3
    same = torch.zeros(n, k, dtype=torch.bool)
    flat = unit(1, 8).expand(n, 8)
    loss = clip.contrastive(flat, flat, flat[:, None].expand(n, k, 8), same, torch.tensor(10.0))
    assert float(loss) == pytest.approx((np.log(n + n * k) + np.log(n)) / 2, rel=1e-5)
    same[:, 0] = True  # one caption of each scene says nothing else: only its own picture leaves it out
    loss = clip.contrastive(flat, flat, flat[:, None].expand(n, k, 8), same, torch.tensor(10.0))
    assert float(loss) == pytest.approx((np.log(n + n * k - 1) + np.log(n)) / 2, rel=1e-5)


def test_loss_without_hard_negatives_is_clips_own() -> None:
    image, words, scale = unit(6, 16), unit(6, 16, seed=1), torch.tensor(7.0)
    far = -10 * image[:, None]  # similarity so low that it takes no part
    ours = clip.contrastive(image, words, far, torch.ones(6, 1, dtype=torch.bool), scale)
    logits, target = scale * image @ words.T, torch.arange(6)
    theirs = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    # Others' negatives stay: -10 * image_j may be near picture i, so make them vanish for the comparison.
    assert float(ours) >= float(theirs)
    nothing = clip.contrastive(image, words, torch.zeros(6, 0, 16), torch.zeros(6, 0, dtype=torch.bool), scale)
    assert float(nothing) == pytest.approx(float(theirs), rel=1e-5)


def test_a_closer_hard_negative_costs_more() -> None:
    image = unit(4, 16)
    same = torch.zeros(4, 1, dtype=torch.bool)
    far, near = (clip.contrastive(image, image, c * image[:, None], same, torch.tensor(10.0)) for c in (-1.0, 0.9))
    assert float(near) > float(far) + 0.05


# -- pictures -------------------------------------------------------------------------------------------------------


def test_augmentation_is_mild_repeats_itself_and_leaves_its_input_alone() -> None:
    x = torch.rand(6, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = x.clone()
    out = clip.augment(x, np.random.default_rng(1))
    assert out.shape == x.shape and torch.equal(x, before)
    assert torch.equal(out, clip.augment(x, np.random.default_rng(1)))
    assert not torch.equal(out, clip.augment(x, np.random.default_rng(2)))
    flat = clip.augment(torch.full((4, 3, 128, 128), 0.25), np.random.default_rng(3))
    assert float((flat - 0.25).abs().mean()) < clip.MOST_NOISE


def test_patches_know_what_covers_them() -> None:
    cells = clip.covering(LONE).reshape(2, 8, 8)
    assert cells[0, 4, 4] == OBJECTS.index("star") and cells[1, 4, 4] == 0
    assert set(cells[0, 0]) == {len(OBJECTS)}
    pair = clip.covering(PAIR).reshape(2, 8, 8)
    assert OBJECTS.index("star") in pair[0, :, :4] and OBJECTS.index("star") not in pair[0, :, 4:]


# -- the model ------------------------------------------------------------------------------------------------------


def test_features_are_unit_vectors_and_padding_does_not_matter(model: CLIPModel, codec: text.Codec) -> None:
    ids = codec(["a red star", "a blue moon on a white background"])
    whole, trimmed = (clip.text_features(model, torch.from_numpy(i)) for i in (ids, clip._trimmed(ids, codec.eos)))
    assert torch.allclose(whole, trimmed, atol=1e-5) and torch.allclose(whole.norm(dim=1), torch.ones(2), atol=1e-5)
    image = clip.image_features(model, torch.zeros(1, 3, 128, 128))
    assert image.shape == (1, 128)
    assert sum(p.numel() for p in model.parameters()) < 1_600_000


def test_top1_of_the_right_the_wrong_and_of_chance() -> None:
    answers = unit(256, 64)
    assert clip.top1(answers, answers).mean() == 1
    assert clip.top1(-answers, answers).mean() == 0
    assert clip.top1(unit(256, 64, seed=1), answers).mean() == pytest.approx(1 / 64, abs=0.012)
    assert np.array_equal(clip.top1(unit(256, 64, seed=1), answers), clip.top1(unit(256, 64, seed=1), answers))


def test_held_out_pairs_are_distinct_and_kept_from_training() -> None:
    kept = clip.held_out(64)
    assert len({canonical(s) for s in kept["scenes"]}) == 64 and all(s.held_out for s in kept["scenes"])
    assert kept["pictures"].shape == (64, 128, 128, 3)


def test_the_gate_of_fresh_weights_fails(model: CLIPModel, codec: text.Codec) -> None:
    rows = clip.gate_rows(model, codec, **clip.held_out(64))
    assert {(r.group, r.name) for r in rows} == {
        ("top-1 of 64", "image to text"),
        ("top-1 of 64", "text to image"),
        *(("hard negative", swap) for swap in ("colours", "relation", *clip.ONE_WORD)),
    }
    gates = [r for r in rows if r.gate is not None]
    assert len(gates) == 2 and not any(r.passed for r in gates)
    assert all(0 <= r.low <= r.value <= r.high <= 1 for r in rows)


def test_what_ships_is_half_precision_and_loads_in_full(
    model: CLIPModel, codec: text.Codec, tokenizer_folder: Path, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path / "model")
    clip.write(tmp_path / "model", tokenizer_folder, tmp_path / "shipped")
    listed = verify(tmp_path / "shipped", required=True)
    assert {"model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"} <= set(listed)
    assert sum((tmp_path / "shipped" / name).stat().st_size for name in listed) < 3.5 * 1024**2
    again = clip.load(tmp_path / "shipped")
    assert again.dtype == torch.float32
    ids = torch.from_numpy(codec([canonical(PAIR)]))
    assert torch.allclose(clip.text_features(again, ids), clip.text_features(model, ids), atol=5e-3)
    assert CLIPTokenizer.from_pretrained(tmp_path / "shipped")(canonical(PAIR)).input_ids[1:-1]


def test_training_learns_stops_and_is_taken_up(
    tokenizer_folder: Path, codec: text.Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "PICTURES", 16)
    torch.manual_seed(0)
    stage = Stage("clip", tmp_path, minutes=1)
    training = clip.ClipTraining(stage, codec, clip.build(codec.eos + 1, codec.eos), batch=8, lr=1e-3)
    sums = []
    for _ in range(10):
        loss, reading = training.losses(np.random.default_rng(0))  # the same batch each time
        training.optimiser.zero_grad()
        (loss + reading).backward()
        training.optimiser.step()
        training.average.update(training.model)
        training.step += 1
        sums.append(float((loss + reading).detach()))
    assert sums[-1] < 0.9 * sums[0]
    stage.save(training.state())
    again = clip.ClipTraining(stage, codec, clip.build(codec.eos + 1, codec.eos), batch=8, lr=1e-3)
    kept = stage.load()
    assert kept is not None
    again.resume(kept)
    assert again.step == 10
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), training.model.parameters(), strict=True))
    pairs = zip(again.averaged().parameters(), training.averaged().parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_autoencoders_pictures_show_these_scenes() -> None:
    # Both stages keep theirs in pictures.npy: the autoencoder's scenes are numbered and drawn the same way.
    source = inspect.getsource(autoencoder.train)
    assert f"[scene_at(i, two={clip.TWO_SHARE}) for i in range(PICTURES)]" in source and "pictures.npy" in source
    assert clip.PICTURES == autoencoder.PICTURES


def test_the_shipped_model_works_with_a_plain_processor() -> None:
    """As anyone would use it: transformers' own processor, one picture and one sentence at a time."""
    folder = Path(__file__).resolve().parents[2] / "assets" / "models" / "clip"
    model = clip.load(folder)
    processor: Any = CLIPProcessor.from_pretrained(folder, local_files_only=True)
    held_out = clip.held_out(16)
    sentences = [canonical(scene) for scene in held_out["scenes"]]
    pictures = [Image.fromarray(picture) for picture in held_out["pictures"]]
    given = processor(text=sentences, images=pictures, return_tensors="pt", padding=True)
    with torch.no_grad():
        said: Any = model(**given)
    assert said.logits_per_image.argmax(1).tolist() == list(range(16))
    assert verify(folder, required=True)
