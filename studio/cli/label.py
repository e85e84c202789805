"""The verbs `label campaign | stats | snapshot` of the command line, beside those of `label_campaign` and
`label_exchange`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_actions, add_settings, add_verb, number, settings_of
from studio.cli.label_blind_test import add_blind_test
from studio.cli.label_campaign import add_making
from studio.cli.label_exchange import add_exchange
from studio.cli.label_tune import add_tune
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.storage.labels.campaigns import Campaign
    from studio.storage.labels.store import LabelStore


def add(verbs: Any) -> None:
    """Add the verb and its actions to argparse's subparsers."""
    actions = add_actions(verbs, "label", "what people prefer: campaigns, answers, and what is learned from them")
    _add_campaign(actions)
    stats = add_verb(
        actions, "stats", run_stats, "how many answers there are, and how sound; also beside a running studio"
    )
    stats.add_argument("campaign", nargs="?", help="its name or number; all of them without")
    _add_snapshot(actions)
    add_settings(stats)
    add_exchange(actions)
    add_blind_test(actions)
    add_tune(actions)


def _add_campaign(actions: Any) -> None:
    campaign = add_actions(actions, "campaign", "what is asked, of whom, how often")
    add_making(campaign)
    listing = add_verb(campaign, "list", run_list, "the campaigns; also beside a running studio")
    listing.add_argument("--archived", action="store_true", help="the archived as well")
    show = add_verb(campaign, "show", run_show, "all of one campaign; also beside a running studio")
    pause = add_verb(campaign, "pause", lambda args: run_change(args, paused=True), "give nothing of it out any more")
    resume = add_verb(campaign, "resume", lambda args: run_change(args, paused=False, archived=False), "go on with it")
    archive = add_verb(campaign, "archive", lambda args: run_change(args, archived=True), "put it out of sight")
    for parser in (show, pause, resume, archive):
        parser.add_argument("campaign", help="its name or number")
    for parser in (listing, show, pause, resume, archive):
        add_settings(parser)


def _add_snapshot(actions: Any) -> None:
    snapshot = add_actions(actions, "snapshot", "answers frozen for a training")
    take = add_verb(snapshot, "take", run_take, "freeze what may be learned from, and what is held out")
    take.add_argument("name")
    take.add_argument("--campaign", action="append", metavar="NAME", help="of which campaigns (all)")
    take.add_argument("--seed", default="0", help="of the split by prompt (0)")
    take.add_argument(
        "--held-out", default="0.2", metavar="SHARE", help="of the prompts, held out with their answers (0.2)"
    )
    take.add_argument("--revealed", action="store_true", help="also answers of people who were told what pictures were")
    listing = add_verb(snapshot, "list", run_snapshots, "the snapshots; also beside a running studio")
    for parser in (take, listing):
        add_settings(parser)


