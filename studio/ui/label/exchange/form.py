"""What stands in the fields of an import or export, as what the services take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.preference.formats import FORMATS
from studio.ui.markup import tag, text
from studio.ui.values import is_whole

if TYPE_CHECKING:
    from studio.services.studio import Studio

DIRECTIONS = (("Export", "out"), ("Import", "in"))
ALL, OF_CAMPAIGN, OF_SNAPSHOT = "all", "campaign:", "snapshot:"
RECOGNISE = ""
TIES = (("As 0.5, where the format has it", "half"), ("Leave them out", "drop"), ("Two rows, one each way", "both"))
ROWS = (("A row for each answer", "each"), ("What most answered", "majority"), ("The share for the first", "mean"))
QUESTIONS = (("Which one is preferred", "overall"), ("Follows the prompt", "prompt"), ("Looks better", "look"))
OPTIONS = ("ties", "anonymise", "limit", "rows", "question", "checks", "superseded", "validation")
FIELDS = ("labels", "format", *OPTIONS)


@dataclass(frozen=True)
class Chosen:
    """Which labels: of campaigns, by their names, none for all; or of a snapshot."""

    campaigns: tuple[str, ...] = ()
    snapshot: str | None = None

    @property
    def title(self) -> str:
        if self.snapshot is not None:
            return f"Snapshot “{self.snapshot}”"
        return "All campaigns" if not self.campaigns else f"Campaign “{self.campaigns[0]}”"


def label_choices(studio: Studio) -> list[tuple[str, str]]:
    """(label, value) of what can be exported: everything, each campaign with answers, each snapshot."""
    choices = [("All campaigns", ALL)]
    for campaign in studio.labels.campaigns(archived=True):
        count = studio.labels.counts(campaign.id).labels
        if count:
            choices.append((f"{campaign.name}, {count:,} answers", f"{OF_CAMPAIGN}{campaign.id}"))
    for snapshot in studio.labels.snapshots():
        choices.append((f"Snapshot {snapshot.name}, {len(snapshot.training):,} answers", OF_SNAPSHOT + snapshot.name))
    return choices


def chosen(studio: Studio, value: Any) -> Chosen:
    """What an entry of `label_choices` stands for. Raises NotFound."""
    words = str(value or ALL)
    if words.startswith(OF_SNAPSHOT):
        return Chosen(snapshot=words.removeprefix(OF_SNAPSHOT))
    if words.startswith(OF_CAMPAIGN):
        number = words.removeprefix(OF_CAMPAIGN)
        return Chosen((studio.labels.campaign(int(number) if number.isdecimal() else 0).name,))
    return Chosen()


def format_choices(reads: bool = False) -> list[tuple[str, str]]:
    """(title, name) of the formats. reads: of those that come in, and before them to recognise it."""
    first = [("Recognise it", RECOGNISE)] if reads else []
    return [*first, *((format.title, name) for name, format in FORMATS.items() if format.reads or not reads)]


def options_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of `ExportOptions`. Raises BadInput for a limit that is no whole number."""
    values = {name: fields[name] for name in OPTIONS}
    limit = values["limit"]
    if limit is not None and (not is_whole(limit) or limit < 0):
        raise BadInput(f"A limit is a whole number of answers, not {shown(limit)}.", field="limit")
    return {**values, "limit": int(limit or 0)}


def about_format(name: str) -> str:
    """What a format is for, and what is lost in it."""
    if name not in FORMATS.names():
        return ""
    format = FORMATS.get(name)
    lost = f"Not kept in it: {format.loses}." if format.loses else "It keeps everything."
    return tag("p", text(format.sentence), class_="hint") + tag("p", text(lost), class_="hint")
