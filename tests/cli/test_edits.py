"""`edits ...` on the command line: answers, JSON, and where the rest of the errors go."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.cli import edits as cli_edits
from studio.cli import trained
from studio.core.errors import AssetError, BadInput, NotFound, WorkspaceError
from studio.engine.edits.layout import layout_of_folder
from studio.storage.workspace import Workspace
from tests.engine.edits.foreign import kohya, write
from tests.engine.edits.making import make_edit
from tests.tiny_model import build_once


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise BadInput(message)


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(build_once(tmp_path_factory)))
    monkeypatch.delenv("PALIMPSEST_WORKSPACE", raising=False)
    top = Parser()
    cli_edits.add(top.add_subparsers(parser_class=Parser))

    def command(*words: str) -> str:
        args = top.parse_args(["edits", *words])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return command


@pytest.fixture
def file(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shapes = layout_of_folder(build_once(tmp_path_factory)).components["unet"]
    edit = make_edit({path: shape for path, shape in shapes.items() if ".attn2." in path})
    return write(kohya(edit), tmp_path / "no stars.safetensors")


def test_a_life(run: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("list") == "There are no edits yet.\n"
    assert "layers fit (kohya)." in run("import", str(file), "--check")
    assert json.loads(run("import", str(file), "--check", "--json"))["left"] == []
    made = json.loads(run("import", str(file), "--json"))
    assert made["name"] == "no stars" and made["kind"] == "lora" and made["bytes"] > 0
    remarks: list[str] = []
    monkeypatch.setattr(trained, "remark", remarks.append)
    assert run("import", str(file), "--name", "other") == f"{made['id']}\n"
    assert [f"is here already, as {made['id']}," in words for words in remarks] == [True]
    assert run("list") == f"{made['id']}  lora  no stars\n"
    assert json.loads(run("list", "--json")) == {"edits": [made]}
    assert json.loads(run("show", "no-stars", "--json")) == made and f"sha256: {made['sha256']}" in run(
        "show", made["id"]
    )
    assert run("export", "no-stars", "--out", "a.safetensors") == "a.safetensors\n"
    assert json.loads(run("export", "no-stars", "--format", "peft", "--out", "b", "--json"))["files"][0].startswith("b")
    renamed = run("rename", "no-stars", "Gone").strip()
    assert renamed.startswith("gone-") and run("remove", made["id"]) == f"{renamed} is gone.\n"
    assert json.loads(run("list", "--json")) == {"edits": []}


def test_weights_come_in_and_go_out_with_what_is_lost(run: Any, tmp_path: Path, tmp_path_factory: Any) -> None:
    unet = load_file(build_once(tmp_path_factory) / "unet" / "diffusion_pytorch_model.safetensors")
    keys = {name: tensor + 0.01 * torch.randn(tensor.shape) for name, tensor in unet.items() if "attn2.to_k" in name}
    save_file(keys, tmp_path / "uce.safetensors")
    made = json.loads(run("import", "uce.safetensors", "--model", "stencil", "--json"))
    assert made["kind"] == "dense" and made["layers"] == {"unet": len(keys)}
    said = json.loads(
        run(
            "export",
            "uce",
            "--format",
            "kohya",
            "--max-rank",
            "4",
            "--energy",
            "0.3",
            "--out",
            "k.safetensors",
            "--json",
        )
    )
    assert said["files"] == ["k.safetensors"] and 0.1 < said["error"] < 0.9**0.5 and len(said["errors"]) == len(keys)
    assert "Left out: " in run(
        "export", "uce", "--format", "diffusers", "--max-rank", "4", "--energy", "0.3", "--out", "d.safetensors"
    )
    assert run("export", "uce", "--format", "comfyui", "--out", "c.safetensors") == "c.safetensors\n", "nothing is lost"
    assert "merged" in run("export", "uce", "--format", "merged", "--strength", "0.5", "--out", "merged")
    for flag, value in (("--energy", "0"), ("--energy", "x"), ("--strength", "-1")):
        with pytest.raises(BadInput, match="is a number above 0 and up to"):
            run("export", "uce", "--out", "x.safetensors", flag, value)


def test_errors_are_those_of_the_service(run: Any, file: Path, tmp_path: Path) -> None:
    for error, words in [
        (NotFound, ("show", "nothing")),
        (AssetError, ("import", "nothing.safetensors")),
        (BadInput, ("export", "x", "--out", "a.safetensors", "--max-rank", "ten")),
        (BadInput, ("export", "x", "--out", "a.safetensors", "--max-rank", "0")),
        (BadInput, ("frobnicate",)),
        (BadInput, ()),
    ]:
        with pytest.raises(error):
            run(*words)
    held = Workspace.open(tmp_path / "workspace")
    with pytest.raises(WorkspaceError, match="is in use by process"):
        run("list")
    held.close()
    assert run("list") == "There are no edits yet.\n"


def test_edits_are_merged_into_one(run: Any, file: Path, tmp_path: Path, tmp_path_factory: Any) -> None:
    shapes = layout_of_folder(build_once(tmp_path_factory)).components["unet"]
    second = make_edit({path: shape for path, shape in shapes.items() if ".attn1." in path}, seed=2, rank=3)
    run("import", str(file), "--name", "a")
    run("import", str(write(kohya(second), tmp_path / "b.safetensors")), "--name", "b")
    merged = json.loads(run("merge", "a=0.5", "b", "--name", "a and b", "--json"))
    assert (merged["kind"], merged["energy"], merged["provenance"]["model"]) == ("lora", 1.0, "stencil")
    assert [edit["strength"] for edit in merged["provenance"]["merge"]["edits"]].count(0.5) == 1
    assert "hold" in run("merge", "a", "b", "--method", "svd", "--rank", "1", "--name", "less")
    thinned = json.loads(run("merge", "a", "b", "--method", "ties", "--density", "0.5", "--name", "t", "--json"))
    assert thinned["kind"] == "dense" and thinned["provenance"]["merge"]["density"] == 0.5
    count = len(json.loads(run("list", "--json"))["edits"])
    for words, sentence in (
        (("a",), "2 to 16 edits are merged, not 1"),
        (("a", "nothing"), "There is no edit named 'nothing'"),
        (("a", "a=2"), "there twice"),
        (("a", "b=much"), "A strength is a number"),
        (("a", "b", "--method", "mean"), "must be one of concatenate, linear, svd, ties, dare, darex"),
        (("a", "b", "--method", "ties", "--density", "0"), "density must be a number from 0.001 to 1"),
        (("a", "b", "--rank", "many"), "rank must be"),
    ):
        with pytest.raises((BadInput, NotFound), match=sentence):
            run("merge", *words, "--name", "c")
    assert len(json.loads(run("list", "--json"))["edits"]) == count
