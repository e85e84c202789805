"""The results on record: docs/results.json holds the numbers, docs/results.md and a table of README.md show them.

A claim's result is replaced when it is tried again; results of other weights than the newest's are dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.evidence.page import methods_table, page
from studio.storage.images import write_durably

RESULTS = Path("docs") / "results.md"
README = Path("README.md")
OPEN = "<!-- guidance: written by `palimpsest reproduce --out docs/results.md` -->"
CLOSE = "<!-- end of guidance -->"

Record = dict[str, Any]  # {"made_by": ..., "claims": name -> result}


def record_path(out: Path) -> Path:
    """Where the numbers of a page are. Raises BadInput for a page whose name does not end in .md."""
    if out.suffix != ".md" or out.is_dir():
        raise BadInput(f"The results are written as a page: --out must be a file name ending in .md, not {out}.")
    return out.with_suffix(".json")


def read(path: Path) -> Record:
    """Read a record; an empty one where there is no file. Raises BadInput for a file that is none."""
    if not path.exists():
        return {"made_by": {}, "claims": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"made_by": dict(record["made_by"]), "claims": dict(record["claims"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"The results {path} cannot be read; move the file away to begin anew.", field="out") from None


def with_result(record: Record, result: Mapping[str, Any], made_by: Mapping[str, Any]) -> Record:
    """The record with one more result.

    made_by: what drew it (ModelBundle.made_by).
    """
    same = record["made_by"].get("model_hash") == made_by.get("model_hash")
    claims = record["claims"] if same else {}
    return {"made_by": dict(made_by), "claims": dict(sorted({**claims, str(result["name"]): dict(result)}.items()))}


def files(record: Record, out: Path, readme: str | None) -> dict[Path, str]:
    """What the page says, and the README with its table where it has one.

    readme: its text, None for none.
    """
    texts = {out: page(record)}
    if readme is not None and OPEN in readme and CLOSE in readme:
        table = methods_table(record, out.relative_to(out.parent.parent).as_posix())
        pattern = re.compile(re.escape(OPEN) + ".*?" + re.escape(CLOSE), re.DOTALL)
        texts[out.parent.parent / README] = pattern.sub(lambda _: f"{OPEN}\n\n{table}\n\n{CLOSE}", readme)
    return texts


def write(record: Record, out: Path) -> None:
    """Keep the numbers and bring the pages up to date; each file is replaced whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_durably(record_path(out), (json.dumps(record, indent=1) + "\n").encode(), private=False)
    render(out)


def render(out: Path) -> list[Path]:
    """Bring the pages up to date with the numbers on record; give those that changed."""
    stale = [(path, text) for path, text in _texts(out).items() if not path.exists() or path.read_text("utf-8") != text]
    for path, text in stale:
        write_durably(path, text.encode(), private=False)
    return [path for path, _ in stale]


def stale(root: Path) -> list[str]:
    """Pages of a checkout that do not say what its docs/results.json says."""
    texts = _texts(root / RESULTS)
    return [path.name for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]


def _texts(out: Path) -> dict[Path, str]:
    out = out.absolute()
    readme = out.parent.parent / README
    return files(read(record_path(out)), out, readme.read_text("utf-8") if readme.is_file() else None)
