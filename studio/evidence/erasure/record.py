"""Results of erasures on record: a JSON file, and the page that is written of it. Tried again, a result is replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.evidence.erasure.page import model_of, page
from studio.storage.images import write_durably

Record = dict[str, Any]  # {"results": [...]}
PAGE = Path("docs") / "erasures.md"


def read(path: Path) -> Record:
    """Read a record; an empty one where there is no file. Raises BadInput for a file that is none."""
    if not path.exists():
        return {"results": []}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"results": [dict(result) for result in record["results"]]}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"The results {path} cannot be read; move the file away to begin anew.", field="out") from None


def with_result(record: Record, result: Mapping[str, Any]) -> Record:
    """The record with one more result; those of other weights of the same model are dropped."""
    remaining = [earlier for earlier in record["results"] if not _is_replaced(earlier, result)]
    return {"results": [*remaining, dict(result)]}


def _is_replaced(earlier: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """By a result of the same concept, arm and seed, or of another base. What was refused has no base."""
    if model_of(earlier) != model_of(result):
        return False
    bases = {values["base"] for values in (earlier, result) if values["base"]}
    return len(bases) > 1 or all(earlier[key] == result[key] for key in ("concept", "arm", "seed"))


def write(record: Record, out: Path) -> None:
    """Keep the numbers and bring the page up to date; each file is replaced whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    numbers = out.with_suffix(".json")
    write_durably(numbers, (json.dumps(record, indent=1) + "\n").encode(), private=False)
    write_durably(out, page(record["results"], numbers.name).encode(), private=False)


def is_stale(root: Path) -> bool:
    """Whether a checkout's page does not say what its numbers say; without numbers it says nothing."""
    out = root / PAGE
    numbers = out.with_suffix(".json")
    if not numbers.exists():
        return out.exists()
    return not out.exists() or out.read_text("utf-8") != page(read(numbers)["results"], numbers.name)
