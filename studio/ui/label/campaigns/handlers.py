"""What happens on the Campaigns part, as functions of plain values, each giving values by the components' names."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, StudioError
from studio.core.params import shown
from studio.core.recipe import EditRef
from studio.services.labels.design import FORMS
from studio.services.labels.picture_campaigns import FromPictures
from studio.ui.components.progress import seconds
from studio.ui.errors import sentence
from studio.ui.label.campaigns import form
from studio.ui.label.campaigns.batch import Batches
from studio.ui.label.campaigns.files_html import files_html
from studio.ui.label.campaigns.list_html import MORE, Looked, list_html
from studio.ui.markup import alert, counted, tag, text
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign

MAX_MORE = 1000


class Handlers:
    """Over a studio. What cannot be done is said on the page, and what was typed stays."""

    def __init__(self, studio: Studio, presets: GuidancePresets) -> None:
        self._studio = studio
        self._presets = presets
        self.batches = Batches(studio)

    def look(self, looked: Any) -> Answer:
        """The campaigns as they are now."""
        return {"list": self._list(_looked(looked))}

    def make(self, session: str, fields: Mapping[str, Any], refs: tuple[EditRef, ...], looked: Any) -> Answer:
        """Make the campaign that the fields say."""
        try:
            message = self._made(session, fields, refs)
        except StudioError as error:
            return {"message": alert(sentence(error))}
        # What it was made of is used up; how it is asked stays, for the next.
        used = {"name": "", "files_html": "", "pictures": []} if fields["source"] != "drawn" else {"name": ""}
        return {**used, "message": message, **self.look(looked)}

    def note(self, session: str, fields: Mapping[str, Any], refs: tuple[EditRef, ...]) -> Answer:
        """What the campaign would take, or what is wrong with it, beneath the button."""
        if fields["source"] != "drawn":
            batch = self.batches.of(session)
            with contextlib.suppress(StudioError):
                if fields["source"] == "files" and batch is not None:
                    return {"note": "", "files_html": files_html(batch.collection, form.mode_of(fields))}
            return {"note": "", "files_html": ""}
        if form.lacks_prompts(fields):
            return {"note": tag("p", "Write your prompts, or drop a file of them.", class_="hint"), "files_html": ""}
        try:
            design = form.design_of(self._studio, self._presets, fields, refs)
            outlook = self._studio.campaigns.outlook(form.mode_of(fields), design)
        except StudioError as error:
            return {"note": alert(sentence(error)), "files_html": ""}
        time = f", {seconds(outlook.seconds)} of drawing in the background" if outlook.seconds is not None else ""
        words = f"{counted(outlook.pictures, 'picture')} of {counted(outlook.prompts, 'prompt')}{time}."
        return {"note": tag("p", text(words), class_="hint"), "files_html": ""}

    def files(self, session: str, uploads: Sequence[str], fields: Mapping[str, Any]) -> Answer:
        """Files were uploaded: show what came of them."""
        emptied: Answer = {"files": None, "folder": None}
        if not uploads:
            return emptied
        try:
            batch = self.batches.take(session, [Path(upload) for upload in uploads])
            shown_files = files_html(batch.collection, form.mode_of(fields))
        except StudioError as error:
            return {**emptied, "message": alert(sentence(error))}
        return {**emptied, "message": "", "files_html": shown_files}

    def received(self, numbers: Sequence[int], looked: Any) -> Answer:
        """Pictures were sent here from another tab."""
        many = len(numbers) != 1
        words = f"{len(numbers)} pictures were sent here. " if many else "A picture was sent here. "
        words += "Say how they are asked about, and press Make the campaign."
        message = tag("p", text(words), class_="message note", role="status")
        return {"source": "history", "pictures": list(numbers), "message": message, **self.look(looked)}

    def act(self, op: str, campaign: int, value: Any, looked: Any) -> Answer:
        """Do something with a campaign. op: as list_html's buttons say."""
        view, message = _looked(looked), ""
        try:
            match op:
                case "pause" | "go_on":
                    self._studio.labels.pause(campaign, op == "pause")
                case "archive" | "unarchive":
                    self._studio.labels.archive(campaign, op == "archive")
                    self._studio.campaigns.drawing.stop(campaign)
                case "draw":
                    self._studio.campaigns.resume(campaign)
                case "stop":
                    self._studio.campaigns.drawing.stop(campaign)
                case "more":
                    count = self._studio.campaigns.more(campaign, _count(value))
                    message = alert(f"{count} more are being drawn.", kind="note")
                case "guideline":
                    self._studio.labels.set_guideline(campaign, str(value or "").strip())
                    message = alert("The guideline is saved. Answers say which version they were given under.", "note")
                case "quality":
                    view = Looked(campaign, view.archived)
                case "scores":
                    view = Looked(campaign, view.archived, scores=True)
                case "score":
                    self._studio.scores.start(campaign, str(value))
                case "ask":
                    message = alert(self._asked_more(campaign, value), kind="note")
                case "features":
                    self._studio.tastes.use(campaign, str(value))
                case "again":
                    self._studio.further_questions.again(campaign, str(value))
                    message = alert("It is asked again, of whoever comes next.", kind="note")
                case "snapshot":
                    message = alert(self._snapshot(campaign, value), kind="note")
                case "retire":
                    message = alert(self._retired(value), kind="note")
                case "archived":
                    view = replace(view, archived=bool(value))
                case _:
                    message = alert(f"There is nothing to do with a campaign called {shown(op)}.")
        except StudioError as error:
            message = alert(sentence(error))
        return {"message": message, "looked": _plain(view), "list": self._list(view)}

    # -- inside -------------------------------------------------------------------------------------------------------

    def _made(self, session: str, fields: Mapping[str, Any], refs: tuple[EditRef, ...]) -> str:
        """Make it; give what to say. Raises StudioError."""
        present_names = [campaign.name for campaign in self._studio.labels.campaigns(archived=True)]
        noun = form.noun_of(fields, fields["models"] or ())
        if fields["source"] == "drawn":
            plan = form.plan_of(fields, "planned", present_names, noun)
            design = form.design_of(self._studio, self._presets, fields, refs)
            campaign = self._studio.campaigns.make(plan, design)
            return _said(
                campaign, "Its pictures are being drawn; Collect asks about the first as soon as they are there."
            )
        plan = form.plan_of(fields, "brought", present_names, noun)
        if fields["source"] == "history":
            numbers = [int(number) for number in fields["pictures"] or ()]
            if not numbers:
                raise BadInput("No picture is chosen.", "Click pictures of the history, at the left.")
            return _outcome(self._studio.picture_campaigns.from_history(plan, numbers))
        batch = self.batches.of(session)
        if batch is None:
            raise BadInput("There are no files yet.", "Drop pictures, or a folder of them, at the left.")
        outcome = self._studio.picture_campaigns.from_files(plan, batch.collection)
        self.batches.forget(session)
        return _outcome(outcome)

    def _asked_more(self, campaign: int, value: Any) -> str:
        """Add further questions; give what to say. Raises StudioError."""
        fields: dict[str, Any] = value if isinstance(value, dict) else {}
        count = str(fields.get("count", "")).strip()
        number = int(count) if count.isascii() and count.isdecimal() and len(count) < 9 else 0
        items = self._studio.further_questions.more(campaign, str(fields.get("annotator", "")), number)
        return f"{counted(len(items), 'further question')}; Collect asks next."

    def _snapshot(self, campaign: int, value: Any) -> str:
        """Freeze a campaign's answers; give what to say. Raises StudioError."""
        fields: dict[str, Any] = value if isinstance(value, dict) else {}
        name, revealed = " ".join(str(fields.get("name", "")).split()), fields.get("revealed") is True
        snapshot = self._studio.labels.snapshot(name, [campaign], revealed=revealed)
        counts = f"{len(snapshot.training)} answers to learn from, {len(snapshot.held_out)} held out"
        return f"The snapshot {snapshot.name} is taken: {counts}."

    def _retired(self, value: Any) -> str:
        """Ask an item no more; give what to say. Raises StudioError."""
        words = str(value)
        count = self._studio.labels.retire([int(words) if words.isascii() and words.isdecimal() else 0])
        return "It is asked no more; its answers stay." if count else "It was not asked any more anyway."

    def _list(self, looked: Looked) -> str:
        try:
            return list_html(self._studio, looked)
        except StudioError as error:
            return alert(sentence(error))


