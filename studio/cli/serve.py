"""The verb `serve`: the studio's page."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.grammar import add_settings, add_verb, settings_of


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "serve", run, "open the studio's page")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (7860; 0 takes a free one)")
    parser.add_argument("--patience", help="seconds without progress after which the engine is started again (600)")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Serve the page until it is stopped."""
    from studio.ui import app

    app.serve(settings_of(args))
    return 0
