"""Pictures that are not of the world: what the oracle must call invalid.

Every kind imitates a way a generator fails: unformed noise, shapes between two shapes or of no kind, pictures melted
into each other, pieces missing or misplaced, over-guided mush. `KINDS` are trained on; `UNSEEN_KINDS` are kept for the
evaluation, to see what the oracle makes of failures it has not met. Each function takes a generator and gives
[128, 128, 3] float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from studio.world.backgrounds import BACKGROUNDS, LIGHT
from studio.world.colours import COLOURS
from studio.world.render import SIZE_PX, distance, mask, render_array
from studio.world.scene import COLOUR_NAMES, OBJECTS, Scene, Thing, random_scene
from studio.world.shapes import polygon
from studio.world.styles import STYLES, Stroke

FloatArray = npt.NDArray[np.float32]
GarbageMaker = Callable[[np.random.Generator], FloatArray]


def _axis(size_px: int = SIZE_PX) -> tuple[FloatArray, FloatArray]:
    axis = (np.arange(size_px, dtype=np.float32) + np.float32(0.5)) / np.float32(size_px)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _scene(rng: np.random.Generator) -> Scene:
    return random_scene(rng, two=0.35, empty=0, biased=False, held_out=None)


def _enlarged(field: FloatArray, mode: str = "bicubic") -> FloatArray:
    """[h, h, C] to [128, 128, C]."""
    planes = torch.from_numpy(np.ascontiguousarray(field.transpose(2, 0, 1)))[None].float()
    return F.interpolate(planes, (SIZE_PX, SIZE_PX), mode=mode)[0].permute(1, 2, 0).numpy()


def smooth_field(rng: np.random.Generator, cells: int, channels: int) -> FloatArray:
    """Smooth random numbers of about unit variance, [128, 128, channels], bumps 128/cells px wide."""
    return _enlarged(rng.standard_normal((cells, cells, channels)).astype(np.float32))


def moved(picture: FloatArray, dx_px: FloatArray, dy_px: FloatArray) -> FloatArray:
    """The picture read at displaced points (bilinear, edges repeated); displacements [128, 128] in pixels."""
    x, y = _axis()
    grid = np.stack([x * 2 - 1 + dx_px * 2 / SIZE_PX, y * 2 - 1 + dy_px * 2 / SIZE_PX], -1).astype(np.float32)
    planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    out = F.grid_sample(planes, torch.from_numpy(grid)[None], padding_mode="border", align_corners=False)
    return out[0].permute(1, 2, 0).numpy()


def blurred(picture: FloatArray, sigma_px: float) -> FloatArray:
    """Gaussian blur, edges repeated."""
    reach = int(np.ceil(2.5 * sigma_px))
    tap = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2).astype(np.float32)
    kernel = torch.from_numpy(tap / tap.sum())
    planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[:, None]
    planes = F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel[None, None, None])
    planes = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), kernel[None, None, :, None])
    return planes[:, 0].permute(1, 2, 0).numpy()


def paint(picture: FloatArray, edge: FloatArray, thing: Thing, scene: Scene) -> FloatArray:
    """Paint any signed distance field [128, 128] (picture widths) as an object of a scene would be."""
    x, y = _axis()
    _, lx, ly = distance(thing)
    light = scene.background in LIGHT
    stroke = Stroke(edge, x, y, lx, ly, 1 / SIZE_PX, COLOURS[thing.colour], scene.phases, light)
    return STYLES[scene.style](stroke, picture)


def _background(scene: Scene) -> FloatArray:
    return np.array(BACKGROUNDS[scene.background](*_axis()), dtype=np.float32)


# -- nothing formed -------------------------------------------------------------------------------------------------


def noise(rng: np.random.Generator) -> FloatArray:
    """Noise of one scale or a mixture, on grey or on a background."""
    base = _background(_scene(rng)) if rng.random() < 0.5 else np.full((SIZE_PX, SIZE_PX, 3), rng.random(), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        cells = int(rng.choice([8, 12, 16, 32, 64, 128]))
        field = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        field = _enlarged(field, str(rng.choice(["nearest", "bicubic"])))
        base = base + field * np.float32(rng.uniform(0.12, 0.5))
    return base.astype(np.float32)


def blobs(rng: np.random.Generator) -> FloatArray:
    """Soft spots of the world's colours on one of its backgrounds."""
    x, y = _axis()
    picture = _background(_scene(rng))
    for _ in range(int(rng.integers(1, 7))):
        wide, high = rng.uniform(0.06, 0.25, 2)
        cx, cy = rng.uniform(0.2, 0.8, 2)
        spot = np.exp(-0.5 * (((x - cx) / wide) ** 2 + ((y - cy) / high) ** 2) ** rng.uniform(0.7, 1.5))[..., None]
        colour = np.asarray(COLOURS[str(rng.choice(COLOUR_NAMES))], np.float32)
        picture = picture + (colour - picture) * (spot * rng.uniform(0.6, 1)).astype(np.float32)
    return picture


