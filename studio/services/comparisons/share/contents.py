"""What a shared comparison holds, as plain values that are checked when they come back from somebody else's file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load
from studio.core.recipe import Recipe
from studio.services.comparisons.comparison import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Comparison

FORMAT, VERSION = "palimpsest-comparison-report", 1
MAX_EDIT_BYTES = 8_000_000  # of all edits together, as files
MAX_BATCHES = 400
_HASH = "^[0-9a-f]{64}$"


class SharedCell(Params):
    """A cell with a picture.

    image: sha256 of its PNG, which is in the file beside.
    batch, place: what it was drawn in, and where in that.
    made_by: index of what made it.
    """

    image: str = Field(pattern=_HASH)
    batch: int = Field(ge=0, lt=MAX_BATCHES)
    place: int = Field(ge=0, lt=256)
    made_by: int = Field(ge=0, lt=MAX_CELLS)


class Batch(Params):
    """What was drawn together, in this order; a picture drawn in company has the same bits in the same company alone.

    threads: of the arithmetic, None where that is not known.
    """

    recipes: tuple[Recipe, ...] = Field(min_length=1, max_length=256)
    threads: int | None = Field(default=None, ge=1, le=4096)


class SharedEdit(Params):
    """An edit that the rows name.

    id: what recipes call it. name: what people do.
    sha256: of what it does to weights. nbytes: of its file.
    data: the file, in base64; "" where it is too large to come along.
    """

    id: str = Field(max_length=200)
    name: str = Field(default="", max_length=200)
    sha256: str = Field(pattern=_HASH)
    nbytes: int = Field(ge=0)
    data: str = Field(default="", max_length=MAX_EDIT_BYTES * 4 // 3 + 8)

    def file(self) -> bytes:
        """The bytes of the file. Raises BadInput where there are none, or no base64."""
        if not self.data:
            raise BadInput(
                f"The edit {self.id} is not in the report: it was too large.", "Import it from its own file."
            )
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput(f"The edit {self.id} in the report is damaged.") from None


class Contents(Params):
    """Everything a report holds but its pictures.

    comparison: what was compared.
    cells: rows of columns; None where there is no picture.
    batches: what was drawn together.
    made_by: what made the pictures: versions, device, weights.
    edits: that the rows name, but for those in training.
    facts: what was known of the pictures, plain values, to read; never acted on.
    program, made_at: who wrote it, and when.
    """

    comparison: Comparison
    cells: tuple[tuple[SharedCell | None, ...], ...] = Field(max_length=MAX_ROWS)
    batches: tuple[Batch, ...] = Field(default=(), max_length=MAX_BATCHES)
    made_by: tuple[dict[str, Any], ...] = Field(default=(), max_length=MAX_CELLS)
    edits: tuple[SharedEdit, ...] = Field(default=(), max_length=200)
    facts: dict[str, Any] = Field(default_factory=dict)
    program: str = Field(default="", max_length=100)
    made_at: str = Field(default="", max_length=40)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"format": FORMAT, "version": VERSION, **self.model_dump(mode="json")}

    @classmethod
    def read(cls, text: str, name: str) -> Contents:
        """Read them from JSON. name: of the file, begins sentences. Raises BadInput."""
        try:
            values: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise BadInput(f"{name} is damaged: what it says of the comparison is no JSON.") from None
        if not isinstance(values, dict) or cast("dict[str, Any]", values).get("format") != FORMAT:
            raise BadInput(f"{name} holds no comparison of ours.", "Take a report that Palimpsest has written.")
        values = cast("dict[str, Any]", values)
        version = values.pop("version", None)
        if version != VERSION or version is True:
            message = f"{name} is of version {str(version)[:20]}, and this program reads {VERSION}."
            raise BadInput(message, "Update Palimpsest to read it.")
        del values["format"]
        try:
            return cls._checked(values)
        except BadInput as error:
            message = f"{name} cannot be read: {error.message[:1].lower()}{error.message[1:]}"
            raise BadInput(message, error.hint) from None

    @classmethod
    def _checked(cls, values: Mapping[str, Any]) -> Contents:
        compared = values.get("comparison")
        if not isinstance(compared, Mapping):
            raise BadInput("The report lacks the comparison.")
        comparison = Comparison.load(cast("Mapping[str, Any]", compared))
        contents = load(cls, values, "report")
        rows, columns = len(comparison.rows), len(comparison.columns)
        if len(contents.cells) != rows or any(len(row) != columns for row in contents.cells):
            raise BadInput(f"The report's cells are not {rows} rows of {columns}.")
        for cell in contents.drawn():
            if cell.batch >= len(contents.batches) or cell.place >= len(contents.batches[cell.batch].recipes):
                raise BadInput("A picture of the report was drawn in nothing that it tells of.")
            if cell.made_by >= len(contents.made_by):
                raise BadInput("The report does not say what made one of its pictures.")
        return contents

    def drawn(self) -> list[SharedCell]:
        """The cells with a picture."""
        return [cell for row in self.cells for cell in row if cell is not None]


assert MAX_COLUMNS <= MAX_CELLS


@dataclass(frozen=True, eq=False)
class Report:
    """A shared comparison. pictures: sha256 of each PNG -> its bytes."""

    contents: Contents
    pictures: Mapping[str, bytes]

    def check(self, name: str) -> None:
        """Raise BadInput for a picture that is missing, or not the one it is called. name: of the file."""
        for cell in self.contents.drawn():
            png = self.pictures.get(cell.image)
            if png is None:
                raise BadInput(f"{name} is damaged: a picture that it speaks of is not in it.")
            if hashlib.sha256(png).hexdigest() != cell.image:
                raise BadInput(f"{name} is damaged: one of its pictures is not the one that was drawn.")
