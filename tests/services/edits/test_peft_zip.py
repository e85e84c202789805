"""Strangers' archives: what is refused is refused before it is unpacked, and nothing of it is left."""

from __future__ import annotations

import io
import json
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from studio.core.errors import AssetError, BadInput, StudioError
from studio.services.edits import peft_zip
from studio.services.edits.peft_zip import CONFIG, WEIGHTS, opened

CONFIG_BYTES = json.dumps({"peft_type": "LORA", "lora_alpha": 4, "r": 4}).encode()
GOOD = save({"conv_in.lora_A.weight": torch.ones(4, 8), "conv_in.lora_B.weight": torch.ones(8, 4)})
Member = tuple[str | zipfile.ZipInfo, bytes]


def pack(path: Path, *members: Member, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where archives are unpacked; empty again after every test."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes came out of members."""
    counts: list[int] = []
    read = zipfile.ZipExtFile.read

    def counting(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = read(self, n)
        counts.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    return counts


@pytest.mark.parametrize("start", ["", "folder/", "a/b/c/", "folder\\", "./"])
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zipped_folder_is_the_folder(tmp_path: Path, temporary: Path, start: str, packing: int) -> None:
    members = [(start + CONFIG, CONFIG_BYTES), (start + WEIGHTS, GOOD), ("README.md", b"x" * 1000), ("a/", b"")]
    with opened(pack(tmp_path / "mine.zip", *members, packing=packing)) as folder:
        assert folder.name == "mine" and folder.is_relative_to(temporary)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {CONFIG: CONFIG_BYTES, WEIGHTS: GOOD}


def test_a_file_is_itself_and_is_called_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    with opened(file) as same:
        assert same == file
    with pytest.raises(AssetError, match=r"^The file mine\.safetensors is broken\.$") as raised, opened(file) as same:
        raise AssetError(f"The file {same} is broken.")
    assert raised.value.args == ("The file mine.safetensors is broken.",)


def test_files_inside_are_called_by_the_archives_name(tmp_path: Path, temporary: Path) -> None:
    archive = pack(tmp_path / "mine.zip", (CONFIG, CONFIG_BYTES), (WEIGHTS, GOOD))
    with pytest.raises(BadInput, match=rf"^{WEIGHTS} in mine\.zip, {CONFIG} in mine\.zip$"), opened(archive) as folder:
        raise BadInput(f"{folder / WEIGHTS}, {folder / CONFIG}")


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def inner() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr(WEIGHTS, GOOD)
    return data.getvalue()


def bomb(size: int) -> bytes:
    """A header that is in order, and zeros."""
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


C = (CONFIG, CONFIG_BYTES)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([C], f"must hold {WEIGHTS} once"),
        ([C, C, (WEIGHTS, GOOD)], f"must hold {CONFIG} once"),
        ([C, (f"a/{WEIGHTS}", GOOD), (f"b/{WEIGHTS}", GOOD)], f"must hold {WEIGHTS} once"),
        ([C, (WEIGHTS, GOOD), ("../x", b"")], "outside of its folder, '../x'"),
        ([C, (f"/{WEIGHTS}", GOOD)], "outside of its folder"),
        ([C, (f"a/../../{WEIGHTS}", GOOD)], "outside of its folder"),
        ([C, (f"..\\{WEIGHTS}", GOOD)], "outside of its folder"),
        ([C, (f"C:\\{WEIGHTS}", GOOD)], "outside of its folder"),
        ([C, (link(WEIGHTS), b"/etc/passwd")], f"holds a link in place of {WEIGHTS}"),
        ([(link(CONFIG), b"/etc/passwd"), (WEIGHTS, GOOD)], f"holds a link in place of {CONFIG}"),
        ([C, (WEIGHTS, inner())], f"The file {WEIGHTS} in mine.zip is a pickle"),
        ([C, ("inner.zip", inner())], f"must hold {WEIGHTS} once"),
        ([C, (WEIGHTS, b"")], "is too short to be a safetensors file"),
        ([C, (WEIGHTS, GOOD[:-1])], "is cut short"),
        ([C, (WEIGHTS, GOOD + b"\0")], "1 bytes that belong to no tensor"),
        ([(CONFIG, b" " * 2_000_000), (WEIGHTS, GOOD)], "of 2000000 bytes; at most 1000000 are read"),
        ([C, (WEIGHTS, GOOD), *((str(n), b"") for n in range(60))], "has 62 files"),
    ],
)
def test_archives_that_are_refused(
    tmp_path: Path, temporary: Path, unpacked: list[int], members: list[Member], said: str
) -> None:
    with pytest.warns(UserWarning) if said.endswith("config.json once") else pytest.MonkeyPatch.context():
        archive = pack(tmp_path / "mine.zip", *members)
    with pytest.raises(StudioError, match=said) as raised, opened(archive):
        pytest.fail("it was opened")
    assert "mine.zip" in str(raised.value) and str(tmp_path) not in str(raised.value)
    assert sum(unpacked) < 10_000


