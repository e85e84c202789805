"""Labels from files are taken into a workspace: pictures are stored, items made, answers written into the log.

Some hundreds of labels are one transaction. What was read before a stop, an error or a crash stays; ids say what is
there when the same source is read again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from studio.core.errors import BadInput, Cancelled
from studio.core.recipe import Recipe
from studio.preference.exchange.incoming import IncomingLabel, Reading, RefusedRow
from studio.preference.exchange.selection import Progress
from studio.preference.label import Label
from studio.services.labels.import_campaigns import ImportCampaigns
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.foreign import ForeignPicture
from studio.storage.labels.items import NewItem
from studio.storage.png import RECIPE_KEY, read_png

AT_ONCE = 200  # labels of one transaction
LISTED = 100  # refused rows that are named
_BYTES_AT_ONCE = 64 * 1024 * 1024
_OF_RECIPE = b"tEXt" + RECIPE_KEY.encode() + b"\0"


@dataclass
class Imported:
    """What an import took in.

    campaigns: names, the first of them that was asked for.
    labels: how many are new.
    known: how many were there already.
    pictures: how many different ones the new labels are about.
    foreign: how many of these no model of this studio drew, as far as the files say.
    refused: rows that were not taken, up to LISTED of them, each with its reason.
    refused_count: all of them.
    unknown: columns that nothing was done with -> in how many rows.
    remarks: sentences about the source.
    format: name of the one it was read as.
    """

    campaigns: list[str] = field(default_factory=list[str])
    labels: int = 0
    known: int = 0
    pictures: int = 0
    foreign: int = 0
    refused: list[RefusedRow] = field(default_factory=list[RefusedRow])
    refused_count: int = 0
    unknown: Counter[str] = field(default_factory=Counter[str])
    remarks: list[str] = field(default_factory=list[str])
    format: str = ""

    @property
    def foreign_share(self) -> float:
        """Of the pictures, those that no model of this studio drew: 0 to 1."""
        return self.foreign / self.pictures if self.pictures else 0.0

    def refuse(self, row: int, reason: str) -> None:
        """Count a row that is not taken."""
        self.refused_count += 1
        if len(self.refused) < LISTED:
            self.refused.append(RefusedRow(row, reason))


class TakingIn:
    """One import.

    name: of the campaign.
    source: what it is taken from, as the items say.
    """

    def __init__(self, archive: Archive, name: str, source: str) -> None:
        self._archive = archive
        self._store = archive.labels
        self._campaigns = ImportCampaigns(archive.labels, name)
        self._source = source
        self._pictures: set[bytes] = set()  # stored in this import
        self._places: dict[str, int] = {}  # id of a label that was taken in -> its item, 0 before it has one
        self._items: dict[bytes, list[_Item]] = {}
        self._imported = Imported()

    def take(self, reading: Reading, progress: Progress) -> Imported:
        """Read all rows and take their labels in. Raises BadInput, Cancelled, WorkspaceError."""
        imported, total = self._imported, reading.total or 0
        imported.unknown, imported.remarks = reading.unknown, reading.remarks
        for part in self._parts(reading):
            self._write(part)
            if part:
                progress(part[-1].row, total)
        imported.campaigns = self._campaigns.names
        return imported

    def _parts(self, reading: Reading) -> Iterator[list[IncomingLabel]]:
        """What is read, some hundreds at once; also what was read before a stop, or before the file was damaged."""
        waiting: list[IncomingLabel] = []
        nbytes = 0
        try:
            for row in reading:
                if isinstance(row, RefusedRow):
                    self._imported.refuse(row.row, row.reason)
                    continue
                waiting.append(row)
                nbytes += sum(map(len, row.files))
                if len(waiting) == AT_ONCE or nbytes > _BYTES_AT_ONCE:
                    yield waiting
                    waiting, nbytes = [], 0
        except (BadInput, Cancelled):
            yield waiting
            raise
        yield waiting

    def _write(self, arrived: list[IncomingLabel]) -> None:
        """Take some labels in, in their order: those that go to one campaign in one transaction."""
        places = self._store.reader.items_of([incoming.label.id for incoming in arrived])
        new: list[IncomingLabel] = []
        for incoming in arrived:
            if incoming.label.id in places or incoming.label.id in self._places:
                self._imported.known += 1
            else:
                self._places[incoming.label.id] = 0
                new.append(incoming)
        for campaign, run in groupby(new, lambda incoming: self._campaigns.of(incoming.label)):
            self._write_run(campaign, list(run))

    def _write_run(self, campaign: Campaign, arrived: list[IncomingLabel]) -> None:
        placed: list[tuple[int, Label, _Item]] = []
        files: list[tuple[bytes, ForeignPicture]] = []
        for incoming in arrived:
            try:
                label, place = self._linked(campaign, incoming.label)
            except BadInput as error:
                self._imported.refuse(incoming.row, error.message)
                continue
            files += self._new_files(incoming)
            placed.append((incoming.row, label, place or self._item(label)))
        self._archive.keep_all_foreign(files)
        unmade = list(dict.fromkeys(item for _, _, item in placed if item.new is not None))
        numbers = self._store.items.add(campaign.id, [item.new for item in unmade if item.new is not None])
        for item, number in zip(unmade, numbers, strict=True):
            item.number, item.new = number, None
        self._record(campaign, [(row, replace(label, item=item.number)) for row, label, item in placed])

    def _record(self, campaign: Campaign, labels: list[tuple[int, Label]]) -> None:
        try:
            self._imported.labels += self._store.log.record([label for _, label in labels], campaign.id)
        except BadInput:  # for one of them, which writing each by itself brings out
            for row, label in labels:
                try:
                    self._imported.labels += self._store.log.record([label], campaign.id)
                except BadInput as error:
                    self._imported.refuse(row, error.message)
        for _, label in labels:
            self._places[label.id] = label.item

    def _linked(self, campaign: Campaign, label: Label) -> tuple[Label, _Item | None]:
        """A label with the item of what it supersedes; without that, where it is not among those of this campaign.

        A file must not take back what others of the workspace have answered. Raises BadInput for a label that does
        nothing else.
        """
        if label.supersedes is None:
            return label, None
        campaign_id, place = self._store.reader.items_of([label.supersedes]).get(label.supersedes, (0, 0))
        if campaign_id == campaign.id:
            return label, _Item(None, place)
        if label.is_withdrawn:
            raise BadInput("it takes back a label that is not there")
        return replace(label, supersedes=None), None

    def _item(self, label: Label) -> _Item:
        """An item for a label, shared by those that say something of the same pictures in the same order.

        Nobody answers a question about an item twice, so a second answer of one person is about an item of its own.
        """
        pictures = tuple(picture.sha256 for picture in label.pictures)
        parts = (label.prompt, *pictures, label.answer.mode, label.question, label.purpose, label.chosen_by)
        key = hashlib.sha256("\0".join(parts).encode()).digest()[:16]
        items = self._items.setdefault(key, [])
        item = next((item for item in items if label.annotator not in item.annotators), None)
        if item is None:
            item = _Item(NewItem(label.prompt, pictures, label.purpose, label.chosen_by, source=self._source))
            items.append(item)
        item.annotators.append(label.annotator)
        return item

    def _new_files(self, incoming: IncomingLabel) -> Iterator[tuple[bytes, ForeignPicture]]:
        """Pictures of a label that this import has not stored yet, counted."""
        for data, picture in zip(incoming.files, incoming.label.pictures, strict=True):
            key = bytes.fromhex(picture.sha256)
            if key in self._pictures:
                continue
            recipe = _recipe_of(data)
            self._pictures.add(key)
            self._imported.pictures += 1
            self._imported.foreign += recipe is None
            facts = (picture.sha256, picture.width, picture.height, picture.model)
            yield data, ForeignPicture(*facts, recipe, source=self._source)


@dataclass(eq=False, slots=True)
class _Item:
    """An item that is there, or will be.

    new: what it is made from; None once it is there.
    number: 0 before.
    annotators: who has answered.
    """

    new: NewItem | None
    number: int = 0
    annotators: list[str] = field(default_factory=list[str])


def _recipe_of(data: bytes) -> Recipe | None:
    """What a PNG of this studio says of its making; None for any other picture."""
    if _OF_RECIPE not in data:
        return None
    try:
        return read_png(data).recipe
    except BadInput:
        return None


def summary(imported: Imported, most: int = 10) -> Iterable[str]:
    """An import in sentences, a line each; up to `most` refused rows."""
    yield f"{imported.labels} labels taken in, into {' and '.join(imported.campaigns) or 'no campaign'}."
    if imported.known:
        yield f"{imported.known} were there already."
    if imported.pictures:
        share = f"{imported.foreign_share:.0%}"
        yield f"{imported.pictures} pictures, of which {share} were drawn by no model of this studio."
    if imported.refused_count:
        yield f"{imported.refused_count} rows were refused:"
        yield from (f"  row {row.row}: {row.reason}" for row in imported.refused[:most])
    if imported.unknown:
        yield f"Nothing was done with: {', '.join(sorted(imported.unknown))}."
    yield from imported.remarks
