"""Human Preference Dataset v2: `train.json` of pairs, `test.json` of rankings, pictures in folders of the same names.

`train.json`: `human_preference` (1 for the preferred one), `prompt`, `file_path`, `user_hash`. `test.json`: `prompt`,
`image_path`, `rank` (that of the picture at the same place, 1 the best, averaged over annotators), `raw_annotations`
(each annotator's own). Paths are relative to `train/` and `test/` (arXiv:2306.09341 and its repository). Of a row with
annotations of its own, each becomes a label; gaps between ranks are closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import Answer
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import IncomingLabel, LabelMaker, Reading, RefusedRow, Row, attempt, dense
from studio.preference.exchange.json_files import ListWriter, as_fields, as_list, items, writing_list
from studio.preference.exchange.peek import columns
from studio.preference.exchange.rows import TIE, Pair
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format
from studio.preference.label import Label

PAIRS, RANKINGS = "train", "test"
_RAW = ("raw_annotations", "raw_annotation")  # the repository's own page and its file do not agree
_KNOWN = {"human_preference", "prompt", "file_path", "user_hash", "image_path", "rank", *_RAW}


def write(export: Export, path: Path) -> None:
    """Write full rankings into test.json as they are, and pairs of all else into train.json."""
    with ExitStack() as stack:
        pairs = _Part(stack, export, path, PAIRS)
        rankings = _Part(stack, export, path, RANKINGS)
        if export.options.rows == "each":
            for label in export.labels():
                _write_label(export, label, pairs, rankings)
        else:
            for pair in export.pairs():
                pairs.add(_pair_values(pairs, pair))


class _Part:
    """A list and its folder of pictures; neither is there offset something is written to it."""

    def __init__(self, stack: ExitStack, export: Export, root: Path, name: str) -> None:
        self._stack, self._export, self._root, self._name = stack, export, root, name
        self._list: ListWriter | None = None
        self._folder: PictureFolder | None = None

    def add(self, values: object) -> None:
        """Write an entry."""
        if self._list is None:
            self._list = self._stack.enter_context(writing_list(self._root / f"{self._name}.json"))
        self._list.add(values)

    def put(self, sha256: str) -> str:
        """Write a picture; give its path within the folder."""
        if self._folder is None:
            self._folder = PictureFolder(self._root, self._name, self._export.file)
        return Path(self._folder.put(sha256)).name


def _write_label(export: Export, label: Label, pairs: _Part, rankings: _Part) -> None:
    if label.answer.mode == "ranking":
        if export.all_there(label):
            rankings.add(_ranking_values(rankings, label))
            export.written.rows += 1
        return
    for pair in export.pairs_of(label):
        pairs.add(_pair_values(pairs, pair))
        export.written.rows += 1


def _pair_values(part: _Part, pair: Pair) -> dict[str, Any]:
    first_wins = pair.share > TIE
    return {
        "human_preference": [int(first_wins), int(not first_wins)],
        "prompt": pair.label.prompt,
        "file_path": [part.put(pair.first.sha256), part.put(pair.second.sha256)],
        "user_hash": pair.label.annotator,
    }


def _ranking_values(part: _Part, label: Label) -> dict[str, Any]:
    ranks = list(label.answer.ranks)
    return {
        "prompt": label.prompt,
        "image_path": [part.put(picture.sha256) for picture in label.pictures],
        "rank": ranks,
        _RAW[0]: [{"rank": ranks, "user_hash": label.annotator}],
    }


def read(source: Path) -> Reading:
    """Read one of the lists, or both of a folder. Raises BadInput."""
    paths = list_file(source, f"{PAIRS}.json", f"{RANKINGS}.json")
    unknown: Counter[str] = Counter()
    return Reading(_rows(paths, unknown), unknown=unknown)


def _rows(paths: list[Path], unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("hpdv2")
    offset = 0
    for path in paths:
        row = offset
        for number, values in items(path):
            row = offset + number
            if isinstance(values, RefusedRow):
                yield RefusedRow(row, values.reason)
                continue
            unknown.update(name for name in values if name not in _KNOWN)
            if "human_preference" in values:
                yield attempt(row, lambda row=row, values=values, path=path: _pair(maker, row, values, path.parent))
            else:
                yield from _rankings(maker, row, values, path.parent)
        offset = row


def _pair(maker: LabelMaker, row: int, values: Mapping[str, Any], folder: Path) -> IncomingLabel:
    outcomes = {"[1, 0]": "first", "[0, 1]": "second"}
    outcome = outcomes.get(str(values["human_preference"]))
    if outcome is None:
        raise BadInput(f"its human_preference is {shown(values['human_preference'])}, not [1, 0] or [0, 1]")
    files = picture_files(folder, as_list(values.get("file_path"), "file_path", 2), PAIRS)
    annotator = values.get("user_hash", "")
    return maker.make(row, values.get("prompt"), files, Answer.pair(outcome), annotator=annotator)


def _rankings(maker: LabelMaker, row: int, values: Mapping[str, Any], folder: Path) -> Iterator[Row]:
    try:
        if "rank" not in values:
            raise BadInput("it has neither human_preference nor rank")
        files = picture_files(folder, as_list(values.get("image_path"), "image_path", 100), RANKINGS)
        raw = next((values[name] for name in _RAW if name in values), None)
        single = [{"rank": values["rank"], "user_hash": ""}]
        annotations = single if raw is None else [as_fields(entry) for entry in as_list(raw, _RAW[0])]
    except BadInput as error:
        yield RefusedRow(row, error.message)
        return
    for part, annotation in enumerate(annotations):

        def label(part: int = part, annotation: Mapping[str, Any] = annotation) -> IncomingLabel:
            answer = ranked(annotation.get("rank"), len(files))
            annotator = annotation.get("user_hash", "")
            return maker.make(row, values.get("prompt"), files, answer, annotator=annotator, part=part)

        yield attempt(row, label)


def ranked(ranks: object, count: int) -> Answer:
    """An answer from ranks that others wrote: any numbers, the least the best. Raises BadInput."""
    numbers = as_list(ranks, "rank", 100)
    if len(numbers) != count or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise BadInput(f"its ranks are {shown(numbers)}, not a number for each of {count} pictures")
    return Answer("pair" if count == 2 else "ranking", dense(numbers))


def knows(source: Path) -> bool:
    """Whether it is one of the lists, or has them."""
    names = columns(source, f"{PAIRS}.json", f"{RANKINGS}.json")
    return {"human_preference", "file_path"} <= names or {"image_path", "rank"} <= names


HPD_V2 = FORMATS.register("hpdv2")(
    Format(
        title="HPD v2",
        sentence="A folder with train.json of pairs and test.json of full rankings, each with its pictures.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs", "rankings"}),
        writer=write,
        reader=read,
        loses="ties of pairs, when it was answered, ids, best of several as a list, questions, comments",
        knows=knows,
    )
)
