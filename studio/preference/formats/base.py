"""What a format of labels is, and the list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.core.errors import BadInput
from studio.core.registry import Registry
from studio.preference.exchange.incoming import Reading, watched
from studio.preference.exchange.options import ExportOptions
from studio.preference.exchange.selection import Export, Pictures, Progress, Selection, Stop, Written
from studio.preference.exchange.target import unfinished
from studio.preference.label import Label

# What a format may have a place for: two pictures of which one is better; two that are equal; shares between 0 and 1;
# pictures that are good or bad by themselves; lists in order; everything a label says.
Carried = Literal["pairs", "ties", "shares", "unpaired", "rankings", "all"]
FOLDER = ""  # the extension of a format that is a folder


def _unwatched(count: int, total: int) -> None:
    """Nobody asked."""


@dataclass(frozen=True)
class Format:
    """A format of labels.

    title: what the page calls it.
    sentence: what it is for, and what is lost in it.
    extensions: endings of its file, with the dot; FOLDER where it is a folder. The first is the usual one.
    carries: what it has a place for.
    writer: writes the labels of an export to a path, a file or an empty folder.
    reader: begins to read a file or a folder. None for a format that is written only.
    loses: what of a label does not come back, a clause; "" for nothing.
    knows: whether a file or folder looks like it, by the columns of its first row; raises nothing.
    """

    title: str
    sentence: str
    extensions: tuple[str, ...]
    carries: frozenset[Carried]
    writer: Callable[[Export, Path], None]
    reader: Callable[[Path], Reading] | None = None
    loses: str = ""
    knows: Callable[[Path], bool] = lambda source: False

    @property
    def reads(self) -> bool:
        return self.reader is not None

    def write(
        self,
        labels: Iterable[Label],
        pictures: Pictures,
        target: Path,
        options: ExportOptions | None = None,
        progress: Progress = _unwatched,
        stop: Stop = lambda: False,
    ) -> Written:
        """Write labels to a new file or folder, which is there whole when this returns, or not at all.

        labels: iterable more than once.
        Raises BadInput for a target that is there or ends otherwise, options that it has no place for, and nothing to
        write; Cancelled; WorkspaceError.
        """
        options = options or ExportOptions()
        is_folder = self._is_folder(target)
        if options.rows == "mean" and "shares" not in self.carries:
            raise BadInput(f"{self.title} has no shares between 0 and 1.", "Take the majority.", field="rows")
        if options.rows != "each" and "all" in self.carries:
            raise BadInput(f"{self.title} keeps every answer.", "Write a row for each.", field="rows")
        selection = Selection(labels, options, stop, any_question="all" in self.carries)
        export = Export(selection, pictures, progress, target, has_ties="ties" in self.carries)
        with unfinished(target, folder=is_folder) as part:
            self.writer(export, part)
            if not export.written.labels or not export.written.rows:
                counts = export.written.left_out + export.written.rows_left_out
                reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common(3))
                left_out = f"Left out: {reasons}." if reasons else "There are none."
                raise BadInput(f"There is no label to write as {self.title}.", left_out)
        return export.written

    def read(self, source: Path, stop: Stop = lambda: False) -> Reading:
        """Begin to read a file or a folder. Its rows are those of `Reading`, without what is in it twice.

        Raises BadInput here, or while rows are read, for a source that is no such thing, cannot be read on, or has no
        rows; Cancelled.
        """
        if self.reader is None:
            raise BadInput(f"{self.title} is only written.")
        if not source.exists():
            raise BadInput(f"There is no file {source}.")
        reading = self.reader(source)
        reading.rows = watched(reading.rows, stop, source.name)
        return reading

    def _is_folder(self, target: Path) -> bool:
        suffix = target.suffix.lower()
        if suffix in self.extensions and suffix != FOLDER:
            return False
        if FOLDER in self.extensions:
            return True
        endings = " or ".join(self.extensions)
        raise BadInput(f"A file of {self.title} ends in {endings}, not {target.name!r}.", field="target")


FORMATS: Registry[Format] = Registry("format of labels")


def recognised(source: Path) -> str:
    """The name of the format of a file or folder. Raises BadInput where none fits, or more than one."""
    if not source.exists():
        raise BadInput(f"There is no file {source}.")
    names = [name for name, format in FORMATS.items() if format.reads and format.knows(source)]
    if len(names) == 1:
        return names[0]
    if names:
        raise BadInput(f"{source.name} may be {' or '.join(names)}.", "Say which.", field="format")
    readable = ", ".join(format.title for _, format in FORMATS.items() if format.reads)
    raise BadInput(
        f"No format is recognised in {source.name}: its first row has the columns of none.",
        f"There are {readable}. Choose the one it is.",
        field="format",
    )
