"""ImageReward's lists: `id`, `prompt`, `generations` (paths of pictures), `ranking` (1 the best, ties allowed).

Its training compares the pictures of a list two by two, and passes over equal ranks (arXiv:2304.05977 and its
repository). "Best of four" is therefore written as three lists of two: with four ranks it would claim that three
pictures were found equal which nobody compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, RefusedRow, Row, attempt
from studio.preference.exchange.json_files import as_list, items, writing_list
from studio.preference.exchange.peek import columns
from studio.preference.exchange.rows import TIE, Pair
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format
from studio.preference.formats.hpdv2 import ranked
from studio.preference.label import Picture

LIST = "train.json"
_FOLDER = "images"
_LISTS = (LIST, "valid.json", "test.json")
_KNOWN = {"id", "prompt", "generations", "ranking"}


def write(export: Export, path: Path) -> None:
    """Write a list for each ranking, and one of two pictures for each pair of all else."""
    folder = PictureFolder(path, _FOLDER, export.file)
    with writing_list(path / LIST) as entries:

        def add(id: str, prompt: str, pictures: tuple[Picture, ...], ranks: tuple[int, ...]) -> None:
            names = [folder.put(picture.sha256) for picture in pictures]
            entries.add({"id": id, "prompt": prompt, "generations": names, "ranking": list(ranks)})

        if export.options.rows != "each":
            for pair in export.pairs():
                add(pair.label.id, pair.label.prompt, pair[1:3], _ranks(pair))
            return
        for label in export.labels():
            compared = export.pairs_of(label)
            if label.answer.mode == "ranking" and compared:
                add(label.id, label.prompt, label.pictures, label.answer.ranks)
                export.written.rows += 1
                continue
            for number, pair in enumerate(compared, start=1):
                name = label.id if len(compared) == 1 else f"{label.id}-{number}"
                add(name, label.prompt, (pair.first, pair.second), _ranks(pair))
                export.written.rows += 1


def _ranks(pair: Pair) -> tuple[int, int]:
    return (1, 1) if pair.share == TIE else (1, 2) if pair.share > TIE else (2, 1)


def read(source: Path) -> Reading:
    """Read a list, or those of a folder. Raises BadInput."""
    unknown: Counter[str] = Counter()
    return Reading(_rows(list_file(source, *_LISTS), unknown), unknown=unknown)


def _rows(paths: list[Path], unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("imagereward")
    offset = 0
    for path in paths:
        row = offset
        for number, values in items(path):
            row = offset + number
            if isinstance(values, RefusedRow):
                yield RefusedRow(row, values.reason)
                continue
            unknown.update(name for name in values if name not in _KNOWN)
            yield attempt(row, lambda row=row, values=values, path=path: _label(maker, row, values, path.parent))
        offset = row


def _label(maker: LabelMaker, row: int, values: Mapping[str, Any], folder: Path) -> IncomingLabel:
    names = as_list(values.get("generations"), "generations", 100)
    if len(names) < 2:
        raise BadInput(f"its generations are {shown(names)}, and one is compared with another")
    answer = ranked(values.get("ranking"), len(names))
    return maker.make(row, values.get("prompt"), picture_files(folder, names, _FOLDER), answer)


IMAGE_REWARD = FORMATS.register("imagereward")(
    Format(
        title="ImageReward",
        sentence="A folder with train.json: of each prompt its pictures and their ranks, ties allowed.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs", "ties", "rankings"}),
        writer=write,
        reader=read,
        loses="who answered and when, ids, best of several as a list, both good and both bad, questions, comments",
        knows=lambda source: {"generations", "ranking"} <= columns(source, *_LISTS),
    )
)
