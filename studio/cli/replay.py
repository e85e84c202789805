"""The verb `replay`: a picture made again from the recipe it carries."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli.answer import give, progress
from studio.cli.grammar import add_settings, add_verb, settings_of


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "replay", run, "make a picture again from its own recipe and compare the pixels")
    parser.add_argument("image", type=Path, help="a PNG of ours")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Make it again and say how the two compare; 1 where they differ."""
    from studio.services.replay import replay

    result = replay(settings_of(args), args.image, progress)
    answer = {
        "identical": result.identical,
        "pixels": result.pixels,
        "different_pixels": result.different_pixels,
        "max_difference": result.max_difference,
        "causes": list(result.causes),
        "recipe": result.recipe.model_dump(mode="json"),
    }
    give(args, answer, result.sentence())
    return 0 if result.identical else 1
