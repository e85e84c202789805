"""Which labels are written, and under which names."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.core.errors import Cancelled, NotFound
from studio.preference.exchange.options import ExportOptions, Ties
from studio.preference.exchange.rows import Pair, Verdict, joined, joined_verdicts, pairs, verdicts, with_ties
from studio.preference.label import Label

Pictures = Callable[[str], Path]  # where the file of a picture is, by its sha256, whether or not it is there
Progress = Callable[[int, int], None]  # labels done, labels in all
Stop = Callable[[], bool]

_ANONYMOUS = re.compile(r"anon-[0-9a-f]{16}")
_TOLD_EVERY = 32  # labels: telling and asking cost more than a small label

GONE = "a picture of it is gone"
CHECK = "a check, a repeat, a test or not blind"
SUPERSEDED = "changed or taken back later"
OTHER_QUESTION = "about another question"
BEYOND_LIMIT = "beyond the limit"
NO_PAIR = "compares no two pictures"
NO_VERDICT = "calls no picture good or bad"
A_TIE = "a tie"


def pseudonym(name: str, salt: str) -> str:
    """An annotator's name as a salted hash. One that is such a hash already stays, so a second export is the same."""
    if not name or _ANONYMOUS.fullmatch(name):
        return name
    return f"anon-{hmac.new(salt.encode(), name.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()[:16]}"


@dataclass
class Written:
    """What an export wrote.

    labels: how many were written.
    rows: how many rows they became.
    pictures: how many files of pictures, each counted once.
    left_out: why -> how many labels were not written.
    rows_left_out: why -> how many rows of labels were not written.
    remarks: sentences on what reads otherwise than one might expect.
    """

    labels: int = 0
    rows: int = 0
    pictures: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    rows_left_out: Counter[str] = field(default_factory=Counter[str])
    remarks: list[str] = field(default_factory=list[str])


class Selection:
    """The labels of one export, as the options choose them. May be gone over more than once.

    labels: must be iterable again and again, for what replaces a label may stand anywhere after it.
    any_question: whether the format says which question was asked.
    """

    def __init__(
        self, labels: Iterable[Label], options: ExportOptions, stop: Stop, *, any_question: bool = False
    ) -> None:
        if iter(labels) is labels:
            raise ValueError("labels are gone over more than once; give what can be, not an iterator")
        self.options = options
        self.total = 0
        self._labels = labels
        self._stop = stop
        self._any_question = any_question
        self._salt = options.salt or secrets.token_hex(16)
        self._replaced: set[str] = set()
        for label in self._watched():
            self.total += 1
            if label.supersedes is not None:
                self._replaced.add(label.supersedes)

    def __iter__(self) -> Iterator[Label]:
        """Those that are written, anonymised. Raises Cancelled."""
        return (label for label, reason in self.all() if not reason)

    def all(self) -> Iterator[tuple[Label, str]]:
        """Every label, and why it is left out, "" for one that is not. Raises Cancelled."""
        limit, count = self.options.limit, 0
        for label in self._watched():
            reason = self._reason(label)
            if not reason:
                count += 1
                reason = BEYOND_LIMIT if limit and count > limit else ""
            if self.options.anonymise:
                label = replace(label, annotator=pseudonym(label.annotator, self._salt))
            if not self.options.superseded:
                label = replace(label, supersedes=None)  # what it names is not written
            yield label, reason

    def _watched(self) -> Iterator[Label]:
        for number, label in enumerate(self._labels):
            if number % _TOLD_EVERY == 0 and self._stop():
                raise Cancelled("The export was stopped; nothing was written.")
            yield label

    def _reason(self, label: Label) -> str:
        options = self.options
        if not options.superseded and (label.is_withdrawn or label.id in self._replaced):
            return SUPERSEDED
        if not options.checks and (label.purpose != "train" or not label.is_blind):
            return CHECK
        return OTHER_QUESTION if label.question != options.question and not self._any_question else ""


