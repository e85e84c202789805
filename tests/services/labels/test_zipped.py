"""Folders of labels as zip files: packed and unpacked again, and what is refused of a stranger's."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.core.errors import BadInput, Cancelled
from studio.services.labels import zipped


def made(path: Path, *members: tuple[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_a_folder_is_packed_and_comes_back_with_all_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("labels.jsonl", ".hidden", "images/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    packed = zipped.pack(folder, tmp_path / "set.zip")
    out = tmp_path / "out"
    out.mkdir()
    root = zipped.unpack(packed, out)
    assert root == out and {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()} == {
        name: name.encode() for name in ("labels.jsonl", ".hidden", "images/a.png")
    }
    inner = made(tmp_path / "one.zip", ("set/labels.jsonl", b"{}"), ("__MACOSX/._set", b"x"))
    (tmp_path / "one").mkdir()
    assert zipped.unpack(inner, tmp_path / "one") == tmp_path / "one" / "set"
    with pytest.raises(Cancelled):
        zipped.unpack(packed, tmp_path / "one", lambda: True)
    with pytest.raises(Cancelled):
        zipped.pack(folder, tmp_path / "again.zip", lambda: True)


def a_link(path: Path) -> Path:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def cut(path: Path) -> Path:
    made(path, ("a.png", b"x" * 5000))
    path.write_bytes(path.read_bytes()[:3000])
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: made(path, ("../out.txt", b"x")), "outside of its folder"),
        (lambda path: made(path, ("/etc/out.txt", b"x")), "outside of its folder"),
        (lambda path: made(path, ("C:\\out.txt", b"x")), "outside of its folder"),
        (lambda path: made(path, ("x" * 300, b"x")), "outside of its folder"),
        (lambda path: made(path, ("a", b"x"), ("a", b"y")), "two files"),
        (lambda path: made(path, ("a", b"\0" * 80_000_000), packing=zipfile.ZIP_DEFLATED), "far more than it is"),
        (lambda path: made(path, ("a", b"x"), packing=zipfile.ZIP_BZIP2), "not read"),
        (a_link, "holds a link"),
        (cut, "cannot be unpacked"),
    ],
)
def test_what_would_lie_elsewhere_or_unpacks_to_too_much_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    packed, out = make(tmp_path / "set.zip"), tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadInput, match=reason):
        zipped.unpack(packed, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set.zip"]
