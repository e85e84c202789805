"""What the pad asks of the studio, as functions of what a page sent: next items, votes, undo, progress, pictures."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

import studio
from studio.core.errors import BadInput, NotFound, StudioError
from studio.storage.labels.annotators import Annotator
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.counts import Progress
from studio.storage.labels.log import Circumstances
from studio.storage.png import MAX_IMAGE_PIXELS, pixels_only
from studio.ui.label import wire

if TYPE_CHECKING:
    from studio.services.studio import Studio

BATCH = 50  # items between two rests


class Collector:
    """What the pad's addresses answer, over an open studio. Whatever cannot be taken raises a StudioError.

    base: where the addresses begin.
    owner: of a link, the annotator whose it is, whatever a page says; None where a page says who answers.
    """

    def __init__(self, studio: Studio, base: str, owner: str | None = None) -> None:
        self._studio = studio
        self.base = base
        self.owner = owner

    def overview(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Who may label, and what: for the screen before the pictures. query: annotator, a name that may be unknown."""
        labels = self._studio.labels
        people, name = labels.annotators(), self.owner or query.get("annotator", "")
        person = next((person for person in people if person.alias == name), None)
        return {
            "annotators": [] if self.owner else [_person(each) for each in people],
            "annotator": _person(person) if person else None,
            "campaigns": [self._campaign(campaign, person) for campaign in labels.campaigns()],
        }

    def next(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Items for a page to ask. query: annotator, campaign, have (tokens), count."""
        labels, name = self._studio.labels, self._name(query)
        campaign = labels.campaign(wire.read_number(query.get("campaign"), "campaign"))
        in_hand = wire.read_in_hand(query.get("have", ""))
        assignments = labels.lease(campaign.id, name, wire.read_count(query.get("count", "1")), holding=in_hand)
        progress = labels.progress(campaign.id, name)
        is_coming = not assignments and self._studio.campaigns.drawing.is_coming(campaign.id)
        is_done = not is_coming and 0 < progress.target <= progress.answered
        return {
            "items": [item for assignment in assignments for item in wire.item_json(assignment, self.base)],
            "state": "more" if assignments else "done" if is_done else "waiting",
            "message": "" if assignments else self._message(campaign, progress, is_coming),
            "progress": {**self._progress(campaign, name, progress), "taste": self._taste(campaign, name)},
        }

    def vote(self, values: Any) -> dict[str, Any]:
        """Take an answer in; it is on disk when this returns."""
        labels, vote = self._studio.labels, wire.read_vote(values)
        assignment = labels.assignment(vote["item"])
        on_screen = wire.answer_of(vote["answer"], assignment.mode, assignment.count)
        circumstances = Circumstances(
            shown_at=vote["shown_at"],
            first_paint_at=vote["first_paint_at"],
            answered_at=vote["answered_at"],
            latency_ms=vote["latency_ms"],
            device=vote["device"],
            ui_version=studio.__version__,
            confidence=vote["confidence"],
            comment=vote["comment"],
            flagged=vote["flagged"],
        )
        answer = assignment.answer_of_item(on_screen)
        receipt = labels.vote(vote["id"], assignment.token, answer, vote["question"], circumstances)
        return {"id": receipt.id, **self._where(values)}

    def undo(self, values: Any) -> dict[str, Any]:
        """Take the newest answer back; the item comes along, to be asked again.

        values: id, annotator, campaign, and undoes: the id of the answer that is meant, None for whichever is newest.
        """
        id, fields = wire.read_id(values), dict(values)
        name = self._name(fields)
        campaign = self._studio.labels.campaign(wire.read_number(fields.get("campaign"), "campaign"))
        undoes = fields.get("undoes")
        meant = None if undoes is None else wire.read_id({"id": undoes})
        _, assignment = self._studio.labels.undo(id, campaign.id, name, meant)
        return {
            "items": wire.item_json(assignment, self.base),
            "progress": self._progress(campaign, name),
        }

    def made(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What pictures were that somebody has answered about. query: item, a token; or annotator and campaign, at the
        end of it.
        """
        if "item" in query:
            revealed = self._studio.reveals.after(wire.read_token(query["item"]))
        else:
            campaign = wire.read_number(query.get("campaign"), "campaign")
            revealed = self._studio.reveals.at_the_end(campaign, self._name(query))
        return {"items": [wire.revealed_json(item, self.base) for item in revealed]}

    def add_annotator(self, values: Any) -> dict[str, Any]:
        """Write somebody new down. values: alias."""
        alias = wire.read_name(values.get("alias") if isinstance(values, Mapping) else None)
        if alias in {person.alias for person in self._studio.labels.annotators()}:
            raise BadInput(
                f"There is already somebody called {alias!r}.", "Choose it, or take another name.", field="alias"
            )
        return {"annotator": _person(self._studio.labels.annotator(alias))}

    def set_keys(self, values: Any) -> dict[str, Any]:
        """Keep somebody's own keys. values: id, annotator, keys."""
        wire.read_id(values)
        keys = wire.read_keys(values.get("keys"))
        return {"annotator": _person(self._studio.labels.set_keys(self._name(values), keys))}

    def picture(self, address: str) -> bytes:
        """The file of a picture as PNG, with its pixels and nothing that says how it was made."""
        token, place = wire.read_place(address)
        return _blind(self._studio.labels.picture(token, place))

    def _name(self, values: Mapping[str, Any]) -> str:
        return self.owner or wire.read_name(values.get("annotator"))

    def _where(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """How far somebody is, for the answer to a vote, which does not fail for want of it."""
        try:
            name = self._name(values)
            campaign = self._studio.labels.campaign(wire.read_number(values.get("campaign"), "campaign"))
            return {"progress": self._progress(campaign, name)}
        except StudioError:
            return {"progress": None}

    def _campaign(self, campaign: Campaign, person: Annotator | None) -> dict[str, Any]:
        counts = self._studio.labels.counts(campaign.id)
        is_open = not campaign.paused and counts.items > 0
        note = "" if is_open else "paused" if campaign.paused else "no pictures yet"
        return {
            "id": str(campaign.id),
            "name": campaign.name,
            "mode": campaign.mode,
            "guideline": campaign.guideline,
            "reveal": campaign.reveal,
            "open": is_open,
            "note": note,
            "done": counts.answered,
            "target": counts.items,
            "mine": counts.by_annotator.get(person.alias, 0) if person else 0,
            "batch": BATCH,
        }

    def _progress(self, campaign: Campaign, name: str, progress: Progress | None = None) -> dict[str, Any]:
        progress = progress or self._studio.labels.progress(campaign.id, name)
        questions = len(campaign.questions)
        return {
            "campaign": str(campaign.id),
            "done": progress.answered,
            "target": progress.target,
            "mine": progress.mine,
            # Answers of this person that may still be wanted: of nothing that is done, and of nothing twice.
            "wanted": max(
                0, min(progress.target * questions - progress.mine, (progress.target - progress.answered) * questions)
            ),
            "today": progress.today,
            "pace": progress.pace_per_minute,
            "batch": BATCH,
        }

    def _message(self, campaign: Campaign, progress: Progress, is_coming: bool) -> str:
        """Why there is nothing more for somebody just now."""
        if is_coming:
            return "The next pictures are being drawn; they appear here by themselves."
        if self._studio.tunings.is_over(campaign.id):
            return f"“{campaign.name}” asks nothing further. What your votes came to stands under Tune by votes."
        return _message(progress)

    def _taste(self, campaign: Campaign, name: str) -> str:
        """What a person's taste model says of itself; "" while it claims nothing. No answer waits for it."""
        if campaign.purpose == "eval":
            return ""  # what is asked to compare recipes is not learned from
        try:
            line = self._studio.tastes.line(campaign.id, name)
        except StudioError:
            return ""
        return line.text if line.state == "ready" else ""


def _person(person: Annotator) -> dict[str, Any]:
    return {"id": person.alias, "alias": person.alias, "keys": person.key_set}


def _message(progress: Progress) -> str:
    """Why there is nothing more for somebody just now."""
    if not progress.target:
        return "This campaign has no pictures yet. They appear here as soon as they are drawn."
    if progress.answered >= progress.target:
        return ""
    return (
        "You have answered all there is for you so far. What others have in hand comes back ten minutes after they "
        "stop; new pictures appear here by themselves."
    )


@functools.lru_cache(maxsize=64)
def _blind(file: Path) -> bytes:
    """A picture without texts and profiles. Raises NotFound where the file is gone or cannot be read."""
    try:
        data = file.read_bytes()
        if data.startswith(b"\x89PNG"):
            return pixels_only(data, "The picture")
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > MAX_IMAGE_PIXELS:
                raise NotFound("The picture has too many pixels to be shown.")
            buffer = io.BytesIO()
            ImageOps.exif_transpose(opened).convert("RGB").save(buffer, "PNG", compress_level=1)
            return buffer.getvalue()
    except (OSError, BadInput) as error:
        raise NotFound("The file of this picture is gone or damaged.", "Skip the item.") from error
