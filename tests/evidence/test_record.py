"""What is kept of a run, and the pages that show it."""

import json
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.evidence import record
from studio.evidence.claim import CLAIMS
from studio.evidence.page import methods_table, page
from studio.evidence.reproduce import PICTURES
from studio.guidance import GUIDANCE
from studio.guidance.wrapper import WRAPPERS

ROOT = Path(__file__).resolve().parents[2]
MADE_BY = {"model_hash": "ab" * 32, "threads": 2, "device": "cpu", "dtype": "float32", "torch": "2"}


def result(name: str, verdict: str = "holds", **more: Any) -> dict[str, Any]:
    claim = CLAIMS.get(name)
    condition = {
        "measure": "invalid",
        "arm": "a",
        "against": "b",
        "want": "lower",
        "margin": 0.02,
        "difference": -0.0312,
        "low": -0.0625,
        "high": 0.0078,
        "n": 64,
        "verdict": verdict,
    }
    arm = {"label": "a", "steps": 20, "rows": 40, "sampler": "ddim", "means": {"invalid": 0.125, "saturation": 0.3333}}
    return {
        "name": name,
        "method": claim.method,
        "sentence": claim.sentence,
        "source": claim.source,
        "chosen": claim.chosen,
        "suite": "full",
        "verdict": verdict,
        "quick": False,
        "conditions": [condition],
        "arms": [arm],
        "renders": {"invalid": 0.005},
        "prompts": 64,
        "pictures": 128,
        "rows": 10240,
        "drawn_rows": 5120,
        "seconds": 90.0,
        "date": "2026-11-21",
        **more,
    }


def test_pages_of_the_repository_say_what_is_on_record() -> None:
    assert record.stale(ROOT) == [], "run: palimpsest docs"


def test_results_are_on_record_and_of_the_claims_there_are() -> None:
    kept = record.read(ROOT / "docs" / "results.json")["claims"]
    assert kept and set(kept) <= set(CLAIMS.names())
    for name, each in kept.items():
        claim = CLAIMS.get(name)
        assert not each["quick"] and each["pictures"] == PICTURES
        # A claim that was changed has to be tried again.
        assert (each["sentence"], each["chosen"], each["method"]) == (claim.sentence, claim.chosen, claim.method)
        assert [arm["label"] for arm in each["arms"]] == list(claim.arms)
        wants = [(c["measure"], c["arm"], c["against"], c["want"], c["margin"]) for c in each["conditions"]]
        assert wants == [(c.measure, c.arm, c.against, c.want, c.matters) for c in claim.conditions]


def test_a_result_replaces_its_own_and_no_other() -> None:
    kept = record.with_result({"made_by": {}, "claims": {}}, result("pag"), MADE_BY)
    kept = record.with_result(kept, result("apg"), MADE_BY)
    kept = record.with_result(kept, result("pag", "inconclusive"), MADE_BY)
    assert {name: each["verdict"] for name, each in kept["claims"].items()} == {"apg": "holds", "pag": "inconclusive"}


def test_results_of_other_weights_are_dropped() -> None:
    kept = record.with_result({"made_by": {}, "claims": {}}, result("pag"), MADE_BY)
    kept = record.with_result(kept, result("apg"), {**MADE_BY, "model_hash": "cd" * 32})
    assert list(kept["claims"]) == ["apg"] and kept["made_by"]["model_hash"] == "cd" * 32


def test_a_page_shows_numbers_with_their_units_and_interval() -> None:
    kept = record.with_result({"made_by": {}, "claims": {}}, result("pag"), MADE_BY)
    text = page(kept)
    assert "| invalid: a minus b | lower, by 2.0 to matter | 64 | -3.1 points | -6.2 to +0.8 | holds |" in text
    assert "| a | 20 ddim | 40 | 12.5 % | 0.333 |\n| *the scenes themselves, rendered* |  |  | 0.5 % |  |\n" in text
    assert "## pag\n\n**Holds.** " in text
    assert "Not tried yet: `apg`" in text and "Drawn in 2 minutes (5,120 network rows)" in text


def test_the_remark_belongs_to_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    claim = replace(CLAIMS.get("pag"), remarks={"does not hold": "It is the layer."})
    monkeypatch.setitem(CLAIMS._entries, "pag", claim)
    for verdict in ("holds", "does not hold"):
        text = page(record.with_result({"made_by": {}, "claims": {}}, result("pag", verdict), MADE_BY))
        assert ("It is the layer." in text) == (verdict == "does not hold")


def test_the_table_of_methods_has_them_all_and_links_every_verdict() -> None:
    kept = record.with_result({"made_by": {}, "claims": {}}, result("perp_neg"), MADE_BY)
    kept = record.with_result(kept, result("perp_neg_field", "does not hold"), MADE_BY)
    lines = methods_table(kept, "docs/results.md").splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == [*GUIDANCE.names(), *WRAPPERS.names()]
    perp_neg = next(line for line in lines if line.startswith("| `perp_neg`"))
    assert (
        "[holds](docs/results.md#perp_neg), [perp_neg_field: does not hold](docs/results.md#perp_neg_field)" in perp_neg
    )
    assert next(line for line in lines if line.startswith("| `apg`")).endswith("| not tried yet |")
    assert "Adaptive projected guidance | arXiv:2410.02416" in "".join(lines)
    assert next(line for line in lines if line.startswith("| `sum`")).endswith("|  |")


def test_writing_brings_page_numbers_and_readme_together(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{record.OPEN}\nof before\n{record.CLOSE}\nbelow\n")
    out = tmp_path / "docs" / "results.md"
    record.write(record.with_result(record.read(out.with_suffix(".json")), result("pag"), MADE_BY), out)
    text = readme.read_text()
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "of before" not in text
    assert "[holds](docs/results.md#pag)" in text and record.stale(tmp_path) == []
    assert json.loads(out.with_suffix(".json").read_text())["claims"]["pag"]["verdict"] == "holds"
    readme.write_text(text.replace("[holds]", "[does not hold]"))
    assert record.stale(tmp_path) == ["README.md"]
    assert record.render(out) == [readme.absolute()] and readme.read_text() == text


def test_no_page_without_its_ending_and_no_record_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ending in \.md"):
        record.record_path(tmp_path / "results.json")
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(BadInput, match="cannot be read"):
        record.read(tmp_path / "results.json")
