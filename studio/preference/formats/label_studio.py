"""Label Studio: tasks of two pictures with their annotations, and the labelling configuration that shows them.

A task's `data` has `prompt`, `left` and `right`. An annotation's `result` is that of the tag `Pairwise` (`selected`:
left or right), or of `Choices` for what Pairwise has no answer for; a skipped task's annotation is `was_cancelled`.
Pictures are named as Label Studio names files of a local storage, `/data/local-files/?d=` and a path below its document
root: let that root be the folder. From labelstud.io: task format, tags, local storage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.answer import BOTH_BAD, BOTH_GOOD, FIRST, SECOND, SKIP, TIE, Answer
from studio.preference.exchange.folders import list_file, picture_files
from studio.preference.exchange.incoming import LabelMaker, Reading, RefusedRow, Row, attempt, time_of
from studio.preference.exchange.json_files import as_fields, as_list, items, writing_list
from studio.preference.exchange.peek import columns
from studio.preference.exchange.rows import FIRST as FIRST_BETTER
from studio.preference.exchange.rows import TIE as EQUAL
from studio.preference.exchange.rows import Pair
from studio.preference.exchange.selection import Export
from studio.preference.exchange.target import PictureFolder
from studio.preference.formats.base import FOLDER, FORMATS, Format
from studio.preference.label import Label

LIST, CONFIG_FILE = "tasks.json", "labeling-config.xml"
CONFIG = """<View>
  <Header value="$prompt"/>
  <View style="display: flex;">
    <Image name="left" value="$left"/>
    <Image name="right" value="$right"/>
  </View>
  <Pairwise name="better" toName="left,right"/>
  <Choices name="neither" toName="left" choice="single">
    <Choice value="equal"/>
    <Choice value="both good"/>
    <Choice value="both bad"/>
  </Choices>