def _outcome(outcome: FromPictures) -> str:
    parts = [f"It asks about {counted(outcome.pictures, 'picture')} in {counted(outcome.items, 'question')}."]
    if FORMS[outcome.campaign.mode] == "single":
        parts = [f"It asks about {counted(outcome.items, 'picture')}, one by one."]
    if outcome.alone:
        parts.append(f"{outcome.alone} had no other of their prompt and size.")
    if outcome.alike:
        parts.append(f"{outcome.alike} {'was' if outcome.alike == 1 else 'were'} left out as nearly equal to another.")
    return _said(outcome.campaign, " ".join(parts))


def _said(campaign: Campaign, words: str) -> str:
    return tag("p", tag("b", text(campaign.name)) + text(f" is made. {words}"), class_="message note", role="status")


def _looked(value: Any) -> Looked:
    """What a page has opened; what is no such thing is nothing."""
    if not isinstance(value, dict):
        return Looked()
    quality = value.get("quality")
    return Looked(quality if type(quality) is int else 0, value.get("archived") is True, value.get("scores") is True)


def _plain(looked: Looked) -> dict[str, Any]:
    return {"quality": looked.quality, "archived": looked.archived, "scores": looked.scores}


def _count(value: Any) -> int:
    """How many more. Raises BadInput."""
    words = str(value if value is not None else MORE).strip()
    if not (words.isascii() and words.isdecimal() and 1 <= int(words[:9]) <= MAX_MORE):
        raise BadInput(f"1 to {MAX_MORE:,} more can be drawn at once, not {shown(value)}.")
    return int(words)
