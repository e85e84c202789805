"""Pictures people have: whichever program wrote them, the prompt is read; copies and what is none are named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.services.labels import incoming
from studio.services.labels.incoming import Incoming, collect, files_in, read_incoming
from tests.services.labels.foreign_files import PROGRAMS, a1111, ours, pixels, png, with_exif

PROMPT = "a star at night"


def stored(picture: Incoming) -> Image.Image:
    return Image.open(io.BytesIO(picture.png()))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_prompt_is_read_whichever_program_wrote_it(tmp_path: Path, program: str) -> None:
    write, ending, model = PROGRAMS[program]
    picture = read_incoming(write(tmp_path / f"picture{ending}", PROMPT, 3))
    assert (picture.prompt, picture.model, picture.source) == (PROMPT, model, f"picture{ending}")
    assert (picture.width, picture.height) == (128, 128)
    is_ours = program == "Palimpsest"
    assert picture.recipe == (Recipe(prompt=PROMPT, seed=3, model="elsewhere") if is_ours else None)
    assert picture.settings["seed"] == "3" and (is_ours or picture.settings["negative prompt"] == "blur")
    image = stored(picture)
    assert image.format == "PNG" and not image.info  # no word of its making goes out with it
    if ending == ".png":
        assert np.array_equal(np.asarray(image), np.asarray(pixels(3)))


def test_a_folder_is_sorted_by_prompt_and_size_without_copies_and_what_is_refused_is_named(tmp_path: Path) -> None:
    within = tmp_path / "within"
    within.mkdir()
    for number in range(4):
        a1111(tmp_path / f"star{number}.png", PROMPT, number)
    a1111(within / "other.PNG", "a moon", 9)
    with_exif(within / "copy.jpg", PROMPT, 2)
    png(tmp_path / "plain.png", 5)
    png(tmp_path / "captioned.png", 6)
    (tmp_path / "captioned.txt").write_text(f"\ufeff{PROMPT}\n")
    pixels(1).resize((256, 128)).save(tmp_path / "wide.png")
    (tmp_path / "page.png").write_bytes(b"<html>")
    (tmp_path / "cut.png").write_bytes((tmp_path / "star0.png").read_bytes()[:300])
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to(tmp_path / "star0.png")

    collection = collect(files_in(tmp_path))
    groups = {(group.prompt, group.width): [p.source for p in group.pictures] for group in collection.groups}
    assert groups == {
        (PROMPT, 128): ["captioned.png", "star0.png", "star1.png", "star2.png", "star3.png"],
        ("", 128): ["plain.png"],
        ("", 256): ["wide.png"],
        ("a moon", 128): ["other.PNG"],
    }
    assert [(copy.source, first.source) for copy, first in collection.duplicates] == [("copy.jpg", "star2.png")]
    assert [refused.source for refused in collection.refused] == ["cut.png", "page.png"]
    assert "damaged" in collection.refused[0].reason and "not a PNG" in collection.refused[1].reason
    assert len(collection.pictures) == len({picture.file_sha256 for picture in collection.pictures}) == 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".webp", ".png"])
def test_a_picture_that_lies_on_its_side_is_turned_and_it_says_so(
    tmp_path: Path, orientation: int, ending: str
) -> None:
    upright = pixels(1).crop((0, 0, 128, 96))
    lying_by = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's numbers, the reverse of each
    lying = upright.transpose(lying_by[orientation]) if orientation > 1 else upright  # type: ignore[arg-type]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"side{ending}"
    lying.save(file, exif=exif.tobytes(), quality=95)
    picture = read_incoming(file)
    assert (picture.width, picture.height) == (128, 96)
    error = np.abs(np.asarray(stored(picture), dtype=int) - np.asarray(upright, dtype=int)).mean()
    assert error < (0.5 if ending == ".png" else 6)  # compression aside
    assert [remark.split(",")[-1] for remark in picture.remarks] == [" as its EXIF says"] * (orientation > 1)


@pytest.mark.parametrize(
    ("mode", "ending", "remark"),
    [
        ("RGBA", ".png", "laid on white, for it is transparent"),
        ("RGBA", ".webp", "laid on white, for it is transparent"),
        ("LA", ".png", "laid on white, for it is transparent"),
        ("P", ".png", ""),
        ("1", ".png", ""),
        ("I;16", ".png", "in 8 bits of its 16"),
        ("CMYK", ".jpg", ""),
    ],
)
def test_pixels_of_every_kind_become_what_one_sees(tmp_path: Path, mode: str, ending: str, remark: str) -> None:
    image = Image.new(mode, (16, 16))
    image.save(tmp_path / f"a{ending}")
    picture = read_incoming(tmp_path / f"a{ending}")
    assert list(picture.remarks) == [remark] * bool(remark)
    is_white = mode in ("RGBA", "LA", "CMYK")  # nothing of it is opaque, and no ink
    assert stored(picture).getpixel((3, 3)) == ((255,) * 3 if is_white else (0,) * 3)


def test_sixteen_bits_are_not_cut_off_at_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 0x8000, dtype=np.uint16)).save(tmp_path / "a.png")
    assert stored(read_incoming(tmp_path / "a.png")).getpixel((0, 0)) == (128, 128, 128)


def test_the_first_frame_of_what_moves_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for ending in (".webp", ".png"):
        frames[0].save(tmp_path / f"a{ending}", save_all=True, append_images=frames[1:], lossless=True)
        picture = read_incoming(tmp_path / f"a{ending}")
        assert stored(picture).getpixel((8, 8)) == (255, 0, 0)


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".png"])
def test_pictures_too_large_or_too_thin_are_refused_before_they_are_unpacked(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1" if ending == ".png" else "RGB", (4200, 4100)).save(tmp_path / f"big{ending}")
    Image.new("RGB", (300, 4)).save(tmp_path / f"thin{ending}")
    with pytest.raises(BadInput, match="a side has 8 to"):
        read_incoming(tmp_path / f"thin{ending}")
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("unpacked"))
    with pytest.raises(BadInput, match="4200 x 4100 pixels"):
        read_incoming(tmp_path / f"big{ending}")


def test_folders_that_hold_nothing_or_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="There is no folder"):
        files_in(tmp_path / "none")
    with pytest.raises(BadInput, match=r"holds no \.png"):
        files_in(tmp_path)
    ours(tmp_path / "a.png", PROMPT, 1)
    ours(tmp_path / "b.png", PROMPT, 2)
    monkeypatch.setattr(incoming, "MAX_FILES", 1)
    with pytest.raises(BadInput, match="At most 1 pictures are taken at once, not 2"):
        files_in(tmp_path)
