"""SimpleTuner's Flow-DPO: a folder of preferred pictures, one of rejected ones under the same names, and their list.

The preferred pictures are an `image` dataset, the rejected ones a `conditioning` dataset of type `reference_strict`
that is paired with it (bghira/SimpleTuner, documentation/experimental/FLOW_DPO.md and documentation/DATALOADER.md).
Captions are text files of one line: further lines would be further captions. A dataset of masks may be added by hand.
`check` holds a folder against these rules.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.preference.exchange.paired_folders import better_pairs, check_folders, put_pair
from studio.preference.exchange.selection import Export
from studio.preference.formats.base import FOLDER, FORMATS, Format

LIST = "multidatabackend.json"
WINNERS, LOSERS = "win", "lose"
_PREFERRED, _REJECTED = "preferred", "rejected"


def write(export: Export, path: Path) -> None:
    """Write both folders, and the list."""
    for number, pair in enumerate(better_pairs(export), start=1):
        put_pair(export, pair, number, path / WINNERS, path / LOSERS)
    root = export.target.absolute()
    (path / LIST).write_text(json.dumps(_datasets(root), indent=2) + "\n", encoding="utf-8")
    export.written.remarks.append(f"{LIST} names the folder {root}; if you move it, change the paths in it.")


def _datasets(root: Path) -> list[dict[str, Any]]:
    shared = {"type": "local", "caption_strategy": "textfile", "crop": False, "repeats": 0}
    return [
        {
            "id": _PREFERRED,
            "dataset_type": "image",
            "instance_data_dir": str(root / WINNERS),
            "cache_dir_vae": str(root / "cache" / WINNERS),
            "conditioning_data": [_REJECTED],
            **shared,
        },
        {
            "id": _REJECTED,
            "dataset_type": "conditioning",
            "conditioning_type": "reference_strict",
            "source_dataset_id": _PREFERRED,
            "instance_data_dir": str(root / LOSERS),
            "cache_dir_vae": str(root / "cache" / LOSERS),
            **shared,
        },
        {
            "id": "text-embeds",
            "dataset_type": "text_embeds",
            "default": True,
            "type": "local",
            "cache_dir": str(root / "cache" / "text"),
        },
    ]


def check(folder: Path) -> int:
    """How many pairs such a folder has. Raises BadInput where it breaks SimpleTuner's rules."""
    datasets = {entry["id"]: entry for entry in json.loads((folder / LIST).read_text(encoding="utf-8"))}
    preferred, rejected = datasets[_PREFERRED], datasets[_REJECTED]
    if preferred["conditioning_data"] != [_REJECTED] or rejected["source_dataset_id"] != _PREFERRED:
        raise BadInput("The two datasets are not paired.")
    if rejected["conditioning_type"] != "reference_strict" or not any(
        entry.get("default") for entry in datasets.values()
    ):
        raise BadInput("The rejected dataset is no strict reference, or there is none for the texts.")
    return check_folders(Path(preferred["instance_data_dir"]), Path(rejected["instance_data_dir"]))


SIMPLE_TUNER = FORMATS.register("simpletuner")(
    Format(
        title="SimpleTuner Flow-DPO",
        sentence="Two folders, win and lose, with the same names and captions, and multidatabackend.json.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs"}),
        writer=write,
        loses="ties, who answered and when, ids, lists as lists, questions, comments",
    )
)
