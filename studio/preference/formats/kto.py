"""What the script of Diffusion-KTO reads: a CSV of pictures that only won, only lost, or did both.

A folder with `train_processed_v3.csv`, which has the columns `file_name`, `caption` and `split`, and the pictures that
it names (arXiv:2404.04465 and its repository). `split` is `exclusive_win`, `exclusive_lose`, or `intersections` for a
picture that won some comparisons and lost others, which the script counts as good, bad, or not at all, as one chooses.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import Answer
from studio.preference.exchange.folders import picture_files
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, Row, attempt
from studio.preference.exchange.peek import columns
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format

LIST = "train_processed_v3.csv"
COLUMNS = ("file_name", "caption", "split")
WIN, LOSE, BOTH = "exclusive_win", "exclusive_lose", "intersections"
_FOLDER = "train"
_LINE = 1024 * 1024  # characters of a cell


@dataclass
class _Score:
    won: bool = False
    lost: bool = False

    @property
    def split(self) -> str:
        return BOTH if self.won and self.lost else WIN if self.won else LOSE


def write(export: Export, path: Path) -> None:
    """Write a row for each picture under each prompt, in the order in which they were first judged."""
    folder = PictureFolder(path, _FOLDER, export.file)
    scores: dict[tuple[str, str], _Score] = {}
    for verdict in export.verdicts():
        score = scores.setdefault((verdict.picture.sha256, verdict.label.prompt), _Score())
        score.won |= verdict.good
        score.lost |= not verdict.good
    export.written.rows = len(scores)
    with (path / LIST).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for (sha256, prompt), score in scores.items():
            rows.writerow((folder.put(sha256), prompt, score.split))


def read(source: Path) -> Reading:
    """Read a CSV file, or those of a folder that are called like that of Diffusion-KTO. Raises BadInput."""
    paths = [source]
    if source.is_dir():
        paths = sorted(path for path in source.glob("*_processed_*.csv") if path.is_file() and not path.is_symlink())
        if not paths:
            raise BadInput(f"There is no *_processed_*.csv in {source.name}.")
    unknown: Counter[str] = Counter()
    for path in paths:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            header = file.readline(_LINE)
        for name in COLUMNS:
            if name not in next(csv.reader([header]), []):
                raise BadInput(f"{path.name} has no column {name!r}.")
    return Reading(_rows(paths, unknown), unknown=unknown)


def _rows(paths: list[Path], unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("kto")
    row = 0
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                csv.field_size_limit(_LINE)
                for values in csv.DictReader(file):
                    row += 1
                    unknown.update(name for name in values if name not in COLUMNS)
                    yield attempt(
                        row, lambda row=row, values=values, path=path: _label(maker, row, values, path.parent)
                    )
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path.name} cannot be read after row {row}: {error}.") from None


def _label(maker: LabelMaker, row: int, values: dict[str, str | None], folder: Path) -> IncomingLabel:
    split = values["split"]
    if split == BOTH:
        raise BadInput("its picture won some comparisons and lost others, which is no one answer")
    if split not in (WIN, LOSE):
        raise BadInput(f"its split is {shown(split)}, not {WIN}, {LOSE} or {BOTH}")
    files = picture_files(folder, [values["file_name"]])
    return maker.make(row, values["caption"], files, Answer.thumb(split == WIN))


DIFFUSION_KTO = FORMATS.register("kto")(
    Format(
        title="Diffusion-KTO",
        sentence="A folder with train_processed_v3.csv: of each picture whether it only won, only lost, or did both.",
        extensions=(FOLDER,),
        carries=frozenset({"unpaired"}),
        writer=write,
        reader=read,
        loses="which pictures were compared, how often, ties, who answered and when, ids, questions, comments",
        knows=lambda source: {"file_name", "caption", "split"} <= columns(source, "*_processed_*.csv"),
    )
)
