"""A comparison as a value: rows are recipes, columns are seeds or prompts. Its JSON is what is saved and shared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field

from studio.core.bounded_json import without_repeats
from studio.core.errors import BadInput
from studio.core.params import Params, load
from studio.core.recipe import LIVE, MAX_PROMPT_CHARS, Recipe

VERSION = 1
MAX_ROWS, MAX_COLUMNS, MAX_CELLS = 20, 200, 400
MAX_NAME_CHARS = 100
MAX_JSON_BYTES = 8_000_000


class Row(Params):
    """One recipe that is compared.

    name: what people call it; "" is named by what it differs in.
    source: where it came from, in words, such as "picture 12" or "preset strong"; told, and never acted on.
    """

    name: str = Field(default="", max_length=MAX_NAME_CHARS, description="what people call it")
    recipe: Recipe = Field(default_factory=Recipe, description="what makes its pictures")
    source: str = Field(default="", max_length=300, description="where it came from, in words")

    @property
    def is_live(self) -> bool:
        """Whether it is drawn with an edit that is still being trained."""
        return any(ref.edit.startswith(LIVE) and ref.strength for ref in self.recipe.edits)


class Column(Params):
    """What all cells of a column have in common: a seed, a prompt, or both. What is None is each row's own."""

    seed: int | None = Field(default=None, ge=0, le=2**64 - 1, description="seed of all its cells; null: each row's")
    prompt: str | None = Field(
        default=None, max_length=MAX_PROMPT_CHARS, description="prompt of all its cells; null: each row's"
    )

    @property
    def label(self) -> str:
        """What is written above it."""
        seed = "" if self.seed is None else f"seed {self.seed}"
        prompt = "" if self.prompt is None else self.prompt or "no prompt"
        return ", ".join(filter(None, (prompt, seed))) or "as each row has it"


class Comparison(Params):
    """Rows by columns. Build it from untrusted values with `load` or `from_json`.

    columns: one that says nothing draws every row as its recipe is.
    reference: index of the row that the others are held against.
    equal_nfe: draw every row with as many steps as cost no more network evaluations than the reference's.
    batching: of all cells; shared draws them together, where each is the same to rounding as alone.
    """

    version: Literal[1] = Field(default=VERSION, description="version of this format")
    name: str = Field(default="", max_length=MAX_NAME_CHARS, description="what it is called where it is saved")
    rows: tuple[Row, ...] = Field(default=(), max_length=MAX_ROWS, description="what is compared")
    columns: tuple[Column, ...] = Field(default=(Column(),), max_length=MAX_COLUMNS, description="seeds or prompts")
    reference: int = Field(default=0, ge=0, lt=MAX_ROWS, description="row that the others are held against")
    equal_nfe: bool = Field(default=False, description="whether all rows cost as much as the reference")
    batching: Literal["isolated", "shared"] = Field(default="shared", description="of all cells; see the recipe")

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Comparison:
        """Build a comparison from untrusted values; what is left out takes its default.

        Raises BadInput: one sentence naming the row or the field, what is allowed and the value.
        """
        version: Any = values.get("version", VERSION)
        if isinstance(version, int) and version > VERSION:
            message = f"The comparison is of version {str(version)[:20]}, and this program reads up to {VERSION}."
            raise BadInput(message, "Update Palimpsest to read it.", field="version")
        _check_recipes(values.get("rows"))
        comparison = load(cls, values, "comparison")
        comparison.check()
        return comparison

    @classmethod
    def from_json(cls, text: str | bytes) -> Comparison:
        """Read a comparison from JSON text, such as `to_json` gives. Raises BadInput."""
        if len(text) > MAX_JSON_BYTES:
            raise BadInput(f"A comparison has at most {MAX_JSON_BYTES // 1_000_000} MB of JSON, not {len(text)} bytes.")
        try:
            values: Any = json.loads(text, object_pairs_hook=without_repeats)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
            raise BadInput(f"The comparison is not valid JSON: {reason}.") from None
        if not isinstance(values, dict):
            raise BadInput(f"The comparison must be a JSON object, not a {type(values).__name__}.")
        return cls.load(cast("dict[str, Any]", values))

    def to_json(self) -> str:
        """Indented, for files that people read."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"

    def check(self) -> None:
        """Raise BadInput for rows and columns that do not go together, or too many cells."""
        cells = len(self.rows) * len(self.columns)
        if cells > MAX_CELLS:
            message = f"A comparison has at most {MAX_CELLS} pictures; {len(self.rows)} rows by {len(self.columns)} "
            raise BadInput(f"{message}columns are {cells}.", "Take fewer rows or columns.", field="columns")
        if not self.columns:
            raise BadInput("A comparison needs a column.", "Add a seed or a prompt.", field="columns")
        if len(set(self.columns)) < len(self.columns):
            twice = next(column for place, column in enumerate(self.columns) if column in self.columns[:place])
            raise BadInput(f"The column {twice.label[:80]!r} is there twice.", "Remove one.", field="columns")
        if self.reference and self.reference >= len(self.rows):
            message = f"The reference is row {self.reference + 1}, and there are {len(self.rows)}."
            raise BadInput(message, "Choose one of the rows.", field="reference")

    def recipe_at(self, row: int, column: int) -> Recipe:
        """What a cell is drawn from, where no equal cost is asked for; not checked against its model."""
        share = self.columns[column]
        update: dict[str, Any] = {"batching": self.batching}
        update |= {} if share.seed is None else {"seed": share.seed}
        update |= {} if share.prompt is None else {"prompt": share.prompt}
        return self.rows[row].recipe.model_copy(update=update)


def _check_recipes(rows: Any) -> None:
    """Raise BadInput for the first row whose recipe is refused: its own sentence is better than that of a field."""
    if not isinstance(rows, list | tuple):
        return
    for number, row in enumerate(cast("list[Any]", rows)[: MAX_ROWS + 1], 1):
        recipe: Any = cast("dict[str, Any]", row).get("recipe") if isinstance(row, Mapping) else None
        if isinstance(recipe, Mapping):
            try:
                Recipe.load(cast("Mapping[str, Any]", recipe))
            except BadInput as error:
                raise BadInput(f"Row {number}: {error.message}", error.hint, field=error.field) from None