def patched(archive: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(archive.read_bytes())
    change(data)
    archive.write_bytes(data)
    return archive


def entry_of_weights(data: bytearray) -> int:
    """Where the directory's entry of the weights begins."""
    return data.rindex(WEIGHTS.encode()) - 46


def says_size(size: int) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into("<I", data, entry_of_weights(data) + 24, size)


def says_packed_size(size: int) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into("<I", data, entry_of_weights(data) + 20, size)


def overlaps(data: bytearray) -> None:
    """Let both entries be of the same bytes."""
    struct.pack_into("<I", data, entry_of_weights(data) + 42, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (says_size(len(GOOD) - 4), "cannot be unpacked: Bad CRC-32"),
        (says_size(len(GOOD) + 4), "4 bytes that belong to no tensor"),
        (says_size(0), "cannot be unpacked: Bad CRC-32"),
        (says_size(2**32 - 2), "times its size: no weights do"),
        (says_packed_size(2**31), "is cut short: its files take"),
        (overlaps, "has files that overlap"),
    ],
)
def test_entries_that_lie(
    tmp_path: Path, temporary: Path, unpacked: list[int], change: Callable[[bytearray], None], said: str
) -> None:
    archive = patched(pack(tmp_path / "mine.zip", C, (WEIGHTS, GOOD)), change)
    with pytest.raises(StudioError, match=said) as raised, opened(archive):
        pytest.fail("it was opened")
    assert "mine.zip" in str(raised.value) and sum(unpacked) < 10_000


def test_a_member_that_is_longer_than_its_header_and_its_entry_say(tmp_path: Path, temporary: Path) -> None:
    """The header agrees with the lie, so that only unpacking can tell."""
    archive = patched(pack(tmp_path / "mine.zip", C, (WEIGHTS, GOOD + bytes(100_000))), says_size(len(GOOD)))
    with pytest.raises(BadInput, match=r"The archive mine\.zip cannot be unpacked: Bad CRC-32"), opened(archive):
        pytest.fail("it was opened")


def test_a_member_that_is_shorter_than_its_header_and_its_entry_say(tmp_path: Path, temporary: Path) -> None:
    whole = bomb(1000)
    archive = patched(pack(tmp_path / "mine.zip", C, (WEIGHTS, whole[:-4])), says_size(len(whole)))
    with (
        pytest.raises(BadInput, match=rf"The archive mine\.zip is cut short: {WEIGHTS} lacks 4 bytes"),
        opened(archive),
    ):
        pytest.fail("it was opened")


def test_what_unpacks_to_many_times_its_size_is_no_weights(
    tmp_path: Path, temporary: Path, unpacked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "mine.zip", C, (WEIGHTS, bomb(3_000_000)))
    with opened(archive) as folder:
        assert (folder / WEIGHTS).stat().st_size > 3_000_000, "a small file may be whatever it is"
    unpacked.clear()
    monkeypatch.setattr(peft_zip, "SMALL_BYTES", 1_000_000)
    with pytest.raises(BadInput, match=r"unpacks to 3 MB, \d+ times its size: no weights do"), opened(archive):
        pytest.fail("it was opened")
    assert sum(unpacked) == 0


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_unpack_without_a_bound_are_not_read(
    tmp_path: Path, temporary: Path, unpacked: list[int], packing: int
) -> None:
    archive = pack(tmp_path / "mine.zip", C, (WEIGHTS, GOOD), packing=packing)
    with (
        pytest.raises(BadInput, match="in a way that is not read. Pack the folder as an ordinary zip"),
        opened(archive),
    ):
        pytest.fail("it was opened")
    assert sum(unpacked) == 0


def test_a_directory_of_many_entries_is_not_read(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "mine.zip", *((f"{n:06}", b"") for n in range(2000)), C, (WEIGHTS, GOOD))
    entries: list[int] = []
    make = zipfile.ZipInfo.__init__
    monkeypatch.setattr(zipfile.ZipInfo, "__init__", lambda self, *names: (entries.append(1), make(self, *names))[1])
    with (
        pytest.raises(BadInput, match=r"The archive mine\.zip has too many files; a peft folder has two"),
        opened(archive),
    ):
        pytest.fail("it was opened")
    assert entries == []


def test_an_archive_with_a_long_comment_and_long_names_is_read(tmp_path: Path, temporary: Path) -> None:
    archive = pack(tmp_path / "mine.zip", C, (WEIGHTS, GOOD), *((f"{n}{'x' * 1000}", b"") for n in range(40)))
    with zipfile.ZipFile(archive, "a") as made:
        made.comment = b"x" * 65_535
    with opened(archive) as folder:
        assert (folder / WEIGHTS).read_bytes() == GOOD


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 18, b"x" * 100_000, inner()[:-30]])
def test_what_is_no_archive(tmp_path: Path, temporary: Path, data: bytes) -> None:
    (tmp_path / "mine.zip").write_bytes(data)
    with pytest.raises(BadInput, match="The archive mine.zip"), opened(tmp_path / "mine.zip"):
        pytest.fail("it was opened")


def test_a_full_disk_leaves_nothing(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path / "mine.zip", C, (WEIGHTS, GOOD))

    def refuse(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(peft_zip, "unpack_member", refuse)
    with pytest.raises(BadInput, match="cannot be unpacked: .*No space left on device"), opened(archive):
        pytest.fail("it was opened")
