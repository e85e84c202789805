"""The verb `generate`: pictures from a prompt."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import recipe
from studio.cli.answer import Answer, follow, give, progress, remark
from studio.cli.files import png_paths, write_file
from studio.cli.grammar import add_settings, add_verb, settings_of
from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.pairing import caveat

if TYPE_CHECKING:
    from studio.models.tokens import TokenReport


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "generate", run, "make pictures from a prompt")
    parser.add_argument("prompt", nargs="?", help='what to draw; "" is unconditional')
    recipe.add_flags(parser)
    parser.add_argument("--count", default="1", help="how many, with seeds counting up")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="begin from a recipe: JSON, or a PNG of ours")
    parser.add_argument("--out", type=Path, metavar="PNG", help="write the picture here too; several are numbered")
    parser.add_argument("--no-history", action="store_true", help="with --out: leave the workspace alone")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Make the pictures and say where they are."""
    from studio.services.sources import Sources

    settings = settings_of(args)
    sources = Sources(settings)
    if args.prompt is None and args.recipe is None:
        raise BadInput('Give a prompt, or "" for an unconditional picture.', field="prompt")
    if args.no_history and args.out is None:
        raise BadInput("With --no-history, --out must say where the picture goes.", field="out")
    values = recipe.from_file(args.recipe) if args.recipe else {}
    recipes = recipe.recipes(args, values, sources.card(str(values.get("model", "stencil"))), settings)
    outs = png_paths(args.out, len(recipes))
    report = sources.tokenizer(recipes[0].model).report(recipes[0].prompt)
    _remark_on(report)
    if sentence := caveat(recipes[0].guidance, recipes[0].sampler, recipes[0].sampler_params):
        remark(sentence)
    images, first = (_unrecorded if args.no_history else _recorded)(settings, recipes, outs)
    tokens = {"tokens": report.tokens, "limit": report.limit, "cut": report.cut, "unknown": list(report.unknown_words)}
    answer = {"images": images, "recipe": first.model_dump(mode="json"), "prompt": tokens}
    give(args, answer, "\n".join(image["path"] for image in images))
    return 0


def _recorded(settings: Settings, recipes: Sequence[Recipe], outs: Sequence[Path]) -> tuple[list[Answer], Recipe]:
    """The pictures, in the history; and the first one's recipe with every parameter in it."""
    from studio.services.studio import Studio

    with Studio(settings, backend="inline") as studio:
        pictures = studio.pictures.draw(recipes, follow)
    images: list[Answer] = []
    for index, picture in enumerate(pictures):
        if outs:
            write_file(outs[index], picture.image_path.read_bytes())
        images.append(
            {
                "path": str(outs[index] if outs else picture.image_path),
                "seed": picture.recipe.seed,
                "made_by": picture.made_by,
                "generation": picture.id,
                "sha256": picture.sha256,
            }
        )
    return images, pictures[0].recipe


def _unrecorded(settings: Settings, recipes: Sequence[Recipe], outs: Sequence[Path]) -> tuple[list[Answer], Recipe]:
    """The same, in files alone."""
    from studio.services.direct import generate_unrecorded

    pictures = generate_unrecorded(settings, recipes, progress)
    images: list[Answer] = []
    for picture, out in zip(pictures, outs, strict=True):
        write_file(out, picture.png())
        images.append({"path": str(out), "seed": picture.recipe.seed, "made_by": picture.made_by})
    return images, pictures[0].recipe


def _remark_on(report: TokenReport) -> None:
    if report.unknown_words:
        remark(f"The model has no word for: {', '.join(report.unknown_words)}.")
    if report.is_cut:
        remark(f"The prompt has {report.tokens} tokens of {report.limit}; this is cut: {report.cut}")
