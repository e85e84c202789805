"""The verb `bench`: the studio timed against plain diffusers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli import recipe
from studio.cli.answer import give, line
from studio.cli.files import write_file
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput

LONG = frozenset({"esd"})  # on the clock for so long that they are asked for by name


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "bench", run, "time the studio against plain diffusers on the same work")
    parser.add_argument("case", nargs="?", help="one case alone; without it all but esd, which takes half an hour")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table here too, as a page")
    parser.add_argument("--pairs", default="7", help="how many timings of each side, at least 7")
    parser.add_argument("--prompt", default="a red star on a white background")
    recipe.add_flags(parser)
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Time the cases and print their table."""
    from studio.services.checks import check_recipes
    from studio.services.sources import Sources

    sources = Sources(settings_of(args))
    args.count = "1"
    args.seed = args.seed or "7"
    recipes = recipe.recipes(args, {}, sources.card("stencil"), sources.settings)
    check_recipes(recipes, sources)
    from studio.engine.bench import CASES, Bench, page, table
    from studio.engine.bench.pairs import check_pairs
    from studio.engine.bench.results import as_json

    pairs = number(args.pairs)
    if not isinstance(pairs, int):
        raise BadInput(f"The number of pairs must be a whole number, not {args.pairs!r}.", field="pairs")
    import studio.training.bench  # noqa: F401  # its cases beside those of drawing

    check_pairs(pairs)  # before anything is loaded or drawn
    config = sources.engine_config(previews=False)
    results = []
    for name in [args.case] if args.case else [name for name in CASES.names() if name not in LONG]:
        bench = Bench.of(config, recipes[0], pairs, lambda pair, name=name: line(f"{name}: pair {pair} of {pairs}"))
        results.append(CASES.get(name)(bench))
    line("")
    if args.out:
        write_file(args.out, page(results).encode())
    give(args, {"cases": [as_json(result) for result in results]}, table(results))
    return 0
