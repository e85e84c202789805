"""What is being trained from labels and what was: how far it is, its curves, its blind tests, what can be done."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from studio.core.errors import NotFound, StudioError
from studio.services.cards.service import KIND as CARD
from studio.training.align.objectives import OBJECTIVES
from studio.ui import watch
from studio.ui.components.curves import job as curves
from studio.ui.components.progress import line, progress, time_left
from studio.ui.errors import sentence
from studio.ui.label.align import form, outcome
from studio.ui.label.align.alignments import Alignment
from studio.ui.label.align.previews import Previews
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.labels.blind_tests import BlindTest
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

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
// Answers come in on the pad, of which nothing is told here: whoever comes back is shown them.
document.addEventListener('click', (event) => {{
  if (event.target.closest && event.target.closest('#label-align-button')) trigger('look');
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


def past_html(studio: Studio, rows: Sequence[Alignment], previews: Previews) -> str:
    """All of them, the newest with its curves and with what is in its labels."""
    if not rows:
        return EMPTY
    newest = next((row.job.id for row in rows if row.job is not None), "")
    items = "".join(_row(studio, row, previews, is_newest=row.job is not None and row.job.id == newest) for row in rows)
    return outcome.seeds_html(rows) + tag("ol", items, class_="campaigns alignments")


def _row(studio: Studio, row: Alignment, previews: Previews, is_newest: bool) -> str:
    method = str(row.plan.get("method", ""))
    objective = OBJECTIVES.get(method).name if method in OBJECTIVES.names() else method
    about = f"{objective} from “{row.plan.get('snapshot', '')}”, seed {row.plan.get('seed', 0)}"
    parts = [tag("header", tag("h3", text(row.name))), tag("p", text(about), class_="about")]
    if row.entry is not None:
        early = alert(row.job.error) if row.job is not None and row.job.status == "failed" and row.job.error else ""
        parts += [early, outcome.outcome_html(row.entry.provenance)]
        parts += [_tests(studio, row.entry), _card(studio, row.entry)]
    else:
        parts.append(_under_way(studio, row))
    parts.append(_actions(row, previews))
    if is_newest:
        parts.append(_labels(studio, row))
    if is_newest and row.job is not None:
        with contextlib.suppress(NotFound):
            parts.append(curves.inline_html(studio, row.job.id))
    return tag("li", "".join(parts), class_="campaign alignment")


def _under_way(studio: Studio, row: Alignment) -> str:
    job = row.job
    assert job is not None, "without an edit there is a job"
    if job.over:
        if job.status == "cancelled":
            return alert("It was stopped before it had learned anything.", kind="note")
        return alert(job.error or "It ended early.")
    ahead, data = 0, dict[str, Any]()
    with contextlib.suppress(NotFound):
        for event in studio.jobs.events(job.id):
            if event.kind == "queued":
                ahead = event.data.get("ahead", 0)
            elif event.kind == "progress":
                data = dict(event.data)
    standing = line(job.status, ahead, data)
    return progress(standing.doing, standing.share, 1, standing.left, job.id, moves=True, waits=job.status == "queued")


def _card(studio: Studio, entry: EditEntry) -> str:
    """What its report card says of side effects, or how far that is; "" where it has none."""
    try:
        card = studio.cards.card(entry.id)
        job = next((job for job in studio.jobs.unfinished() if _is_card_of(job, entry)), None)
    except StudioError as error:
        return alert(sentence(error))
    bar = ""
    if job is not None and (standing := studio.jobs.standing(job.id)) is not None:
        left = time_left(standing.left_s)
        bar = progress("Measures side effects", standing.progress or 0.0, 1, left, job.id)
    if card is None:
        return bar
    verdict = card["verdict"]
    link = tag(
        "a",
        "Report card",
        href=f"/cards/{quote(entry.id, safe='')}.html",
        target="_blank",
        rel="noopener",
        class_="action",
    )
    words = tag("b", text(verdict["headline"]), class_=f"light {verdict['light'] or 'open'}")
    words += text(f". {' '.join(verdict['sentences'])} ")
    return tag("p", words + link, class_="align-card") + bar


def _is_card_of(job: JobRecord, entry: EditEntry) -> bool:
    return job.kind == CARD and (job.payload.get("card") or {}).get("sha256") == entry.sha256


def _labels(studio: Studio, row: Alignment) -> str:
    """What is in the snapshot that it learns from, a click away."""
    name = str(row.plan.get("snapshot", ""))
    try:
        contents = studio.alignments.contents(name)
    except StudioError:
        return ""
    inner = tag("summary", text(f"What is in “{name}”")) + form.counted_html(contents, str(row.plan.get("model")))
    return tag("details", inner, class_="align-labels", data_keep="align-labels")


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


def _actions(row: Alignment, previews: Previews) -> str:
    def button(op: str, words: str, **data: str) -> str:
        attributes = {f"data_{name}": value for name, value in data.items()}
        return tag("button", words, type="button", class_="action", data_op=op, **attributes)

    if row.entry is not None:
        buttons = [
            button("stack", "Put on the stack", edit=row.entry.id),
            button("test", "Test it blind", edit=row.entry.id),
            button("measure", "Measure side effects", edit=row.entry.id),
            *(
                []
                if previews.is_begun(row) or not row.prompts
                else [button("show", "Draw before and after", edit=row.entry.id)]
            ),
        ]
    elif row.job is not None and not row.job.over:
        buttons = [button("stop", "Stop, and keep what it has", job=row.job.id)]
    elif row.job is not None and row.job.status in ("interrupted", "cancelled", "failed"):
        buttons = [button("resume", "Go on", job=row.job.id)]
    else:
        buttons = []
    return tag("div", "".join(buttons), class_="actions")
