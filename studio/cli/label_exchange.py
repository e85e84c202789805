"""The verbs `label formats | export | import` of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give, line
from studio.cli.grammar import add_settings, add_verb, number, settings_of

if TYPE_CHECKING:
    from studio.services.labels.exchange import LabelExchange

_FLAGS = ("checks", "superseded")
_VALUES = ("ties", "rows", "question", "limit", "validation")


def add_exchange(actions: Any) -> None:
    """Add the actions to those of `label`."""
    add_verb(actions, "formats", run_formats, "the formats that labels go out and come in by")
    export = add_verb(actions, "export", run_export, "write labels for other programs, or to keep")
    export.add_argument("--format", required=True, help="its name in `label formats`")
    export.add_argument("--out", type=Path, required=True, metavar="PATH", help="a new file or folder")
    export.add_argument("--campaign", action="append", default=[], metavar="NAME", help="of which campaigns (all)")
    export.add_argument("--snapshot", metavar="NAME", help="what a training learned from, in place of campaigns")
    export.add_argument("--ties", help="half, drop, or both: as 0.5, not at all, or each picture chosen once (half)")
    export.add_argument("--rows", help="each, majority or mean, of several answers about one pair (each)")
    export.add_argument("--question", help="overall, prompt or look, where the format does not say which (overall)")
    export.add_argument("--checks", action="store_true", help="also checks, repeats, tests, and what was not blind")
    export.add_argument("--superseded", action="store_true", help="also what was changed or taken back later")
    export.add_argument("--keep-names", action="store_true", help="of annotators, which are hashed otherwise")
    export.add_argument("--limit", metavar="N", help="at most so many answers, the first ones (all)")
    export.add_argument("--validation", metavar="SHARE", help="of the prompts, set apart for validation (0.1)")
    importing = add_verb(actions, "import", run_import, "take labels in that others gave; nothing is doubled")
    importing.add_argument("source", type=Path, help="a file or folder")
    importing.add_argument("--format", default="", help="its name in `label formats` (recognised by its columns)")
    importing.add_argument("--campaign", required=True, metavar="NAME", help="a new one, or one of an earlier import")
    for parser in (export, importing):
        add_settings(parser)


def run_formats(args: argparse.Namespace) -> int:
    """Print the formats, a line each."""
    from studio.preference.formats import FORMATS

    formats = [
        {
            "name": name,
            "title": format.title,
            "sentence": format.sentence,
            "extensions": [extension or "folder" for extension in format.extensions],
            "carries": sorted(format.carries),
            "loses": format.loses,
            "reads": format.reads,
        }
        for name, format in FORMATS.items()
    ]
    ways = [
        f"{entry['name']:15} {'out, in' if entry['reads'] else 'out    '}  {entry['sentence']}" for entry in formats
    ]
    give(args, {"formats": formats}, "\n".join(ways))
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Write labels and print what was written, and what was not. Raises WorkspaceError beside a running studio."""
    options: dict[str, Any] = {name: True for name in _FLAGS if getattr(args, name)}
    options |= {name: number(value) for name in _VALUES if (value := getattr(args, name)) is not None}
    options |= {"anonymise": False} if args.keep_names else {}
    with _exchange(args) as exchange:
        written = exchange.export_labels(args.out, args.format, args.campaign, args.snapshot, options, _progress)
    line("")
    answer: Answer = {
        "out": str(args.out),
        "labels": written.labels,
        "rows": written.rows,
        "pictures": written.pictures,
        "left_out": dict(written.left_out),
        "rows_left_out": dict(written.rows_left_out),
        "remarks": written.remarks,
    }
    lines = [f"{args.out}: {written.labels} labels in {written.rows} rows, {written.pictures} pictures."]
    lines += [f"Left out: {count} labels, {reason}." for reason, count in written.left_out.most_common()]
    lines += [f"Left out: {count} rows, {reason}." for reason, count in written.rows_left_out.most_common()]
    give(args, answer, "\n".join([*lines, *written.remarks]))
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Take labels in and print how many, and what was refused. Raises WorkspaceError beside a running studio."""
    from studio.services.labels.taking_in import summary

    with _exchange(args) as exchange:
        imported = exchange.import_labels(args.source, args.format, args.campaign, _progress)
    line("")
    answer: Answer = {
        "format": imported.format,
        "campaigns": imported.campaigns,
        "labels": imported.labels,
        "known": imported.known,
        "pictures": imported.pictures,
        "foreign_share": imported.foreign_share,
        "refused": [{"row": row.row, "reason": row.reason} for row in imported.refused],
        "refused_count": imported.refused_count,
        "unknown": dict(imported.unknown),
        "remarks": imported.remarks,
    }
    give(args, answer, "\n".join(summary(imported)))
    return 0


def _progress(count: int, total: int) -> None:
    line(f"{count} of {total}" if total else f"row {count}")


@contextmanager
def _exchange(args: argparse.Namespace) -> Iterator[LabelExchange]:
    """The workspace's labels; the workspace is ours meanwhile."""
    from studio.services.labels.exchange import LabelExchange
    from studio.storage.archive import Archive

    archive = Archive.open(settings_of(args).workspace)
    try:
        yield LabelExchange(archive)
    finally:
        archive.close()