def unknown_shape(rng: np.random.Generator) -> FloatArray:
    """A shape of no kind, one or two of it, painted in a style of the world."""
    scene = _scene(rng)
    picture = _background(scene)
    for thing in scene.things:
        _, lx, ly = distance(thing)
        n = int(rng.integers(6, 13))
        angles = np.sort(rng.uniform(0, 2 * np.pi, n)) if rng.random() < 0.5 else np.arange(n) * 2 * np.pi / n
        radii = rng.uniform(0.25, 1.05, n)
        if rng.random() < 0.5:  # corners, or a rounded outline
            corners = [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(radii, angles, strict=True)]
            edge = polygon(lx, ly, corners)
        else:
            theta, radius = np.arctan2(ly, lx), np.hypot(lx, ly)
            waves = [rng.normal(0, 0.24 / k**0.5) * np.cos(k * theta + rng.uniform(0, 6.28)) for k in range(2, 6)]
            edge = (radius - np.float32(0.68) - np.sum(waves, axis=0, dtype=np.float32)) * np.float32(0.8)
        picture = paint(picture, edge * np.float32(thing.size), thing, scene)
    return picture


# -- between two things ---------------------------------------------------------------------------------------------


def blend(rng: np.random.Generator) -> FloatArray:
    """Two different scenes seen through each other, often on the same background and in the same place."""
    first, second = _scene(rng), _scene(rng)
    while second.things[0].object == first.things[0].object:
        second = _scene(rng)
    if rng.random() < 0.6:
        second = replace(second, background=first.background)
    share = np.float32(rng.uniform(0.35, 0.65))
    return (render_array(first) * share + render_array(second) * (1 - share)).astype(np.float32)


