"""Headers of weight files: what they say, and a sentence for every way a file can be wrong."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.core.errors import AssetError
from studio.models.weights import MAX_HEADER_BYTES, find_weights, read_header, read_weights

STEM = "diffusion_pytorch_model"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / f"{STEM}.safetensors"
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.float16)}, path, {"format": "pt"})
    return path


def test_reads_what_is_there(good: Path) -> None:
    found = find_weights(good.parent, STEM)
    assert (found.files, found.variant, found.dtype, found.values) == ((good,), "", "fp32", 17)
    assert found.shapes == {"a": (3, 4), "b": (5,)}


def with_header(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no safetensors file, or cut short"),
        (b"\x01", "no safetensors file, or cut short"),
        (with_header(b"{}", length=2**40), "no safetensors file, or cut short"),
        (with_header(b"{}", length=2**63), "no safetensors file, or cut short"),
        (pickle.dumps({"a": 1}), "no safetensors file"),
        (with_header(b"not json"), "header cannot be read"),
        (with_header(b"[1]"), "header cannot be read"),
        (with_header(b"[" * 100_000), "header cannot be read"),
        (with_header(json.dumps({"a": 3}).encode()), "header cannot be read"),
        (with_header(json.dumps({"a": {**ENTRY, "data_offsets": [0, 12]}}).encode(), b"0" * 12), "cannot be read"),
        (with_header(json.dumps({"a": {**ENTRY, "shape": [-2]}}).encode(), b"0" * 8), "header cannot be read"),
        (with_header(json.dumps({"a": ENTRY}).encode(), b"0" * 5), "cut short"),
        (with_header(json.dumps({"a": ENTRY}).encode(), b"0" * 9), "damaged"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=says) as caught:
        read_header(path)
    assert str(path) in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="cannot be read: No such file"):
        read_header(tmp_path / "x.safetensors")
    with pytest.raises(AssetError, match="are missing"):
        find_weights(tmp_path, STEM)


def test_pickles_are_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.bin").write_bytes(b"")
    with pytest.raises(AssetError, match="are pickles, .* never loaded. Save the model as safetensors"):
        find_weights(tmp_path, STEM)


def test_half_precision_variant_where_there_is_no_other(good: Path) -> None:
    half = good.with_name(f"{STEM}.fp16.safetensors")
    half.write_bytes(good.read_bytes())
    assert find_weights(good.parent, STEM).variant == ""
    good.unlink()
    assert find_weights(half.parent, STEM).variant == "fp16"


def shard(folder: Path, *names: str) -> None:
    index = {"weight_map": {str(n): name for n, name in enumerate(names)}}
    (folder / f"{STEM}.safetensors.index.json").write_text(json.dumps(index))


def test_shards(tmp_path: Path) -> None:
    for n in (1, 2):
        save_file({f"w{n}": torch.zeros(n)}, tmp_path / f"{n}.safetensors")
    shard(tmp_path, "2.safetensors", "1.safetensors", "2.safetensors")
    found = find_weights(tmp_path, STEM)
    assert [path.name for path in found.files] == ["1.safetensors", "2.safetensors"] and found.values == 3
    (tmp_path / "2.safetensors").unlink()
    with pytest.raises(AssetError, match="2.safetensors are missing"):
        find_weights(tmp_path, STEM)


@pytest.mark.parametrize("name", ["../x.safetensors", "sub/x.safetensors", "x.bin"])
def test_shards_elsewhere_or_of_another_kind_are_refused(tmp_path: Path, name: str) -> None:
    shard(tmp_path, name)
    with pytest.raises(AssetError, match="which is no safetensors file beside it"):
        find_weights(tmp_path, STEM)


def test_a_list_of_shards_that_is_none(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.safetensors.index.json").write_text("[]")
    with pytest.raises(AssetError, match="list of weight files"):
        find_weights(tmp_path, STEM)


def test_an_empty_file_of_weights_has_no_values(tmp_path: Path) -> None:
    save_file({}, tmp_path / "x.safetensors")
    assert read_weights((tmp_path / "x.safetensors",)).values == 0


def test_a_header_is_counted_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"{STEM}.safetensors"
    path.write_bytes(with_header(b'{"a":[' + b"[]," * 300_000 + b"[]]}"))
    monkeypatch.setattr(json, "loads", lambda *args, **more: pytest.fail("parsed"))
    with pytest.raises(AssetError, match="their header cannot be read"):
        read_header(path)
    path.write_bytes(with_header(b"", length=MAX_HEADER_BYTES + 1))
    with path.open("r+b") as file:
        file.truncate(2 * MAX_HEADER_BYTES)
    with pytest.raises(AssetError, match="no safetensors file, or cut short"):
        read_header(path)
