"""OneTrainer: `chosen/` and `rejected/` with the same names in them, and `concepts.json` that pairs them by a pattern.

As its (not yet merged) training of preferences has it (Nerogar/OneTrainer, pull request 1403): a concept is the folder
itself, with `dpo_chosen_pattern` and `dpo_rejected_pattern`, in which {} is the name of a pair; that of `train` is of
type STANDARD and that of `val` of type VALIDATION. The caption is read beside the chosen picture, one line. Pictures
of a pair have the same shape. `check` holds a folder against these rules.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.preference.exchange.paired_folders import better_pairs, check_folders, put_pair
from studio.preference.exchange.selection import Export
from studio.preference.formats.base import FOLDER, FORMATS, Format

CONCEPTS = "concepts.json"
_PARTS = (("train", "STANDARD"), ("val", "VALIDATION"))


def write(export: Export, path: Path) -> None:
    """Write both folders, and a concept for each part that has pairs."""
    counts = {"train": 0, "val": 0}
    for pair in better_pairs(export):
        part = "val" if pair.validates else "train"
        counts[part] += 1
        put_pair(export, pair, counts[part], path / "chosen" / part, path / "rejected" / part)
    root = str(export.target.absolute())
    concepts = [_concept(root, part, kind) for part, kind in _PARTS if counts[part]]
    (path / CONCEPTS).write_text(json.dumps(concepts, indent=2) + "\n", encoding="utf-8")
    export.written.remarks.append(f"concepts.json names the folder {root}; if you move it, change the paths in it.")


def _concept(root: str, part: str, kind: str) -> dict[str, Any]:
    return {
        "name": f"DPO {part}",
        "path": root,
        "type": kind,
        "enabled": True,
        "include_subdirectories": True,
        "dpo_chosen_pattern": f"chosen/{part}/{{}}",
        "dpo_rejected_pattern": f"rejected/{part}/{{}}",
        "text": {"prompt_source": "sample"},
    }


def check(folder: Path) -> dict[str, int]:
    """How many pairs each part of such a folder has. Raises BadInput where it breaks OneTrainer's rules."""
    counts: dict[str, int] = {}
    for concept in json.loads((folder / CONCEPTS).read_text(encoding="utf-8")):
        patterns = [concept["dpo_chosen_pattern"], concept["dpo_rejected_pattern"]]
        if not concept["include_subdirectories"] or any(pattern.count("{}") != 1 for pattern in patterns):
            raise BadInput(f"The concept {concept['name']} finds no pictures in its folders.")
        sides = [Path(concept["path"]) / pattern.removesuffix("{}") for pattern in patterns]
        counts[concept["type"]] = check_folders(sides[0], sides[1])
    return counts


ONE_TRAINER = FORMATS.register("onetrainer")(
    Format(
        title="OneTrainer",
        sentence="A folder with chosen and rejected pictures under the same names, captions, and concepts.json.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs"}),
        writer=write,
        loses="ties, who answered and when, ids, lists as lists, questions, comments",
    )
)
