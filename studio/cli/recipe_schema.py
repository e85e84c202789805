"""The verb `recipe-schema`: what a recipe is, as JSON schema."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import write
from studio.cli.grammar import add_verb
from studio.core.recipe import Recipe


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    add_verb(verbs, "recipe-schema", run, "print the JSON schema of recipes")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    write(Recipe.model_json_schema())
    return 0
