"""The verb `drift`: what an erasure moves in nats, as text and as JSON, and what it refuses in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from studio.training.drift.rows import NO_EFFECT, NO_GOLD

SMALL = ("--pictures", "2", "--levels", "2", "--steps", "2")


def test_what_an_erasure_moves_is_told_in_nats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(tmp_path / "w"), "--threads", "1"]

    def answer(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert main([*arguments, *place, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    edit = answer("erase", "star", "--substitute", "heart", "--name", "no-star")["edit"]
    rows = answer("drift", edit, *SMALL)["rows"]
    assert rows["drift_retain"]["n"] == 2 and rows["drift_retain"]["value"] > 0
    assert rows["drift_retain"]["per_dim"] == pytest.approx(rows["drift_retain"]["value"] / (8 * 16 * 16))
    assert rows["drift_unconditional"]["value"] < rows["drift_retain"]["value"], "the empty prompt is preserved"
    assert rows["fade"]["why"] == NO_GOLD

    # Held against the base itself as if it had never met stars: the base is no way off, the edit is.
    full = answer("drift", edit, *SMALL, "--gold", "stencil")
    assert full["rows"]["drift_retain"] == rows["drift_retain"]
    assert full["rows"]["fade_edit"]["value"] > rows["drift_retain"]["value"], "its prompts name the concept"
    assert full["rows"]["fade_base"]["value"] == 0 and full["rows"]["fade"]["why"] == NO_EFFECT
    assert set(full["directions"]) >= {"forget: edit to gold", "forget: gold to edit", "retain: base to edit"}
    assert main(["drift", edit, *SMALL, *place]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{edit}: nats a picture") and "retain drift" in text and NO_GOLD in text

    for arguments, message in (
        (("--strength", "0"), "moves nothing"),
        (("--strength", "much"), "strength"),
        (("--pictures", "many"), "pictures"),
        (("--gold", "nobody"), "nobody"),
        (("--concept", "dog", "--gold", "stencil"), "no object, style or colour"),
    ):
        assert message in answer("drift", edit, *arguments, code=2)["error"]
    assert "gone" in answer("drift", "gone", code=2)["error"]
