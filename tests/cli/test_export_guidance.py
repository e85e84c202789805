"""The verb `export-guidance`: a folder that diffusers loads, and one sentence for what cannot be a guider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from tests.tiny_model import build_once


def test_guidance_becomes_a_folder_that_loads(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from studio.engine.exported_guider import ExportedGuidance

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(build_once(tmp_path_factory)))
    command = ["export-guidance", "--preset", "cfg-interval", "--guidance-scale", "4", "--out", "guider", "--json"]
    assert cli.main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    guider = ExportedGuidance.from_pretrained(tmp_path / "guider")
    assert answer["folder"] == "guider" and guider.kind == "v_prediction"
    assert guider.config["params"]["guidance_scale"] == 4 == answer["guidance"]["params"]["guidance_scale"]
    assert guider.config["wrappers"][0]["wrapper"] == "interval_sigma"
    refusals = {
        ("--method", "cfg", "--out", "guider"): "something at guider",
        ("--method", "pag"): "cannot be a guider",
    }
    for arguments, sentence in refusals.items():
        assert cli.main(["export-guidance", "--out", "other", *arguments]) == 2
        assert sentence in capsys.readouterr().err and not Path("other").exists()