class Export:
    """One export while it is written: labels come from here, and pictures; what is left out is told here.

    target: what the file or folder will be called when it is whole.
    ties: what becomes of them: as the options say, and dropped where the format has no place for them.
    """

    def __init__(
        self, selection: Selection, pictures: Pictures, progress: Progress, target: Path, *, has_ties: bool
    ) -> None:
        self.selection = selection
        self.target = target
        self.ties: Ties = "drop" if selection.options.ties == "half" and not has_ties else selection.options.ties
        self.options = selection.options
        self.written = Written()
        self._pictures = pictures
        self._progress = progress
        self._counted: set[bytes] = set()
        self._refused = ""

    def labels(self) -> Iterator[Label]:
        """Those to write, each once: counted as written unless `leave_out` is called before the next.

        Raises Cancelled.
        """
        for number, (label, reason) in enumerate(self.selection.all()):
            if number % _TOLD_EVERY == 0:
                self._progress(number, self.selection.total)
            if not reason:
                self._refused = ""
                yield label
                reason = self._refused
            if reason:
                self.written.left_out[reason] += 1
            else:
                self.written.labels += 1
        self._progress(self.selection.total, self.selection.total)

    def leave_out(self, reason: str) -> None:
        """The label that `labels` gave last is not written. reason: a clause, counted."""
        self._refused = reason

    def leave_out_row(self, reason: str) -> None:
        """The row that `pairs` or `verdicts` gave last is not written. reason: a clause, counted."""
        self.written.rows -= 1
        self.written.rows_left_out[reason] += 1

    def all_there(self, label: Label) -> bool:
        """Whether every picture of a label has its file; if not, the label is left out."""
        is_whole = all(self._pictures(picture.sha256).is_file() for picture in label.pictures)
        if not is_whole:
            self.leave_out(GONE)
        return is_whole

    def file(self, sha256: str) -> Path:
        """Where the file of a picture is, which now counts as written."""
        self._counted.add(bytes.fromhex(sha256))
        self.written.pictures = len(self._counted)
        return self._pictures(sha256)

    def picture(self, sha256: str) -> bytes:
        """The file of a picture. Raises NotFound for one that has just gone."""
        try:
            return self.file(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"The picture {sha256[:12]} is gone.", "Export once more: its labels are left out."
            ) from None

    def pairs(self) -> Iterator[Pair]:
        """Rows of pairs, with ties and joined as the options say; labels that give none are left out.

        Raises Cancelled.
        """
        if self.options.rows == "each":
            for label in self.labels():
                for pair in self.pairs_of(label):
                    self.written.rows += 1
                    yield pair
            return
        for pair in joined(self._compared(), self.options.rows):
            rows = list(with_ties([pair], self.ties))
            if not rows:
                self.written.rows_left_out[A_TIE] += 1
            self.written.rows += len(rows)
            yield from rows

    def pairs_of(self, label: Label) -> list[Pair]:
        """Rows of pairs of the label that `labels` gave last; it is left out if it gives none. Not counted."""
        compared = pairs(label)
        rows = list(with_ties(compared, self.ties))
        if not rows:
            self.leave_out(A_TIE if compared else NO_PAIR)
        return rows if rows and self.all_there(label) else []

    def verdicts(self) -> Iterator[Verdict]:
        """Rows of single pictures, good or bad; labels that say nothing of one are left out. Raises Cancelled."""
        for verdict in joined_verdicts(self._judged(), self.options.rows):
            self.written.rows += 1
            yield verdict

    def _compared(self) -> Iterator[Pair]:
        for label in self.labels():
            compared = pairs(label)
            if not compared:
                self.leave_out(NO_PAIR)
            elif self.all_there(label):
                yield from compared

    def _judged(self) -> Iterator[Verdict]:
        for label in self.labels():
            rows = verdicts(label)
            if not rows:
                self.leave_out(NO_VERDICT)
            elif self.all_there(label):
                yield from rows
