"""What the verbs have in common when they are read: parsers, the flags of settings, numbers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any, NoReturn

from studio.core.errors import BadInput
from studio.core.settings import Settings

Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """argparse without its usage dump: what is wrong is a BadInput like any other."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"See: {self.prog} --help")


def add_verb(verbs: Any, name: str, run: Run, help: str) -> argparse.ArgumentParser:
    """Add a verb, or an action of one, that answers in JSON with --json; give its parser.

    verbs: argparse's subparsers.
    run: is called with what was read, gives the exit code.
    """
    parser = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def add_actions(verbs: Any, name: str, help: str) -> Any:
    """Add a verb that has actions; give their subparsers, for `add_verb`."""
    parser = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    return parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `settings_of` reads."""
    settings = parser.add_argument_group("settings", "each also as an environment variable PALIMPSEST_<NAME>")
    settings.add_argument("--workspace", help="folder of the history (./workspace)")
    settings.add_argument("--model-dir", help="folder of the model")
    settings.add_argument("--models-dir", help="folder of further models")
    settings.add_argument("--device", help="auto, cpu, cuda or mps")
    settings.add_argument("--dtype", help="auto, fp32, bf16 or fp16")
    settings.add_argument("--threads", help="CPU threads of the arithmetic")
    settings.add_argument("--memory-budget", help="GB that resident models may take (60 %% of what is free)")


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings of a command: its flags, then the environment, then defaults. Raises BadInput."""
    flags = {name: getattr(args, name, None) for name in Settings.model_fields}
    return Settings.resolve(flags, os.environ)


def number(text: str) -> Any:
    """A number where the text is one, else the text itself, for whoever checks it to name it in a sentence."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