def run_list(args: argparse.Namespace) -> int:
    """Print the campaigns, a line each."""
    from studio.services.labels.statistics import LabelLedger, campaign_values

    with LabelLedger(settings_of(args)) as ledger:
        campaigns = [campaign_values(ledger.store, entry) for entry in ledger.store.campaigns.list(args.archived)]
    give(args, {"campaigns": campaigns}, "\n".join(map(_line, campaigns)) or "There are no campaigns yet.")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Print one campaign with its plan and guideline."""
    from studio.services.labels.statistics import LabelLedger, campaign_values

    with LabelLedger(settings_of(args)) as ledger:
        campaign = ledger.store.campaigns.find(args.campaign)
        values = campaign_values(ledger.store, campaign)
    answer = {**values, "guideline": campaign.guideline, "plan": campaign.plan}
    give(args, answer, "\n".join(f"{name}: {value}" for name, value in answer.items()))
    return 0


def run_change(args: argparse.Namespace, *, paused: bool | None = None, archived: bool | None = None) -> int:
    """Pause a campaign, archive it or go on, and print it. Raises WorkspaceError beside a running studio."""
    from studio.services.labels.statistics import campaign_values
    from studio.storage.archive import Archive

    archive = Archive.open(settings_of(args).workspace)
    try:
        store = archive.labels
        id = store.campaigns.find(args.campaign).id
        campaign: Campaign = store.campaigns.change(id, paused=paused, archived=archived)
        answer = campaign_values(store, campaign)
    finally:
        archive.close()
    give(args, answer, _line(answer))
    return 0


def run_stats(args: argparse.Namespace) -> int:
    """Print counts, agreement and what stands out."""
    from studio.services.labels.statistics import LabelLedger, statistics

    with LabelLedger(settings_of(args)) as ledger:
        store: LabelStore = ledger.store
        chosen = [store.campaigns.find(args.campaign)] if args.campaign else store.campaigns.list(archived=True)
        campaigns = [statistics(store, campaign) for campaign in chosen]
    give(args, {"campaigns": campaigns}, "\n".join(map(_stats_text, campaigns)) or "There are no campaigns yet.")
    return 0


def run_take(args: argparse.Namespace) -> int:
    """Take a snapshot and print it. Raises WorkspaceError if a running studio has the workspace."""
    from studio.services.labels.service import LabelService
    from studio.services.labels.statistics import snapshot_values
    from studio.storage.archive import Archive

    seed, share = number(args.seed), number(args.held_out)
    if isinstance(share, str):
        raise BadInput(f"The share that is held out is a number, not {args.held_out[:40]!r}.", field="held_out_share")
    archive = Archive.open(settings_of(args).workspace)
    try:
        service = LabelService(archive)
        chosen = [service.find(name).id for name in args.campaign] if args.campaign else None
        snapshot = service.snapshot(args.name, chosen, seed=seed, held_out_share=share, revealed=args.revealed)
        answer = snapshot_values(snapshot)
    finally:
        archive.close()
    give(args, answer, _snapshot_line(answer))
    return 0


def run_snapshots(args: argparse.Namespace) -> int:
    """Print the snapshots, a line each."""
    from studio.services.labels.statistics import LabelLedger, snapshot_values

    with LabelLedger(settings_of(args)) as ledger:
        snapshots = [snapshot_values(snapshot) for snapshot in ledger.store.snapshots.list()]
    give(args, {"snapshots": snapshots}, "\n".join(map(_snapshot_line, snapshots)) or "There are no snapshots yet.")
    return 0


# -- as text --------------------------------------------------------------------------------------------------------


def _line(values: Answer) -> str:
    state = "" if values["state"] == "open" else f", {values['state']}"
    asked = f"{values['done']} of {values['items']} items done, {values['labels']} answers"
    return f"{values['id']:>4}  {values['name']}  ({values['mode']}{state})  {asked}"


def _stats_text(values: Answer) -> str:
    agreement = values["agreement"]
    lines = [_line(values)]
    if agreement["value"] is not None:
        lines.append(
            f"      agreement {agreement['value']:.2f} over {agreement['n']} items that several people answered"
        )
    elif agreement["why"] and len(values["annotators"]) > 1:
        lines.append(f"      agreement: {agreement['why']}")
    for pair in values["cohen"]:
        if pair["value"] is not None:
            both = " and ".join(pair["annotators"])
            lines.append(f"      Cohen's kappa of {both} {pair['value']:.2f} over {pair['n']} items")
    if (kappa := values["fleiss"])["value"] is not None:
        lines.append(
            f"      Fleiss' kappa {kappa['value']:.2f} over {kappa['n']} items with {kappa['answers']} answers each"
        )
    for person in values["annotators"]:
        shares = (("left", "left"), ("ties", "ties"), ("repeats alike", "consistent"), ("checks failed", "failed"))
        facts = [f"{label} {_share(person[name])}" for label, name in shares if person[name]["n"]]
        lines.append(f"      {person['annotator']}: " + ", ".join([f"{person['labels']} answers", *facts]))
        lines += [f"        {flag['sentence']}" for flag in person["flags"]]
    return "\n".join(lines)


def _share(values: Answer) -> str:
    return f"{100 * values['hits'] / values['n']:.0f} % of {values['n']}"


def _snapshot_line(values: Answer) -> str:
    counts = f"{values['training']} answers to learn from, {values['held_out']} held out"
    return f"{values['name']}  {counts}  {values['digest'][:12]}"
