"""Headers: read without torch, and every broken file refused in a sentence that names it."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.core.errors import AssetError
from studio.engine.edits import header
from studio.engine.edits.header import read_header


def write(path: Path, entries: object, numbers: bytes = b"", text: bytes | None = None) -> Path:
    told = json.dumps(entries).encode() if text is None else text
    path.write_bytes(struct.pack("<Q", len(told)) + told + numbers)
    return path


def tensor(begin: int, end: int, shape: object = (1,), dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_reads_what_the_library_wrote(tmp_path: Path) -> None:
    tensors = {
        "b": torch.zeros(2, 3),
        "a": torch.zeros((), dtype=torch.int64),
        "c": torch.zeros(4, dtype=torch.bfloat16),
    }
    save_file(tensors, tmp_path / "x.safetensors", {"who": "me"})
    read = read_header(tmp_path / "x.safetensors")
    assert read.metadata == {"who": "me"}
    assert {name: (info.dtype, info.shape) for name, info in read.tensors.items()} == {
        "b": ("F32", (2, 3)),
        "a": ("I64", ()),
        "c": ("BF16", (4,)),
    }


@pytest.mark.parametrize(
    ("entries", "numbers", "said"),
    [
        ({"a": tensor(0, 8)}, b"\0" * 8, "room that does not fit its shape"),
        ({"a": tensor(4, 8)}, b"\0" * 8, "overlap or leave a gap"),
        ({"a": tensor(0, 4), "b": tensor(0, 4)}, b"\0" * 4, "overlap or leave a gap"),
        ({"a": tensor(0, 4)}, b"\0" * 8, "4 bytes that belong to no tensor"),
        ({"a": tensor(0, 4)}, b"\0" * 3, "cut short: the tensor 'a' ends 1 bytes past it"),
        ({"a": tensor(0, 4, [2**61, 2**61])}, b"\0" * 4, "makes no sense"),
        ({"a": tensor(0, 4, [-1])}, b"\0" * 4, "makes no sense"),
        ({"a": tensor(0, 4, [True])}, b"\0" * 4, "makes no sense"),
        ({"a": tensor(0, 4, dtype="F4")}, b"\0" * 4, "makes no sense"),
        ({"a": tensor(4, 0)}, b"\0" * 4, "does not fit its shape"),
        ({"a": 3}, b"", "makes no sense"),
        ({"a" * 1001: tensor(0, 4)}, b"\0" * 4, "makes no sense"),
        ({"__metadata__": {"a": 1}}, b"", "metadata that is not made of texts"),
        ([], b"", "not a JSON object"),
    ],
)
def test_refuses(tmp_path: Path, entries: object, numbers: bytes, said: str) -> None:
    path = write(tmp_path / "broken.safetensors", entries, numbers)
    with pytest.raises(AssetError, match=said) as raised:
        read_header(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "header that cannot be read"),
        (b"\xff{}", "header that cannot be read"),
        (b'{"a": 1, "a": 2}', "the name 'a' stands twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": [' + b"0," * 120_000 + b"0]}", "it has more than 120000 values"),
    ],
)
def test_refuses_a_header_that_is_none(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(AssetError, match=said):
        read_header(write(tmp_path / "broken.safetensors", {}, text=text))


def test_refuses_lengths_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broken.safetensors"
    for start, said in [
        (b"", "too short"),
        (b"\0\0\0", "too short"),
        (struct.pack("<Q", 2**40), "not a safetensors file"),
        (struct.pack("<Q", 100) + b"{}", "cut short"),
    ]:
        path.write_bytes(start)
        with pytest.raises(AssetError, match=said):
            read_header(path)
    with monkeypatch.context() as patch, pytest.raises(AssetError, match="its header would have 61 bytes"):
        patch.setattr(header, "MAX_HEADER_BYTES", 60)
        read_header(write(path, {"a": tensor(0, 4)}, b"\0" * 4))
    monkeypatch.setattr(header, "MAX_FILE_BYTES", 9)
    with pytest.raises(AssetError, match="at most 9 are read"):
        read_header(write(path, {}))
    monkeypatch.setattr(header, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(header, "MAX_TENSORS", 1)
    with pytest.raises(AssetError, match="has 2 tensors"):
        read_header(write(path, {"a": tensor(0, 4), "b": tensor(4, 8)}, b"\0" * 8))
    with pytest.raises(AssetError, match="No such file"):
        read_header(tmp_path / "nothing.safetensors")
    with pytest.raises(AssetError, match="Is a directory|cannot be read"):
        read_header(tmp_path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "bare.safetensors").write_bytes(pickle.dumps({"lora": [1, 2, 3]}))
    torch.save({"lora": torch.zeros(2)}, tmp_path / "zipped.safetensors")
    write(tmp_path / "honest.ckpt", {})
    for name in ("bare.safetensors", "zipped.safetensors", "honest.ckpt"):
        with pytest.raises(AssetError, match=r"is a pickle, which can run programs"):
            read_header(tmp_path / name)