</View>
"""
_SELECTED = {"left": FIRST, "right": SECOND}
_CHOSEN = {"equal": TIE, "both good": BOTH_GOOD, "both bad": BOTH_BAD}
_SIDES = {outcome: side for side, outcome in _SELECTED.items()}
_WORDS = {outcome: word for word, outcome in _CHOSEN.items()}
_FOLDER = "images"
_LOCAL = "/data/local-files/"
_KNOWN_DATA = {"prompt", "left", "right", "label", "annotator"}


def write(export: Export, path: Path) -> None:
    """Write a task with one annotation for each pair, and the configuration."""
    (path / CONFIG_FILE).write_text(CONFIG, encoding="utf-8")
    folder = PictureFolder(path, _FOLDER, export.file)
    with writing_list(path / LIST) as tasks:
        if export.options.rows != "each":
            for pair in export.pairs():
                tasks.add(_task(folder, pair, _outcome(pair), pair.label.id))
            return
        for label in export.labels():
            rows = _outcomes(export, label)
            for number, (pair, outcome) in enumerate(rows, start=1):
                name = label.id if len(rows) == 1 else f"{label.id}-{number}"
                tasks.add(_task(folder, pair, outcome, name))
                export.written.rows += 1


def _outcomes(export: Export, label: Label) -> list[tuple[Pair, str]]:
    """Pairs of a label with their outcomes; of a pair that was skipped, itself."""
    if label.answer.mode == "pair" and label.answer.outcome == SKIP:
        skipped = Pair(label, label.pictures[0], label.pictures[1], EQUAL)
        return [(skipped, SKIP)] if export.all_there(label) else []
    rows = export.pairs_of(label)
    if label.answer.mode == "pair" and len(rows) == 1:
        return [(rows[0], label.answer.outcome)]
    return [(pair, _outcome(pair)) for pair in rows]


def _outcome(pair: Pair) -> str:
    return TIE if pair.share == EQUAL else FIRST if pair.share >= FIRST_BETTER else SECOND


def _task(folder: PictureFolder, pair: Pair, outcome: str, name: str) -> dict[str, Any]:
    label = pair.label
    data = {
        "prompt": label.prompt,
        "left": f"{_LOCAL}?d={folder.put(pair.first.sha256)}",
        "right": f"{_LOCAL}?d={folder.put(pair.second.sha256)}",
        "label": name,
        "annotator": label.annotator,
    }
    annotation: dict[str, Any] = {"result": _result(outcome), "was_cancelled": outcome == SKIP, "ground_truth": False}
    if label.answered_at is not None:
        annotation["created_at"] = label.answered_at.isoformat()
    if label.latency_ms is not None:
        annotation["lead_time"] = label.latency_ms / 1000
    return {"data": data, "annotations": [annotation]}


def _result(outcome: str) -> list[dict[str, Any]]:
    if outcome in _SIDES:
        value = {"selected": _SIDES[outcome]}
        return [{"id": "better", "from_name": "better", "to_name": "better", "type": "pairwise", "value": value}]
    if outcome in _WORDS:
        value = {"choices": [_WORDS[outcome]]}
        return [{"id": "neither", "from_name": "neither", "to_name": "left", "type": "choices", "value": value}]
    return []


# -- in --------------------------------------------------------------------------------------------------------------


def read(source: Path) -> Reading:
    """Read a JSON export, or that of a folder. Each annotation is a label. Raises BadInput."""
    (path,) = list_file(source, LIST)
    unknown: Counter[str] = Counter()
    return Reading(_rows(path, unknown), unknown=unknown)


def _rows(path: Path, unknown: Counter[str]) -> Iterator[Row]:
    maker = LabelMaker("label-studio")
    for row, task in items(path):
        if isinstance(task, RefusedRow):
            yield task
            continue
        try:
            data = as_fields(task.get("data"))
            unknown.update(f"data.{name}" for name in data if name not in _KNOWN_DATA)
            annotations = [as_fields(entry) for entry in as_list(task.get("annotations"), "annotations")]
            if not annotations:
                raise BadInput("nobody has annotated it")
            files = picture_files(path.parent, [_file_name(data.get(side)) for side in ("left", "right")])
        except BadInput as error:
            yield RefusedRow(row, error.message)
            continue
        for part, annotation in enumerate(annotations):
            yield attempt(
                row,
                lambda row=row, data=data, files=files, annotation=annotation, part=part: maker.make(
                    row,
                    data.get("prompt"),
                    files,
                    _answer(annotation),
                    annotator=_annotator(annotation, data),
                    answered_at=time_of(annotation.get("created_at"), "created_at"),
                    part=part,
                ),
            )


def _answer(annotation: Mapping[str, Any]) -> Answer:
    if annotation.get("was_cancelled") is True:
        return Answer.pair(SKIP)
    outcomes: list[str] = []
    for entry in as_list(annotation.get("result"), "result"):
        result = as_fields(entry)
        value = as_fields(result.get("value"))
        word, words = None, {}
        if result.get("type") == "pairwise":
            word, words = value.get("selected"), _SELECTED
        elif result.get("type") == "choices":
            chosen = as_list(value.get("choices"), "choices")
            word, words = (chosen[0] if len(chosen) == 1 else chosen), _CHOSEN
        if not isinstance(word, str) or word not in words:
            raise BadInput(f"a result of type {shown(result.get('type'))} says {shown(word)}, which is no answer here")
        outcomes.append(words[word])
    if len(outcomes) != 1:
        raise BadInput(f"its annotation has {len(outcomes)} answers, and not one")
    return Answer.pair(outcomes[0])


def _annotator(annotation: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = as_fields(who).get("email", "")
    if who is None:
        who = data.get("annotator", "")
    return f"label-studio-{who}" if isinstance(who, int) else who if isinstance(who, str) else ""


def _file_name(address: object) -> object:
    """The path of a file of a local storage; of anything else what it is."""
    if not isinstance(address, str):
        return address
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        raise BadInput(f"the picture {shown(address)} is on another machine")
    if parts.path == _LOCAL:
        return parse_qs(parts.query).get("d", [""])[0]
    if parts.path.startswith("/data/"):
        raise BadInput(f"the picture {shown(address)} lies within Label Studio")
    return address


LABEL_STUDIO = FORMATS.register("label-studio")(
    Format(
        title="Label Studio",
        sentence="A folder with tasks.json of pairs and their annotations, pictures, and the labelling configuration.",
        extensions=(FOLDER,),
        carries=frozenset({"pairs", "ties"}),
        writer=write,
        reader=read,
        loses="ids, lists as lists, questions, comments, how sure somebody was",
        knows=lambda source: {"data", "annotations"} <= columns(source, LIST),
    )
)
