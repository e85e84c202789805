"""The shipped oracle: what it reads is what was drawn; what is no scene it refuses; its files are checked."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.core.errors import AssetError, BadInput
from studio.world import oracle as module
from studio.world.oracle import CLASSES, FOLDER, REGIONS, Oracle, OracleNet, prepare
from studio.world.render import render_uint8
from studio.world.scene import Scene, one_object, random_scene, two_objects


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle.load()


def draw(n: int, seed: int = 0, empty: float = 0.05) -> tuple[list[Scene], np.ndarray]:
    rng = np.random.default_rng(seed)
    scenes = [random_scene(rng, two=0.4, empty=empty, biased=False, held_out=None) for _ in range(n)]
    return scenes, np.stack([render_uint8(s) for s in scenes])


def share_right(oracle: Oracle, scenes: list[Scene], images: object) -> dict[str, float]:
    """Per attribute, the share of scenes in which it is read right; `whole`: everything right and not invalid."""
    found: dict[str, list[bool]] = {}
    for scene, reading in zip(scenes, oracle.read(images), strict=True):
        matches = reading.matches(scene)
        for name, ok in matches.items():
            found.setdefault(name, []).append(ok)
        found.setdefault("whole", []).append(all(matches.values()) and not reading.invalid)
    return {name: float(np.mean(values)) for name, values in found.items()}


def test_what_was_drawn_is_read(oracle: Oracle) -> None:
    right = share_right(oracle, *draw(200))
    # Three standard deviations of 200 below what of thousands are right; of some attributes there are but thirty.
    assert right["whole"] >= 0.92 and min(right.values()) >= 0.88, right


@pytest.mark.slow
def test_what_was_drawn_is_read_of_a_thousand(oracle: Oracle) -> None:
    right = share_right(oracle, *draw(1000, seed=1))
    for name in ("object", "style", "background", "count", "relation"):
        assert right[name] >= 0.99, right
    assert right["colour"] >= 0.97 and right["bound"] >= 0.97 and right["whole"] >= 0.95, right


def test_a_pixel_of_shift_and_a_little_noise_change_nothing(oracle: Oracle) -> None:
    scenes, images = draw(100, seed=2)
    rng = np.random.default_rng(3)
    noisy = np.clip(images / 255 + rng.normal(0, 0.02, images.shape), 0, 1)
    edges = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for changed in (noisy.transpose(0, 3, 1, 2), edges[:, :-2, 2:], edges[:, 2:, :-2]):
        assert share_right(oracle, scenes, np.ascontiguousarray(changed))["whole"] >= 0.91


def test_each_picture_is_read_alone(oracle: Oracle) -> None:
    """Any batch, any order: equal up to float32 rounding."""
    _, images = draw(37, seed=4)
    together = oracle.logits(images)
    order = np.random.default_rng(0).permutation(len(images))
    shuffled, alone = oracle.logits(images[order]), oracle.logits(images[5:6])
    for name, values in together.items():
        torch.testing.assert_close(shuffled[name], values[torch.from_numpy(order)], atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(alone[name][0], values[5], atol=2e-3, rtol=1e-3)
    features = oracle.features(images)
    torch.testing.assert_close(oracle.features(images[:3]), features[:3], atol=2e-3, rtol=1e-3)


def test_reading_twice_gives_the_same_bits_and_leaves_the_picture_alone(oracle: Oracle) -> None:
    _, images = draw(8, seed=5)
    before = images.copy()
    assert oracle.read(images) == oracle.read(images)
    assert np.array_equal(images, before)


def test_bytes_and_floats_are_read_the_same(oracle: Oracle) -> None:
    _, images = draw(8, seed=6)
    floats = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    assert oracle.read(images) == oracle.read(floats)


@pytest.mark.parametrize("size_px", [96, 256])
def test_other_sizes_are_read(oracle: Oracle, size_px: int) -> None:
    scenes, _ = draw(40, seed=7)
    images = np.stack([render_uint8(s, size_px) for s in scenes])
    assert share_right(oracle, scenes, images)["whole"] >= 0.9


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (128, 128, 3))


def blended(rng: np.random.Generator) -> np.ndarray:
    circle, cross = (render_uint8(one_object(o, c)) for o, c in (("moon", "red"), ("cross", "blue")))
    return circle * 0.5 + cross * 0.5


def half_gone(rng: np.random.Generator) -> np.ndarray:
    picture = render_uint8(one_object("flower", "purple", size="large")).copy()
    picture[:, 60:] = 255
    return picture


def mush(rng: np.random.Generator) -> np.ndarray:
    star = render_uint8(two_objects(("star", "red"), ("fish", "cyan"), "above")) / 255.0
    return np.clip((np.roll(star, 40, 0) + star[::-1] - 1 + rng.normal(0, 0.3, star.shape)) * 4, 0, 1) * 255


@pytest.mark.parametrize("make", [noise, blended, half_gone, mush])
def test_garbage_is_invalid(oracle: Oracle, make: object) -> None:
    picture = make(np.random.default_rng(8)).astype(np.uint8)  # pyright: ignore[reportCallIssue]
    (reading,) = oracle.read(picture[None])
    assert reading.invalid and reading.invalid_score > oracle.threshold


def test_an_empty_scene_has_no_things_and_is_valid(oracle: Oracle) -> None:
    (reading,) = oracle.read(render_uint8(Scene((), background="sunset"))[None])
    assert (reading.count, reading.background, reading.invalid) == (0, "sunset", False)


def test_logits_have_the_shapes_they_are_said_to_have(oracle: Oracle) -> None:
    logits = oracle.logits(draw(3)[1])
    for name, classes in CLASSES.items():
        per_region = (len(REGIONS),) if name in ("object", "colour") else ()
        assert logits[name].shape == (3, *per_region, len(classes))
    assert logits["invalid"].shape == (3,) and oracle.features(draw(3)[1]).shape == (3, 256)


def test_no_pictures_give_no_readings(oracle: Oracle) -> None:
    assert oracle.read(np.zeros((0, 128, 128, 3), np.uint8)) == []


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((128, 128, 3), np.uint8),
        np.zeros((1, 128, 128), np.float32),
        np.zeros((1, 3, 128, 128), np.int64),
        torch.zeros(1, 4, 128, 128),
        torch.full((1, 3, 128, 128), torch.nan),
    ],
    ids=["one picture", "no channels", "integers", "four channels", "NaN"],
)
def test_what_is_no_batch_of_pictures_is_refused(images: object) -> None:
    with pytest.raises(BadInput) as caught:
        prepare(images)
    assert caught.value.field == "images" and str(caught.value).count(".") >= 1


def test_the_network_is_small(oracle: Oracle) -> None:
    assert sum(p.numel() for p in OracleNet().parameters()) < 1.6e6
    assert (FOLDER / module.WEIGHTS).stat().st_size <= 3 * 2**20


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "oracle"))


@pytest.mark.parametrize("name", [module.WEIGHTS, module.CONFIG])
def test_a_damaged_file_is_named_with_both_checksums(copy: Path, name: str) -> None:
    path = copy / name
    expected = sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(AssetError) as caught:
        Oracle.load(copy)
    actual = sha256(path.read_bytes()).hexdigest()
    assert name in str(caught.value) and expected in str(caught.value) and actual in str(caught.value)


@pytest.mark.parametrize("name", [module.WEIGHTS, module.CONFIG, module.SUMS])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(AssetError, match=name):
        Oracle.load(copy)


def test_a_file_that_is_not_listed_is_not_trusted(copy: Path) -> None:
    lines = (copy / module.SUMS).read_text().splitlines()
    (copy / module.SUMS).write_text("\n".join(line for line in lines if module.WEIGHTS not in line))
    with pytest.raises(AssetError, match="not listed"):
        Oracle.load(copy)


def test_an_oracle_of_another_world_is_refused(copy: Path) -> None:
    config = json.loads((copy / module.CONFIG).read_text())
    config["classes"]["object"][0] = "dodecahedron"
    text = json.dumps(config)
    (copy / module.CONFIG).write_text(text)
    sums = (copy / module.SUMS).read_text().splitlines()
    other = [line for line in sums if module.CONFIG not in line]
    (copy / module.SUMS).write_text("\n".join([*other, f"{sha256(text.encode()).hexdigest()}  {module.CONFIG}", ""]))
    with pytest.raises(AssetError, match="another world"):
        Oracle.load(copy)
