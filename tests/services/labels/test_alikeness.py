"""Near-duplicates by their look: a copy of another size and compression is one, another colour or place is none."""

import io

import numpy as np
from PIL import Image

from studio.services.labels.alikeness import HASH_BITS, alike_groups, are_alike, distance, look_of
from studio.world.render import render
from studio.world.scene import one_object


def picture(object: str = "star", colour: str = "red", **values: str) -> Image.Image:
    return render(one_object(object, colour, **values))  # type: ignore[arg-type]


def compressed(image: Image.Image, quality: int = 60) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def test_copies_are_alike_and_pictures_of_other_content_are_not() -> None:
    look = look_of(picture())
    assert distance(look, look) == 0 and look.bits.size == HASH_BITS
    for copy in (compressed(picture()), picture().resize((512, 512)), compressed(picture().resize((64, 64)))):
        assert are_alike(look, look_of(copy))
    for other in (
        picture(colour="blue"),
        picture("heart"),
        picture(style="neon"),
        picture(place="left"),
        picture(background="black"),
        picture().rotate(90),
        picture().resize((256, 128)),
    ):
        assert not are_alike(look, look_of(other))


def test_pictures_without_steps_are_told_apart_by_their_thumbnails() -> None:
    plain = [Image.new("RGB", (64, 64), colour) for colour in ("white", "black", "#fefefe")]
    assert alike_groups([look_of(image) for image in plain]) == [[0, 2], [1]]
    transparent = Image.fromarray(np.zeros((8, 8, 4), np.uint8))
    assert are_alike(look_of(transparent), look_of(Image.new("RGB", (8, 8))))
