"""What happens in the Align part, as functions of plain values."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.params import shown
from studio.services.alignments import HELD_OUT
from studio.ui import edit_stack
from studio.ui.components import menu
from studio.ui.edit_stack import Stack
from studio.ui.errors import sentence
from studio.ui.label.align import form, past
from studio.ui.label.align.alignments import Alignment, alignments, running
from studio.ui.label.align.previews import Previews
from studio.ui.markup import alert
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.studio import Studio


class Handlers:
    """Over a studio. What cannot be done is said on the page, and what was set stays."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._previews = Previews(studio)

    def looked(self, fields: Mapping[str, Any]) -> Answer:
        """The part is looked at, or something has come further."""
        choices = form.campaign_choices(self._studio)
        present = {id for _, id in choices}
        chosen = [id for id in fields["labels"] or () if id in present]
        rows = alignments(self._studio)
        return {
            "labels": menu.boxes_offered(choices, fields["labels"]),
            "pairs": self._pairs(rows),
            "past": past.past_html(self._studio, rows, self._previews),
            "stop": gr.Button(interactive=bool(running(self._studio))),
            **self.noted({**fields, "labels": chosen}),
        }

    def _pairs(self, rows: Sequence[Alignment]) -> str:
        """Pictures of what trains, else of the newest whose pictures were asked for."""
        for row in rows:
            if row.is_running and row.job is not None and self._studio.jobs.standing(row.job.id) is not None:
                with contextlib.suppress(StudioError):  # it is told where the training is
                    self._previews.begin(row)
        shown_first = sorted(rows, key=lambda row: not self._trains(row))
        row = next((row for row in shown_first if self._previews.is_begun(row)), None)
        try:
            return "" if row is None else self._previews.html(row)
        except StudioError as error:
            return alert(sentence(error))

    def _trains(self, row: Alignment) -> bool:
        """Whether it is in hand, and no longer waits."""
        return row.is_running and row.job is not None and row.job.status == "running"

    def noted(self, fields: Mapping[str, Any]) -> Answer:
        """A field was changed: what its labels come to, and what the objective is."""
        try:
            html = form.contents_html(form.contents(self._studio, fields["labels"]), str(fields["model"]))
        except StudioError as error:
            html = f'<p class="hint">{sentence(error)}</p>'
        return {"contents": html + form.objective_html(str(fields["objective"] or ""))}

    def train(self, fields: Mapping[str, Any], seeds: int = 1) -> Answer:
        """Freeze the labels, and train, with as many seeds one after the other."""
        try:
            campaigns = form.chosen_campaigns(self._studio, fields["labels"])
            limit = form.limit_s(fields["align_minutes"])
            recommended = form.contents(self._studio, fields["labels"]).objective
            names = [snapshot.name for snapshot in self._studio.labels.snapshots()]
            name = form.snapshot_name(names, campaigns)
            plan = form.plan_of(fields, name, recommended)
            ids = [campaign.id for campaign in campaigns]
            self._studio.labels.snapshot(name, ids, seed=plan["seed"], held_out_share=HELD_OUT)
            plans = form.seeds_of(plan, seeds)
            for one_plan in plans:  # all are refused before any is begun
                self._studio.alignments.check(one_plan)
            for one_plan in plans:
                self._studio.alignments.start(one_plan, limit)
        except StudioError as error:
            return {"align_message": alert(sentence(error))}
        return {"align_message": ""} | self.looked(fields)

    def stop(self, fields: Mapping[str, Any]) -> Answer:
        """Stop every training from labels; each keeps what it has."""
        for job in running(self._studio):
            self._studio.jobs.stop(job)
        return self.looked(fields)

    def act(self, op: str, edit: str, job: str, fields: Mapping[str, Any]) -> Answer:
        """op: stop, resume (a job), test (an edit, blind), measure (what else it did), show (before and after)."""
        message = ""
        try:
            match op:
                case "stop":
                    self._studio.jobs.stop(job)
                case "resume":
                    self._studio.jobs.retry(job)
                case "measure":
                    self._studio.cards.start(edit)
                case "show":
                    row = next((row for row in alignments(self._studio) if row.entry and row.entry.id == edit), None)
                    if row is not None:
                        self._previews.begin(row)
                case "test":
                    test = self._studio.blind_tests.start(edit)
                    message = alert(
                        f"{test.campaign.name}: its pairs are being drawn. Answer them under Collect.", kind="note"
                    )
                case _:
                    message = alert(f"There is nothing to do with an alignment called {shown(op)}.")
        except StudioError as error:
            message = alert(sentence(error))
        return {"align_message": message} | self.looked(fields)

    def on_stack(self, stack: Stack, edit: str) -> tuple[Stack, str]:
        """The stack with an edit on; and what to say, as HTML."""
        try:
            entry = self._studio.edits.show(edit)
        except StudioError as error:
            return stack, alert(sentence(error))
        row = next((row for row in stack.rows if row.edit == entry.id), None)
        if row is None:
            return edit_stack.change(stack, "add", entry.id), ""
        return (stack if row.on else edit_stack.change(stack, "toggle", row.edit)), ""
