"""The command line: `palimpsest VERB ...`.

Answers go to stdout (with --json: one JSON object), progress and remarks to stderr. Exit codes: 0, 1 the work failed,
2 bad input or an unfit machine, 130 interrupted. What is wrong with the input is said in one sentence.

A verb is a file of this folder with a function `add`, which is called with argparse's subparsers. Heavy imports are
inside the verbs' functions: asking for help or the recipe's schema must not wait for torch.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

import studio
from studio.cli.answer import write
from studio.cli.grammar import Parser
from studio.core.errors import StudioError
from studio.engine.threads import wait_politely

OWN_PARSER = "train-embedded"  # whose arguments are read by studio.training.embedded


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; give the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    wait_politely()
    try:
        if arguments[:1] == [OWN_PARSER]:
            from studio.training.embedded import run

            return run.main(arguments[1:])
        args = parser().parse_args(arguments)
        return int(args.run(args))
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        if as_json:
            write({"error": str(error), "type": type(error).__name__, "exit_code": error.exit_code})
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone; say nothing more, not even on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a bug: whoever reads the JSON is told, and the trace is for us
        traceback.print_exc()
        if as_json:
            write({"error": f"Something went wrong inside: {error!r}", "type": type(error).__name__, "exit_code": 1})
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line. Numbers arrive as text: the recipe says what is wrong with them."""
    top = Parser(prog="palimpsest", description="A studio for text-to-image diffusion models.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"Palimpsest {studio.__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for module in verb_modules():
        module.add(verbs)
    verbs.add_parser(OWN_PARSER, help="train the embedded model", add_help=False)
    return top


def verb_modules() -> list[ModuleType]:
    """The files of this folder that are verbs, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, "add")]
