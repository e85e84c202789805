"""The verb `export-guidance`: guidance as a guider that diffusers' modular pipelines load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli import recipe
from studio.cli.answer import give
from studio.cli.grammar import add_settings, add_verb, settings_of
from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import GuidanceSpec


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "export-guidance", run, "write guidance as a guider of diffusers")
    recipe.add_guidance_flags(parser)
    parser.add_argument("--model", default="stencil", help="whose network it will guide (stencil)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Write the guider's folder. Raises BadInput for a method that cannot be one, or a folder that is taken."""
    from studio.services.guiders import export
    from studio.services.sources import Sources

    settings = settings_of(args)
    spec = load(GuidanceSpec, recipe.guidance(args, None, settings), "guidance")
    if args.out.exists():
        raise BadInput(f"There is something at {args.out} already.", "Name another place.", field="out")
    card = Sources(settings).card(args.model)
    answer = {"folder": str(args.out), "guidance": export(spec, card, args.out)}
    give(args, answer, str(args.out))
    return 0
