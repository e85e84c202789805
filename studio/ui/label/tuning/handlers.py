"""What happens in the Tune by votes part, as functions of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.core.params import shown
from studio.core.recipe import EditRef
from studio.services.presets import GuidancePresets
from studio.ui import edit_stack
from studio.ui.components import menu
from studio.ui.edit_stack import Stack
from studio.ui.errors import sentence
from studio.ui.label.tuning import form
from studio.ui.label.tuning.list_html import list_html
from studio.ui.markup import alert, tag
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


class Handlers:
    """Over a studio. What cannot be done is said on the page, and what was set stays."""

    def __init__(self, studio: Studio, presets: GuidancePresets) -> None:
        self._studio = studio
        self._presets = presets

    def look(self) -> Answer:
        """The tunings as they are now."""
        return {"tunings": list_html(self._studio)}

    def rows(self, fields: Mapping[str, Any], refs: tuple[EditRef, ...]) -> Answer:
        """What can be tuned of what is set: the numbers of the preset and the strengths of the edits that are on."""
        try:
            html = form.rows_html(self._studio, form.recipe_of(self._studio, self._presets, fields, refs))
        except StudioError as error:
            html = tag("div", alert(sentence(error)))
        return {"tuning_rows": html}

    def preset_choices(self, chosen: Any) -> Answer:
        """The presets there are now."""
        names = [(entry.label, entry.name) for entry in self._presets.listing() if not entry.problem]
        entries = [("What suits the model", form.USUAL), *names]
        return {"tuning_preset": menu.offered(entries, chosen, form.USUAL)}

    def start(self, fields: Mapping[str, Any], refs: tuple[EditRef, ...], rows: Any) -> Answer:
        """Start a tuning of the rows that are marked."""
        try:
            recipe = form.recipe_of(self._studio, self._presets, fields, refs)
            sliders = form.sliders_of(self._studio, recipe, rows)
            tuning = self._studio.tunings.start(recipe, sliders, **form.start_values(fields))
        except StudioError as error:
            return {"tuning_message": alert(sentence(error))}
        words = (
            f"{tuning.campaign.name} has been started; pictures are drawn while you answer. Press Answer when you like."
        )
        return {"tuning_message": alert(words, kind="note"), "tuning_name": "", **self.look()}

    def act(self, op: str, campaign: int) -> Answer:
        """op: pause, go_on, archive, draw."""
        message = ""
        try:
            match op:
                case "pause" | "go_on":
                    self._studio.labels.pause(campaign, op == "pause")
                case "archive":
                    self._studio.labels.archive(campaign)
                    self._studio.campaigns.drawing.stop(campaign)
                case "draw":
                    self._studio.campaigns.resume(campaign)
                case _:
                    message = alert(f"There is nothing to do with a tuning called {shown(op)}.")
        except StudioError as error:
            message = alert(sentence(error))
        return {"tuning_message": message, **self.look()}

    def accept(self, stack: Stack, campaign: int, name: str) -> tuple[Stack, str]:
        """Take over what is preferred: the stack with its edits in place, and what to say, as HTML."""
        try:
            accepted = self._studio.tunings.accept(campaign, self._presets, name)
        except StudioError as error:
            return stack, alert(sentence(error))
        words: list[str] = []
        if accepted.stack:
            stack = edit_stack.from_refs(accepted.stack, stack)
            words.append(
                "The edits stand in the sidebar at the strengths that were found; Undo there brings back those before."
            )
        if accepted.preset:
            words.append(f"The guidance is saved as the preset “{accepted.preset}”, to be chosen on the Prompt tab.")
        return stack, alert(" ".join([*words, *([accepted.caveat] if accepted.caveat else [])]), kind="note")
