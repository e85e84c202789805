"""What happens in the part "Import and export", as functions of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.core.params import shown
from studio.preference.formats import FORMATS, recognised
from studio.services.labels.description import description
from studio.ui.components import menu
from studio.ui.errors import sentence
from studio.ui.label.campaigns.form import free_name
from studio.ui.label.exchange import form
from studio.ui.label.exchange.routes import uploads_of
from studio.ui.label.exchange.runs_html import runs_html
from studio.ui.markup import alert, tag, text
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


class Handlers:
    """Over a studio. What cannot be done is said on the page, and what was set stays."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._uploads = uploads_of(studio)

    def look(self, labels: Any) -> Answer:
        """The part is looked at: what there is to export by now, and what is under way."""
        entries = menu.offered(form.label_choices(self._studio), labels, form.ALL)
        return {"labels": entries, "runs": runs_html(self._studio)}

    def about(self, format: str) -> Answer:
        """Another format was chosen."""
        return {"about": form.about_format(format)}

    def choose(self, campaign: int) -> Answer:
        """Somebody wants to export a campaign, elsewhere on the page."""
        value, entries = f"{form.OF_CAMPAIGN}{campaign}", form.label_choices(self._studio)
        labels = gr.Dropdown(entries, value=value if value in [entry for _, entry in entries] else form.ALL)
        return {"labels": labels, "runs": runs_html(self._studio), "direction": "out"}

    def describe(self, labels: Any) -> Answer:
        """What was collected, in words that go with labels which are given away."""
        try:
            chosen = form.chosen(self._studio, labels)
            if chosen.snapshot is not None:
                training, _ = self._studio.labels.snapshot_labels(chosen.snapshot)
                words = description(chosen.title, training)
            else:
                numbers = [self._studio.labels.find(name).id for name in chosen.campaigns] or None
                words = description(chosen.title, self._studio.labels.labels(numbers, with_recipes=False))
        except StudioError as error:
            return {"description": alert(sentence(error))}
        role = {"tabindex": "0", "role": "group", "aria_label": "What was collected"}
        return {"description": tag("pre", text(words), class_="description", **role)}

    def send_out(self, fields: Mapping[str, Any]) -> Answer:
        """Begin an export."""
        try:
            chosen = form.chosen(self._studio, fields["labels"])
            options = form.options_of(fields)
            self._studio.exchange_runs.start_export(str(fields["format"]), chosen.campaigns, chosen.snapshot, **options)
        except StudioError as error:
            return {"message": alert(sentence(error))}
        return {"message": "", "runs": runs_html(self._studio)}

    def arrived(self, id: str) -> Answer:
        """The files of a set are all here: say what they are."""
        try:
            source = self._uploads.source(id)
        except StudioError as error:
            self._uploads.forget(id)
            return {"arrived": alert(sentence(error)), "waiting": None}
        try:
            words = f"{source.name}: {FORMATS.get(recognised(source)).title}. Press Import."
        except StudioError as error:
            return {"arrived": alert(sentence(error), kind="note"), "waiting": {"id": id, "name": source.name}}
        message = tag("p", text(words), class_="message note", role="status")
        return {"arrived": message, "waiting": {"id": id, "name": source.name}}

    def bring_in(self, waiting: Any, format: Any, name: Any) -> Answer:
        """Begin an import of the files that wait. What it is of is used up then."""
        id = str(waiting.get("id", "")) if isinstance(waiting, dict) else ""
        if not id:
            return {"message": alert("There are no files yet. Choose a file or a folder first.")}
        try:
            source = self._uploads.source(id)
            campaign = " ".join(str(name or "").split()) or self._free_name(source.stem[:60] or "imported")
            name_of_format = str(format or "") or recognised(source)
            self._studio.exchange_runs.start_import(source, name_of_format, campaign, self._uploads.folder(id))
        except StudioError as error:
            return {"message": alert(sentence(error))}
        self._uploads.hand_over(id)
        return {"message": "", "arrived": "", "waiting": None, "import_name": "", "runs": runs_html(self._studio)}

    def act(self, op: str, id: str, labels: Any) -> Answer:
        """op: stop or forget, of an import or export."""
        message = ""
        try:
            match op:
                case "stop":
                    self._studio.exchange_runs.stop(id)
                case "forget":
                    self._studio.exchange_runs.forget(id)
                case _:
                    message = alert(f"There is nothing to do with an export called {shown(op)}.")
        except StudioError as error:
            message = alert(sentence(error))
        return {"message": message, **self.look(labels)}

    def _free_name(self, name: str) -> str:
        """The name, or another like it where a campaign that is asked here has it."""
        try:
            self._studio.label_exchange.check_import(name)
        except BadInput:
            return free_name(name, [campaign.name for campaign in self._studio.labels.campaigns(archived=True)])
        return name
