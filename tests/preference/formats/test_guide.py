"""The guide's table says what the formats say."""

from __future__ import annotations

import re
from pathlib import Path

from studio.preference.formats import FORMATS

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guide" / "label-formats.md"


def test_every_format_is_in_the_guide_with_its_ways() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \|(.*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(rows) == set(FORMATS.names())
    for name, format in FORMATS.items():
        cells = [cell.strip() for cell in rows[name].split("|")]
        assert all(extension in cells[0] for extension in format.extensions)
        assert (cells[1] != "no") == format.reads, name
