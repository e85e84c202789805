"""What the DPO scripts of diffusers' research projects read: Parquet with the columns they ask for.

`train_diffusion_dpo.py` and its SDXL sibling read `jpg_0`, `jpg_1`, `label_0` and `caption`. They turn a pair around
where `label_0` is 0 and nowhere else, so that they take a tie, 0.5, for a win of the first picture. The original script
of arXiv:2311.12908 leaves ties out before it begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.preference.exchange import parquet
from studio.preference.exchange.peek import columns
from studio.preference.exchange.rows import TIE
from studio.preference.exchange.selection import Export
from studio.preference.formats import pickapic
from studio.preference.formats.base import FORMATS, Format

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("caption", "jpg_0", "jpg_1", "label_0", "label_1")


def schema() -> pa.Schema:
    """The columns, with the types that Pick-a-Pic has."""
    import pyarrow as pa

    return pa.schema([(name, pickapic.COLUMNS[name]) for name in COLUMNS])


def write(export: Export, path: Path) -> None:
    """Write a row for each pair; says how many ties there are among them."""
    ties = 0
    with parquet.writing(path, schema(), ("jpg_0", "jpg_1")) as group:
        for pair in export.pairs():
            ties += pair.share == TIE
            first, second = export.picture(pair.first.sha256), export.picture(pair.second.sha256)
            row = {
                "caption": pair.label.prompt,
                "jpg_0": first,
                "jpg_1": second,
                "label_0": pair.share,
                "label_1": 1 - pair.share,
            }
            group.add(row, len(first) + len(second))
    if ties:
        export.written.remarks.append(
            f"{ties} ties are written as 0.5, which the scripts take for a win of the first picture; "
            "left out, or as both, they are not."
        )


def knows(source: Path) -> bool:
    """Whether its columns are there, and none of those that only Pick-a-Pic has."""
    names = columns(source, "*.parquet", "**/*.parquet")
    return {"jpg_0", "jpg_1", "label_0"} <= names and "image_0_uid" not in names


DIFFUSERS_DPO = FORMATS.register("diffusers-dpo")(
    Format(
        title="Diffusers' DPO scripts",
        sentence=(
            "One Parquet file with the columns that the DPO scripts of diffusers read. They take a tie for a win of "
            "the first picture: leave ties out."
        ),
        extensions=(".parquet",),
        carries=frozenset({"pairs", "ties", "shares"}),
        writer=write,
        reader=pickapic.read,
        loses="who answered and when, ids, lists as lists, both good and both bad, questions, comments",
        knows=knows,
    )
)
