"""The verb `docs`: the reference pages, written from the code."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli.answer import give
from studio.cli.grammar import add_verb


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    add_verb(verbs, "docs", run, "write the reference pages of docs/ from the code")


def run(args: argparse.Namespace) -> int:
    """Write those that are stale, and name them."""
    from studio.evidence import record
    from studio.services import reference

    root = Path(__file__).resolve().parents[2]
    pages = reference.write(root / "docs", root / "presets" / "guidance")
    pages += [path.name for path in record.render(root / record.RESULTS)]
    give(args, {"written": pages}, "\n".join(pages) or "Every page is fresh.")
    return 0
