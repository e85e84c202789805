"""Files of torch.save: their tensors are found without unpickling, and what strangers may put there does no harm."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from studio.core.errors import AssetError
from studio.engine.edits import pickled
from studio.engine.edits.files import read_tensors
from studio.engine.edits.pickled import is_pickled, pickled_header


def saved(path: Path, values: Any, **options: Any) -> Path:
    torch.save(values, path, **options)
    return path


def packed(path: Path, contents: bytes, **members: bytes) -> Path:
    """A file with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", contents)
        for name, data in members.items():
            archive.writestr(f"archive/{name}", data)
    return path


@pytest.mark.parametrize("protocol", [2, 4])
def test_every_tensor_is_found_and_read_as_it_was_saved(tmp_path: Path, protocol: int) -> None:
    layer = nn.Linear(3, 2)
    tensors = {
        "half": torch.randn(3, 4).half(),
        "rows": torch.randn(6, 4)[2:5],  # within a larger storage
        "brain": nn.Parameter(torch.randn(2, 2).bfloat16()),
        "count": torch.arange(3),
        "one": torch.tensor(2.5),
        "pixels": torch.randn(2, 3, 1, 1),
    }
    values = {**tensors, "layer": layer.state_dict(), "step": 7, "names": ["a", ("b", None)], "rate": 0.1}
    file = saved(tmp_path / "x.pt", OrderedDict(values), pickle_protocol=protocol)
    assert is_pickled(file)
    header = pickled_header(file)
    expected = {**tensors, "layer.weight": layer.weight, "layer.bias": layer.bias}
    assert set(header.tensors) == set(expected) and header.tensors["count"].dtype == "I64"
    for name, tensor in read_tensors(file, header, [name for name in expected if name != "count"]).items():
        assert tensor.dtype == expected[name].dtype and torch.equal(tensor, expected[name]), name


def test_a_checkpoint_of_a_trainer_has_its_weights_by_their_own_names(tmp_path: Path) -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))])
    values = {"state_dict": {"model.a.weight": torch.ones(2, 2)}, "global_step": 3, "optim": optimizer.state_dict()}
    assert list(pickled_header(saved(tmp_path / "x.ckpt", values)).tensors) == ["model.a.weight"]


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    file = saved(tmp_path / "x.pt", {"a": Evil(mark), "b": torch.ones(2)})
    assert list(pickled_header(file).tensors) == ["b"] and not mark.exists()
    torch.load(file, weights_only=False)
    assert mark.exists(), "a reader that unpickles would have run it"


def bomb(depth: int = 5, width: int = 100) -> bytes:
    """Dicts that hold one another: few bytes, and very many names."""
    values: dict[str, Any] = {"x": 1}
    for _ in range(depth):
        values = {str(number): values for number in range(width)}
    return pickle.dumps(values, protocol=2)


TENSOR = (  # a tensor of shape (2**40,) in a storage of two numbers
    b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00\x8a\x06\x00\x00\x00\x00\x00\x01\x85K\x01\x85\x89NtRs."
)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (bomb(), "tensors or other values, too many"),
        (b"\x80\x02" + b"0" * 10 + b".", "has the operation POP"),
        (b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R.", None),  # 4 GB, if it were called
        (b"\x80\x02}r\xff\xff\xff\x7f.", None),  # memory for 2**31 values, in a reader that makes room for each
        (b"\x80\x02s.", "makes no sense"),
        (b"\x80\x02}", "pickle exhausted"),
        (b"", "pickle exhausted"),
        (TENSOR, "does not hold the tensor 'a' row by row"),
        (b"\x80\x02" + b"N" * (4 * 1024**2), "too long a list of contents"),
    ],
)
def test_lists_of_contents_that_cannot_be(tmp_path: Path, contents: bytes, said: str | None) -> None:
    file = packed(tmp_path / "x.pt", contents, **{"data/0": b"\0" * 8})
    if said is None:
        assert not pickled_header(file).tensors
        return
    with pytest.raises(AssetError, match=said) as raised:
        pickled_header(file)
    assert "x.pt" in str(raised.value)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = saved(tmp_path / "good.pt", {"a": torch.ones(4, 4), "b": torch.ones(4, 4)}).read_bytes()
    for name, data, said in [
        ("cut.pt", good[: len(good) // 2], "no file of torch.save, or damaged"),
        ("zeros.pt", b"PK\x03\x04" + bytes(500), "no file of torch.save, or damaged"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(AssetError, match=said):
            pickled_header(tmp_path / name)
    with pytest.raises(AssetError, match="has no data.pkl"):
        with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
            archive.writestr("x/weights", b"1")
        pickled_header(tmp_path / "other.pt")
    squeezed = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "good.pt") as plain, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as small:
        for member in plain.infolist():
            small.writestr(member.filename, plain.read(member))
    (tmp_path / "squeezed.pt").write_bytes(squeezed.getvalue())
    with pytest.raises(AssetError, match="too long a list of contents"):
        pickled_header(tmp_path / "squeezed.pt")
    with pytest.raises(AssetError, match="does not hold the tensor 'a' row by row"):
        pickled_header(saved(tmp_path / "t.pt", {"a": torch.randn(2, 3).T}))
    monkeypatch.setattr(pickled, "_MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(AssetError, match="too many members"):
        pickled_header(tmp_path / "good.pt")
