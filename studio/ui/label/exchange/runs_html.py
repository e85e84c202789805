"""Imports and exports: what is under way, with its bar, and what came of each, row by row where rows were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.preference.formats import FORMATS
from studio.services.labels.taking_in import LISTED, Imported
from studio.ui.components.progress import progress
from studio.ui.errors import sentence
from studio.ui.markup import alert, counted, tag, text

if TYPE_CHECKING:
    from studio.preference.exchange.selection import Written
    from studio.services.labels.exchange_runs import ExchangeRun
    from studio.services.studio import Studio

EMPTY = tag(
    "div",
    tag("h3", "Labels for others, and from others")
    + tag(
        "p",
        "Export writes what was answered in the format that your trainer reads: Pick-a-Pic, diffusers, TRL, KTO, HPD, "
        "ImageReward, Label Studio, OneTrainer, SimpleTuner, or ours, which loses nothing. Names of annotators are "
        "replaced by hashes unless you say otherwise.",
    )
    + tag(
        "p",
        "Import takes such a set in, row by row. What cannot be read is named with its reason, and costs nothing else.",
    ),
    class_="campaigns-empty",
)
_WORDS = {"running": "", "done": "done", "stopped": "stopped", "failed": "not done"}


def runs_html(studio: Studio) -> str:
    """All of them, newest first."""
    runs = studio.exchange_runs.list()
    return tag("ol", "".join(map(_run, runs)), class_="campaigns runs") if runs else EMPTY


def moving(studio: Studio) -> dict[str, Any]:
    """What a page is told again and again: of each its state, how far it is (0 to 1, null where not known), in words.

    What else is shown of one changes when its state does.
    """
    return {
        "runs": [
            {
                "id": run.id,
                "state": run.state,
                "share": run.count / run.total if run.total else None,
                "words": _doing(run),
            }
            for run in studio.exchange_runs.list()
        ]
    }


def _doing(run: ExchangeRun) -> str:
    unit = "rows" if run.kind == "import" else "labels"
    if run.total:
        return f"{run.count:,} of {run.total:,} {unit}"
    return f"{run.count:,} {unit}" if run.count else "Starting"


def _run(run: ExchangeRun) -> str:
    verb = "Import" if run.kind == "import" else "Export"
    mark = tag("span", _WORDS[run.state], class_="state") if _WORDS[run.state] else ""
    parts = [tag("header", tag("h3", text(f"{verb} of {run.what}")) + mark)]
    match run.state:
        case "running":
            share = run.count / run.total if run.total else 0.0
            parts += [progress(_doing(run), share, 1, ""), _acts(_button("stop", run, "Stop"))]
        case "failed":
            assert run.error is not None
            parts += [alert(sentence(run.error)), _acts(_button("forget", run, "Remove from the list"))]
        case "stopped":
            parts += [_stopped(run), _acts(_button("forget", run, "Remove from the list"))]
        case _:
            parts.append(_imported(run.imported) if run.imported is not None else "")
            parts.append(_written(run.written) if run.written is not None else "")
            parts.append(_acts(_fetch(run) + _button("forget", run, "Remove from the list")))
    return tag("li", "".join(parts), class_=f"campaign run {run.state}", data_run=run.id, data_state=run.state)


def _stopped(run: ExchangeRun) -> str:
    if run.kind == "export":
        return alert("It was stopped, and nothing was written.", kind="note")
    rows = f"The first {run.count:,} rows were taken in" if run.count else "What was read until then was taken in"
    return alert(f"It was stopped. {rows}; the same import again goes on from there.", kind="note")


def _imported(imported: Imported) -> str:
    campaigns = " and ".join(f"“{name}”" for name in imported.campaigns) or "no campaign"
    title = FORMATS.get(imported.format).title if imported.format in FORMATS.names() else imported.format
    sentences = [f"{counted(imported.labels, 'label')} taken in, into {campaigns}; read as {title}."]
    if not imported.labels:
        sentences = [f"No label was {'new' if imported.known else 'taken in'}; read as {title}."]
    if imported.known:
        sentences.append(f"{imported.known:,} were there already, and were passed over.")
    if imported.pictures:
        brought = f"{100 * imported.foreign_share:.0f} % of them no model of this studio drew"
        sentences.append(f"{counted(imported.pictures, 'picture')}; {brought}.")
    html = "".join(tag("p", text(sentence)) for sentence in sentences)
    if imported.foreign:
        words = "Pictures of other models say what was preferred there: training on them raises their style first."
        html += tag("p", text(words), class_="hint")
    return html + _refused(imported) + _unknown(imported.unknown) + _remarks(imported.remarks)


def _refused(imported: Imported) -> str:
    if not imported.refused_count:
        return ""
    rows = "".join(tag("li", tag("b", f"Row {row.row:,}") + ": " + text(row.reason)) for row in imported.refused)
    if imported.refused_count > LISTED:
        rows += tag("li", text(f"and {imported.refused_count - LISTED:,} further rows"))
    summary = tag("summary", text(f"Not taken: {counted(imported.refused_count, 'row')}"))
    return tag("details", summary + tag("ul", rows), class_="run-refused", open=True)


def _unknown(unknown: Counter[str]) -> str:
    if not unknown:
        return ""
    names = ", ".join(sorted(unknown)[:30]) + (f" and {len(unknown) - 30} more" if len(unknown) > 30 else "")
    return tag("p", text(f"Nothing was done with: {names}."), class_="hint")


def _written(written: Written) -> str:
    rows = (
        f"{counted(written.labels, 'label')} in {counted(written.rows, 'row')}, {counted(written.pictures, 'picture')}."
    )
    html = tag("p", text(rows))
    html += _left_out(written.left_out, "label") + _left_out(written.rows_left_out, "row")
    return html + _remarks(written.remarks)


def _left_out(reasons: Mapping[str, int], noun: str) -> str:
    words = [
        f"{counted(count, noun)}, {reason}" for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1])
    ]
    return tag("p", text(f"Left out: {'; '.join(words)}."), class_="hint") if words else ""


def _remarks(remarks: list[str]) -> str:
    return "".join(tag("p", text(remark), class_="hint") for remark in remarks)


def _fetch(run: ExchangeRun) -> str:
    if run.file is None:
        return ""
    try:
        size = run.file.stat().st_size
    except OSError:
        return tag("span", "Its file is gone.", class_="hint")
    words = f"Download {run.file.name} ({size / 1e6:,.1f} MB)" if size >= 1e5 else f"Download {run.file.name}"
    return tag("a", text(words), href=f"/label/exchange/file/{run.id}", download=run.file.name, class_="action main")


def _acts(buttons: str) -> str:
    return tag("div", buttons, class_="campaign-acts")


def _button(op: str, run: ExchangeRun, label: str) -> str:
    name = f"{label}: {run.what}"
    return tag("button", text(label), type="button", class_="action", data_op=op, data_id=run.id, aria_label=name)
