"""Checksums: a damaged or missing file is named, with both sums."""

import hashlib
from pathlib import Path

import pytest

from studio.core.errors import AssetError
from studio.models import checksums
from studio.models.checksums import SUMS_NAME, fingerprint, known_sha256, read_sums, verify

GOOD = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "a.safetensors").write_bytes(b"weights")
    (tmp_path / SUMS_NAME).write_text(f"{GOOD}  unet/a.safetensors\n")
    return tmp_path


def test_good(folder: Path) -> None:
    assert verify(folder, required=True) == {"unet/a.safetensors": GOOD}


def test_corrupt_names_file_and_both_sums(folder: Path) -> None:
    (folder / "unet" / "a.safetensors").write_bytes(b"weighty")
    bad = hashlib.sha256(b"weighty").hexdigest()
    with pytest.raises(AssetError, match=f"unet/a.safetensors is damaged.*{bad}.*{GOOD}"):
        verify(folder, required=True)


def test_missing_file(folder: Path) -> None:
    (folder / "unet" / "a.safetensors").unlink()
    with pytest.raises(AssetError, match=f"unet/a.safetensors is missing.*{GOOD}"):
        verify(folder, required=True)


def test_missing_list(folder: Path) -> None:
    (folder / SUMS_NAME).unlink()
    assert verify(folder, required=False) == {}
    with pytest.raises(AssetError, match="has no SHA256SUMS"):
        verify(folder, required=True)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="is missing"):
        verify(tmp_path / "nowhere", required=False)


@pytest.mark.parametrize("text", ["", "abc  file", f"{GOOD}", f"{GOOD}  ../other", f"{GOOD}  /etc/passwd"])
def test_what_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / SUMS_NAME).write_text(text)
    with pytest.raises(AssetError):
        read_sums(tmp_path / SUMS_NAME)


def test_fingerprint_is_of_contents_and_paths_alone(folder: Path) -> None:
    files = ("unet/a.safetensors",)
    hashed = fingerprint(folder, files, {})
    assert hashed == fingerprint(folder, files, {"unet/a.safetensors": GOOD})
    (folder / "unet" / "a.safetensors").write_bytes(b"others")
    assert fingerprint(folder, files, {}) != hashed
    with pytest.raises(AssetError, match="missing"):
        fingerprint(folder, ("nothing",), {})


def test_a_hash_is_remembered_until_the_file_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = folder / "unet" / "a.safetensors", []
    original = checksums.file_sha256
    monkeypatch.setattr(checksums, "file_sha256", lambda path: (read.append(path), original(path))[1])
    assert known_sha256(path) == known_sha256(path) == GOOD and len(read) == 1
    path.write_bytes(b"other weights")
    assert known_sha256(path) == hashlib.sha256(b"other weights").hexdigest()
    path.unlink()
    with pytest.raises(AssetError, match="is missing"):
        known_sha256(path)
