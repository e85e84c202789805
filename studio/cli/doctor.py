"""The verb `doctor`: whether this machine is fit."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import give
from studio.cli.grammar import add_settings, add_verb, settings_of


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    add_settings(add_verb(verbs, "doctor", run, "check that this machine is fit"))


def run(args: argparse.Namespace) -> int:
    """Check and print, a line each; 1 where something is not fit."""
    from studio.services.doctor import examine

    checks = examine(settings_of(args))
    is_fit = all(check.ok for check in checks)
    rows = [{"name": check.name, "ok": check.ok, "detail": check.detail, "hint": check.hint} for check in checks]
    lines = (
        f"{'ok' if check.ok else 'PROBLEM':<8} {check.name:<10} {check.detail} {check.hint}".rstrip()
        for check in checks
    )
    give(args, {"ok": is_fit, "checks": rows}, "\n".join(lines))
    return 0 if is_fit else 1
