"""The numbers in the pages are those that were measured."""

import json
from pathlib import Path

import pytest

from studio.training.embedded import record

ROOT = Path(__file__).resolve().parents[2]
ROW = {"group": "one object", "name": "object", "n": 600, "value": 0.965, "low": 0.947, "high": 0.977, "hits": 579}
GATES = {"stencil": {"rows": [{**ROW, "gate": 0.96, "at_most": False, "passed": True}]}}


def stale(root: Path) -> list[str]:
    """Pages whose table is not what gates.json says."""
    gates = json.loads((root / record.GATES).read_text(encoding="utf-8"))
    texts = {page: (root / page).read_text(encoding="utf-8") for page in record.PAGES}
    return [
        str(page) for page, block in record.blocks(gates).items() if record.page_with(texts[page], block) != texts[page]
    ]


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "assets" / "models").mkdir(parents=True)
    for page in record.PAGES:
        (tmp_path / page).write_text(f"before\n{record.OPEN}\nold\n{record.CLOSE}\nafter\n", encoding="utf-8")
    return tmp_path


def test_numbers_are_written_between_the_markers_and_kept(pages: Path) -> None:
    record.write(pages, GATES)
    text = (pages / "README.md").read_text(encoding="utf-8")
    assert "| one object: object | 600 | 96.5 % | 94.7 % to 97.7 % | at least 96.0 % | yes |" in text
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert stale(pages) == []


def test_a_changed_figure_is_noticed(pages: Path) -> None:
    record.write(pages, GATES)
    page = pages / "README.md"
    page.write_text(page.read_text(encoding="utf-8").replace("96.5 %", "99.5 %"), encoding="utf-8")
    assert stale(pages) == ["README.md"]


def test_a_part_not_measured_this_time_keeps_its_numbers(pages: Path) -> None:
    record.write(pages, GATES)
    record.write(pages, {"oracle": {"rows": [{**ROW, "gate": 0.99, "at_most": False, "passed": False}]}})
    text = (pages / "assets" / "README.md").read_text(encoding="utf-8")
    assert text.count("| one object: object | 600 |") == 2 and "**no**" in text


def test_the_repository_says_what_was_measured() -> None:
    assert stale(ROOT) == [], "run: palimpsest train-embedded evaluate --record"
