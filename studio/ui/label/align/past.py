"""What is being trained from labels and what was: how far it is, its curves, its blind tests, what can be done."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import NotFound, StudioError
from studio.services.trainings import KIND
from studio.training.align.objectives import OBJECTIVES
from studio.ui import watch
from studio.ui.components.curves import job as curves
from studio.ui.components.progress import line, progress
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.labels.blind_tests import BlindTest
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

LOOKED_AT, SHOWN = 60, 8  # newest jobs of the ledger; alignments on the page
# What is done is figures as {op, edit, job, value}; to label is the pad's to do, in the browser.
SCRIPT = f"""
element.addEventListener('click', (event) => {{
  const button = event.target.closest('button[data-op]');
  if (!button) return;
  if (button.dataset.op === 'label') {{
    const detail = Number(button.dataset.campaign);
    window.dispatchEvent(new CustomEvent('palimpsest-label-campaign', {{detail: detail}}));
    const collect = document.getElementById('label-collect-button');
    if (collect) collect.click();
    return;
  }}
  const {{op, edit, job}} = button.dataset;
  trigger(op === 'stack' ? 'decide' : 'op', {{op: op, edit: edit || '', job: job || ''}});
}});
{curves.INLINE}
{watch.PART}
"""
EMPTY = tag(
    "div",
    tag("h3", "Teach the model your taste")
    + tag(
        "p",
        "Once some pairs are answered, press Train: the labels are frozen, and an edit is trained that draws what was "
        "preferred. It takes minutes on Stencil; you go on working meanwhile. Some prompts are held out, and curves "
        "say whether it learned or spoils pictures.",
    )
    + tag("p", "What comes of it is an edit like any other. Test it blind before you believe it."),
    class_="campaigns-empty",
)


@dataclass(frozen=True)
class Alignment:
    """One training from labels. entry: the edit it ended with; None while there is none."""

    plan: Mapping[str, Any]
    job: JobRecord | None
    entry: EditEntry | None

    @property
    def name(self) -> str:
        return str(self.plan.get("name", "")) or "aligned"


def alignments(studio: Studio) -> list[Alignment]:
    """Those under way or that left no edit, then the edits there are; newest first."""
    edits = [entry for entry in studio.edits.list() if isinstance(entry.provenance.get("alignment"), dict)]
    edits.sort(key=lambda entry: entry.changed_at, reverse=True)
    of_jobs: list[Alignment] = []
    jobs_of: dict[str, JobRecord] = {}
    for job in studio.jobs.newest(LOOKED_AT):
        plan = _plan_of(job)
        if plan is None:
            continue
        entry = next((entry for entry in edits if entry.provenance["alignment"] == plan), None)
        if entry is not None and job.over:
            jobs_of.setdefault(entry.id, job)
        else:
            of_jobs.append(Alignment(plan, job, None))
    of_edits = [Alignment(entry.provenance["alignment"], jobs_of.get(entry.id), entry) for entry in edits]
    return [*of_jobs, *of_edits][:SHOWN]


def running(studio: Studio) -> list[str]:
    """Jobs of alignments that are not over."""
    return [job.id for job in studio.jobs.unfinished() if _plan_of(job) is not None]


def past_html(studio: Studio) -> str:
    """All of them, the newest with its curves."""
    rows = alignments(studio)
    if not rows:
        return EMPTY
    newest = next((row.job.id for row in rows if row.job is not None), "")
    items = "".join(_row(studio, row, has_curves=row.job is not None and row.job.id == newest) for row in rows)
    return tag("ol", items, class_="campaigns alignments")


def _plan_of(job: JobRecord) -> Mapping[str, Any] | None:
    if job.kind != KIND:
        return None
    provenance = (job.payload.get("plan") or {}).get("provenance")
    plan = provenance.get("alignment") if isinstance(provenance, dict) else None
    return plan if isinstance(plan, dict) else None


def _row(studio: Studio, row: Alignment, has_curves: bool) -> str:
    method = str(row.plan.get("method", ""))
    objective = OBJECTIVES.get(method).name if method in OBJECTIVES.names() else method
    about = f"{objective} from “{row.plan.get('snapshot', '')}”, seed {row.plan.get('seed', 0)}"
    parts = [tag("header", tag("h3", text(row.name))), tag("p", text(about), class_="about")]
    parts.append(_ended(row) if row.entry is not None else _under_way(studio, row))
    if row.entry is not None:
        parts.append(_tests(studio, row.entry))
    parts.append(_actions(row))
    if has_curves and row.job is not None:
        with contextlib.suppress(NotFound):
            parts.append(curves.inline_html(studio, row.job.id))
    return tag("li", "".join(parts), class_="campaign alignment")


def _under_way(studio: Studio, row: Alignment) -> str:
    job = row.job
    assert job is not None, "without an edit there is a job"
    if job.over:
        why = job.error or ("It was stopped." if job.status == "cancelled" else "It ended early.")
        return alert(why)
    ahead, data = 0, dict[str, Any]()
    with contextlib.suppress(NotFound):
        for event in studio.jobs.events(job.id):
            if event.kind == "queued":
                ahead = event.data.get("ahead", 0)
            elif event.kind == "progress":
                data = dict(event.data)
    standing = line(job.status, ahead, data)
    return progress(standing.doing, standing.share, 1, standing.left, job.id, moves=True, waits=job.status == "queued")


def _ended(row: Alignment) -> str:
    assert row.entry is not None
    provenance = row.entry.provenance
    steps = provenance.get("steps")
    sentence = str(provenance.get("ended") or "") or (f"Trained for {steps} steps." if steps else "")
    labels = provenance.get("labels")
    return tag("p", text(f"{sentence} It learned from {labels} labels." if labels else sentence))


def _tests(studio: Studio, entry: EditEntry) -> str:
    try:
        tests = studio.blind_tests.of_edit(entry.id)
    except StudioError:
        return ""
    return "".join(_test(test) for test in tests[:3])


def _test(test: BlindTest) -> str:
    outcome = test.outcome
    rate = outcome.win_rate
    low, high = outcome.interval
    figures = "" if rate is None else f"won {rate:.0%} ({low:.0%} to {high:.0%}, ties half), n = {outcome.answers}. "
    button = tag(
        "button", "Answer it", type="button", class_="action", data_op="label", data_campaign=str(test.campaign.id)
    )
    go_on = "" if outcome.is_decided else button
    return tag("p", text(f"Blind test: {figures}{outcome.verdict} ") + go_on, class_="blind-test")


def _actions(row: Alignment) -> str:
    def button(op: str, words: str, **data: str) -> str:
        attributes = {f"data_{name}": value for name, value in data.items()}
        return tag("button", words, type="button", class_="action", data_op=op, **attributes)

    if row.entry is not None:
        buttons = [
            button("stack", "Put on the stack", edit=row.entry.id),
            button("test", "Test it blind", edit=row.entry.id),
        ]
    elif row.job is not None and not row.job.over:
        buttons = [button("stop", "Stop, and keep what it has", job=row.job.id)]
    elif row.job is not None and row.job.status in ("interrupted", "cancelled", "failed"):
        buttons = [button("resume", "Go on", job=row.job.id)]
    else:
        buttons = []
    return tag("div", "".join(buttons), class_="actions")
