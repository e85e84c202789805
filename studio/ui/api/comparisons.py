"""Comparisons, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from studio.preference.campaign import MAX_ITEMS
from studio.services.comparisons import blind
from studio.services.comparisons.comparison import MAX_COLUMNS, MAX_NAME_CHARS, MAX_ROWS, Comparison
from studio.services.comparisons.plain import plan_plain
from studio.services.history import MAX_ID
from studio.ui.api.endpoint import Upload
from studio.ui.api.values import Plain

if TYPE_CHECKING:
    from studio.services.studio import Studio

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Rows = Annotated[list[dict[str, Any]], Field(max_length=MAX_ROWS)]  # {"name", "recipe", "source"}
Columns = Annotated[list[dict[str, Any]] | None, Field(max_length=MAX_COLUMNS)]  # {"seed", "prompt"}
RowNumber = Annotated[int, Field(ge=0, lt=MAX_ROWS)]  # from 0
Batching = Literal["shared", "isolated"]
CampaignNumber = Annotated[int, Field(ge=1, le=MAX_ID)]


class ComparisonApi:
    """The endpoints, as methods of an open studio. Each raises StudioError, whose sentence the client gets."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def plan_comparison(
        self,
        rows: Rows,
        columns: Columns = None,
        reference: RowNumber = 0,
        equal_nfe: bool = False,
        batching: Batching = "shared",
    ) -> Plain:
        """Say what a comparison would take, and what of it cannot be drawn. rows: {"name", "recipe"} each.

        columns: {"seed", "prompt"} each; null draws every row as its recipe is. Draws nothing.
        """
        comparison = _comparison(rows, columns, reference, equal_nfe, batching)
        return plan_plain(self._studio.comparisons.plan(comparison))

    def draw_comparison(
        self,
        rows: Rows,
        columns: Columns = None,
        reference: RowNumber = 0,
        equal_nfe: bool = False,
        batching: Batching = "shared",
        name: Name = "",
    ) -> Plain:
        """Draw what is missing of a comparison, and read what was drawn; gives the ids of the jobs.

        The parameters are those of `plan_comparison`; name: keeps it under that name. Call it again when the jobs are
        over: only what is not there is queued, and an empty list says that all is.
        """
        comparison = _comparison(rows, columns, reference, equal_nfe, batching, name)
        if name:
            self._studio.comparisons.save(comparison)
        jobs = list(self._studio.comparisons.draw(comparison))
        reading = self._studio.comparisons.read(comparison)
        return {"jobs": [*jobs, *([reading] if reading else [])]}

    def comparison_facts(
        self,
        rows: Rows,
        columns: Columns = None,
        reference: RowNumber = 0,
        equal_nfe: bool = False,
        batching: Batching = "shared",
    ) -> Plain:
        """Tell what is known of a comparison: its pictures by row and column, what they show and cost, and how each row
        differs from the reference.

        The parameters are those of `plan_comparison`.
        """
        return self._studio.shares.facts(_comparison(rows, columns, reference, equal_nfe, batching))

    def comparisons(self) -> list[Plain]:
        """List the saved comparisons, by name; one that cannot be read has a problem."""
        return [
            {**vars(entry), "saved_at": entry.saved_at.isoformat(timespec="seconds")}
            for entry in self._studio.comparisons.list()
        ]

    def comparison(self, name: Name) -> Plain:
        """Give a saved comparison: its fields are the parameters of `draw_comparison`."""
        return self._studio.comparisons.load(name).model_dump(mode="json", exclude={"version"})

    def import_comparison(self, file: Upload) -> Plain:
        """Take an uploaded report in: its edits with their checks; gives its comparison and what did not come along."""
        restored = self._studio.shares.restore(file)
        return {
            "comparison": restored.comparison.model_dump(mode="json", exclude={"version"}),
            "edits": list(restored.edits),
            "remarks": list(restored.remarks),
        }

    def blind_test(
        self,
        row: RowNumber,
        rows: Rows,
        columns: Columns = None,
        reference: RowNumber = 0,
        pairs: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = blind.PAIRS,
    ) -> Plain:
        """Have a row compared blind with the reference, on the Label tab; gives the test. rows, columns: as of
        `plan_comparison`.
        """
        comparison = _comparison(rows, columns, reference, False, "shared")
        return blind.plain(self._studio.comparisons.blind_test(comparison, row, pairs))

    def blind_test_result(self, campaign: CampaignNumber, end: bool = False) -> Plain:
        """Tell how a blind test stands; who is ahead only once it is over. end: ask nothing more, and tell."""
        tests = self._studio.comparisons.tests
        return blind.plain(tests.end(campaign) if end else tests.get(campaign))

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """What is exposed, each under its own name."""
        return (
            self.plan_comparison,
            self.draw_comparison,
            self.comparison_facts,
            self.comparisons,
            self.comparison,
            self.import_comparison,
            self.blind_test,
            self.blind_test_result,
        )


def _comparison(
    rows: list[dict[str, Any]],
    columns: list[dict[str, Any]] | None,
    reference: int,
    equal_nfe: bool,
    batching: Batching,
    name: str = "",
) -> Comparison:
    values: dict[str, Any] = {
        "name": name,
        "rows": rows,
        "reference": reference,
        "equal_nfe": equal_nfe,
        "batching": batching,
    }
    return Comparison.load(values if columns is None else {**values, "columns": columns})