@lru_cache(maxsize=1)
def morph_pairs() -> tuple[tuple[str, str], ...]:
    """Objects whose half-way shape is like neither (overlap under 0.8 with both)."""

    def overlap(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
        return float((a & b).sum() / (a | b).sum())

    edges = {name: distance(Thing(name, "red"), 64)[0] for name in OBJECTS}
    pairs = []
    for a, b in combinations(OBJECTS, 2):
        middle = (edges[a] + edges[b]) / 2 < 0
        if max(overlap(middle, edges[a] < 0), overlap(middle, edges[b] < 0)) < 0.8:
            pairs.append((a, b))
    return tuple(pairs)


def morph(rng: np.random.Generator) -> FloatArray:
    """A shape half-way between two objects (their distance fields mixed)."""
    scene = _scene(rng)
    picture = _background(scene)
    for thing in scene.things:
        a, b = morph_pairs()[int(rng.integers(len(morph_pairs())))]
        share = np.float32(rng.uniform(0.42, 0.58))
        edge = distance(replace(thing, object=a))[0] * share + distance(replace(thing, object=b))[0] * (1 - share)
        picture = paint(picture, edge.astype(np.float32), thing, scene)
    return picture


def overlapping(rng: np.random.Generator) -> FloatArray:
    """Two to five objects on top of each other, or more than the world ever shows."""
    scene = _scene(rng)
    things = []
    crowded = rng.random() < 0.5
    for _ in range(int(rng.integers(3, 6) if crowded else 2)):
        spread, size = (0.3, rng.uniform(0.12, 0.2)) if crowded else (0.13, rng.uniform(0.2, 0.34))
        x, y = rng.uniform(0.5 - spread, 0.5 + spread, 2)
        name, colour = str(rng.choice(OBJECTS)), str(rng.choice(COLOUR_NAMES))
        things.append(Thing(name, colour, float(x), float(y), float(size), float(rng.uniform(-0.3, 0.3))))
    if not crowded and np.hypot(things[0].x - things[1].x, things[0].y - things[1].y) < 0.08:
        things[1] = replace(things[1], x=things[1].x + 0.16)
    return render_array(replace(scene, things=tuple(things)))


def patchwork(rng: np.random.Generator) -> FloatArray:
    """Parts of two scenes with different backgrounds side by side, hard or soft edged."""
    first, second = _scene(rng), _scene(rng)
    while second.background == first.background:
        second = _scene(rng)
    field = smooth_field(rng, int(rng.integers(3, 6)), 1) * np.float32(rng.choice([2.0, 8.0]))
    share = 1 / (1 + np.exp(-field))
    return (render_array(first) * share + render_array(second) * (1 - share)).astype(np.float32)


# -- broken ---------------------------------------------------------------------------------------------------------


def half_erased(rng: np.random.Generator) -> FloatArray:
    """About a half of an object painted over with the background: one side, a band, or pieces."""
    x, y = _axis()
    while True:
        scene = _scene(rng)
        thing = scene.things[int(rng.integers(len(scene.things)))]
        shape = mask(thing)
        angle = rng.uniform(0, 2 * np.pi)
        along = (x - thing.x) * np.cos(angle) + (y - thing.y) * np.sin(angle)
        choice = rng.random()
        if choice < 0.45:
            gone = along > rng.uniform(-0.3, 0.3) * thing.size
        elif choice < 0.6:
            gone = np.abs(along) < rng.uniform(0.25, 0.5) * thing.size
        else:
            holes = smooth_field(rng, int(rng.integers(5, 11)), 1)[..., 0]
            gone = holes > rng.uniform(-0.3, 0.4)
        share = float((shape * gone).sum() / shape.sum())
        if 0.3 < share < 0.7:
            soft = blurred(gone[..., None].astype(np.float32), rng.uniform(0.5, 2.5))
            whole, bare = render_array(scene), _background(scene)
            return (whole + (bare - whole) * soft).astype(np.float32)


def heavily_blurred(rng: np.random.Generator) -> FloatArray:
    """So soft that the shape is gone."""
    return blurred(render_array(_scene(rng)), rng.uniform(8, 18))


def mush(rng: np.random.Generator) -> FloatArray:
    """Over-guided: broken pictures with contrast stretched to the limit and patches of wrong colour."""
    broken = (blend, morph, warped, half_erased, unknown_shape, overlapping)
    picture = broken[int(rng.integers(len(broken)))](rng)
    mean = picture.mean((0, 1), keepdims=True)
    picture = np.clip(mean + (picture - mean) * np.float32(rng.uniform(1.5, 5)), 0, 1)
    for _ in range(int(rng.integers(0, 5))):
        size = int(rng.integers(8, 33))
        row, column = rng.integers(0, SIZE_PX - size, 2)
        colour = rng.random(3).astype(np.float32).round() if rng.random() < 0.5 else rng.random(3)
        patch = picture[row : row + size, column : column + size]
        patch += (colour.astype(np.float32) - patch) * np.float32(rng.uniform(0.5, 1))
    return picture + smooth_field(rng, int(rng.choice([16, 32])), 3) * np.float32(rng.uniform(0, 0.15))


def shuffled(rng: np.random.Generator) -> FloatArray:
    """The middle of a picture cut into squares, put back in another order."""
    scene = _scene(rng)
    picture = render_array(scene)
    size = int(rng.choice([16, 32]))
    count = SIZE_PX // size
    squares = [(r, c) for r in range(count) for c in range(count)]
    covered = np.maximum.reduce([mask(t) for t in scene.things])
    shares = covered.reshape(count, size, count, size).mean((1, 3))
    full = [square for square in squares if shares[square] > 0.1]
    order = rng.permutation(len(full))
    while len(full) > 1 and (order == np.arange(len(full))).mean() > 0.3:
        order = rng.permutation(len(full))
    out = picture.copy()
    for (r, c), i in zip(full, order, strict=True):
        fr, fc = full[i]
        out[r * size : (r + 1) * size, c * size : (c + 1) * size] = picture[
            fr * size : (fr + 1) * size, fc * size : (fc + 1) * size
        ]
    return out


def warped(rng: np.random.Generator) -> FloatArray:
    """Bent so far that the shape is lost."""
    field = smooth_field(rng, int(rng.integers(4, 8)), 2) * np.float32(rng.uniform(7, 13))
    return moved(render_array(_scene(rng)), field[..., 0], field[..., 1])


# -- kept for the evaluation ----------------------------------------------------------------------------------------


def swirled(rng: np.random.Generator) -> FloatArray:
    """Turned about a point, most in the middle."""
    x, y = _axis()
    scene = _scene(rng)
    while any(t.object in ("circle", "ring") for t in scene.things):  # a turn leaves these as they are
        scene = _scene(rng)
    thing = scene.things[0]
    dx, dy = x - np.float32(thing.x), y - np.float32(thing.y)
    turn = rng.choice([-1, 1]) * rng.uniform(2.5, 4) * np.exp(-np.hypot(dx, dy) / rng.uniform(0.12, 0.2))
    cos, sin = np.cos(turn), np.sin(turn)
    return moved(render_array(scene), (cos * dx - sin * dy - dx) * SIZE_PX, (sin * dx + cos * dy - dy) * SIZE_PX)


def smeared(rng: np.random.Generator) -> FloatArray:
    """Dragged in one direction by more than half an object."""
    picture = render_array(_scene(rng))
    angle, length = rng.uniform(0, np.pi), rng.uniform(36, 60)
    copies = []
    for step in np.linspace(-0.5, 0.5, 24):
        ones = np.ones((SIZE_PX, SIZE_PX), np.float32)
        copies.append(moved(picture, ones * step * length * np.cos(angle), ones * step * length * np.sin(angle)))
    return np.asarray(np.mean(copies, axis=0, dtype=np.float32))


def halves(rng: np.random.Generator) -> FloatArray:
    """The left half of one object beside the right half of another, same place, style, colour and background."""
    scene = _scene(rng)
    thing = scene.things[0]
    a, b = morph_pairs()[int(rng.integers(len(morph_pairs())))]
    _, lx, _ = distance(thing)
    edge = np.where(lx < 0, distance(replace(thing, object=a))[0], distance(replace(thing, object=b))[0])
    return paint(_background(scene), edge.astype(np.float32), thing, scene)


KINDS: Mapping[str, GarbageMaker] = {
    f.__name__: f
    for f in (
        noise,
        blobs,
        unknown_shape,
        blend,
        morph,
        overlapping,
        patchwork,
        half_erased,
        heavily_blurred,
        mush,
        shuffled,
        warped,
    )
}
UNSEEN_KINDS: Mapping[str, GarbageMaker] = {f.__name__: f for f in (swirled, smeared, halves)}


def garbage(kind: str, index: int, seed: int) -> npt.NDArray[np.uint8]:
    """Picture number `index` of a kind, [128, 128, 3] uint8; the same on every machine."""
    rng = np.random.default_rng((seed, index, *kind.encode()))
    make = KINDS[kind] if kind in KINDS else UNSEEN_KINDS[kind]
    return (np.clip(make(rng), 0, 1) * 255 + 0.5).astype(np.uint8)
