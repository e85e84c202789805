"""Doctor: a row per question, and a hint where the answer is bad."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from studio.core.settings import Settings
from studio.services.doctor import examine
from studio.storage.workspace import Workspace


def rows(settings: Settings) -> dict[str, tuple[bool, str, str]]:
    return {check.name: (check.ok, check.detail, check.hint) for check in examine(settings)}


def test_all_well_and_nothing_left_behind(settings: Settings) -> None:
    found = rows(settings)
    assert set(found) == {"python", "packages", "model", "workspace", "disk", "port", "device", "memory"}
    assert [name for name, (ok, _, _) in found.items() if not ok and name not in ("disk", "memory")] == []
    assert not settings.workspace.exists()
    assert "files checked" in found["model"][1] and "unet 0.1 M" in found["model"][1]
    assert "models may take" in found["device"][1]


def test_port_in_use(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ok, detail, hint = rows(settings.model_copy(update={"port": taken.getsockname()[1]}))["port"]
    assert not ok and "cannot be listened on" in detail and "--port" in hint


def test_model_missing(settings: Settings, tmp_path: Path) -> None:
    ok, detail, hint = rows(settings.model_copy(update={"model_dir": tmp_path / "gone"}))["model"]
    assert not ok and "is missing" in detail and hint


def test_workspace_in_use_and_unusable(settings: Settings, tmp_path: Path) -> None:
    holder = Workspace.open(settings.workspace)
    ok, detail, _ = rows(settings)["workspace"]
    holder.close()
    assert not ok and "in use by process" in detail
    (tmp_path / "file").write_text("")
    ok, detail, _ = rows(settings.model_copy(update={"workspace": tmp_path / "file"}))["workspace"]
    assert not ok and "is not a folder" in detail


def test_absent_device(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ok, detail, hint = rows(settings.model_copy(update={"device": "cuda"}))["device"]
    assert not ok and "no cuda device" in detail and "--device cpu" in hint


def test_a_row_for_each_further_model(settings: Settings, tiny_model: Path, tmp_path: Path) -> None:
    for name in ("art", "broken"):
        shutil.copytree(tiny_model, tmp_path / "models" / name)
    (tmp_path / "models" / "broken" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    found = rows(settings.model_copy(update={"models_dir": tmp_path / "models", "memory_budget": 2.0}))
    assert found["model"][0] and found["model art"][0]
    assert "sd, 32 px" in found["model art"][1] and "models may take 2.0 GB" in found["device"][1]
    ok, detail, hint = found["model broken"]
    assert not ok and "are missing" in detail and "not affected" in hint


def test_models_folder_missing(settings: Settings, tmp_path: Path) -> None:
    ok, detail, hint = rows(settings.model_copy(update={"models_dir": tmp_path / "gone"}))["models"]
    assert not ok and "gone is missing" in detail and "--models-dir" in hint
