"""Recipes from the flags of a command: what a file states, what a preset brings, and what flags say over both."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.grammar import number
from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings

if TYPE_CHECKING:
    from studio.models.card import ModelCard

Answer = dict[str, Any]
_PLAIN = ("negative", "seed", "steps", "sampler", "batching")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that `recipes` reads. Numbers arrive as text: the recipe says what is wrong with them."""
    parser.add_argument("--negative", metavar="TEXT", help="what to move away from")
    parser.add_argument("--seed", help="0 .. 2**64-1; without it a random one")
    parser.add_argument("--steps", help="sampling steps (20)")
    parser.add_argument(
        "--sampler", help="how to go from noise to picture, the model's own if left out; `methods` lists them"
    )
    parser.add_argument("--batching", help="isolated (exact) or shared (faster for several)")
    add_guidance_flags(parser)
    parser.add_argument("--size", metavar="WxH", help="in pixels: 128 or 128x96")


def add_guidance_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that `guidance` reads."""
    parser.add_argument(
        "--preset", metavar="NAME", help="named guidance, of the studio or your own; `methods` lists them"
    )
    parser.add_argument("--method", help="guidance method; `methods` lists them")
    parser.add_argument("--guidance-scale", metavar="W", help="how much guidance insists; 1 is none")
    parser.add_argument("--params", metavar="JSON", help="further parameters of the method, as a JSON object")
    parser.add_argument(
        "--wrappers",
        metavar="JSON",
        help='what is put around the method: \'[{"wrapper": "interval", "params": {...}}]\'',
    )
    parser.add_argument(
        "--edits",
        metavar="JSON",
        help='the edit stack: \'[{"edit": NAME, "strength": 1, "start": 0, "stop": 1}]\', shares of the steps',
    )


def recipes(args: argparse.Namespace, values: Answer, card: ModelCard, settings: Settings) -> list[Recipe]:
    """The recipes of a command: a file's values, what flags say over them, and the model's own size and sampler below.

    Raises BadInput for what is no recipe, NotFound for a preset that is not there.
    """
    # A file that states parameters of the sampler and not the sampler means those of a recipe's own default.
    sampler = {} if "sampler_params" in values else {"sampler": card.sampler}
    values = {"width": card.default_size_px, "height": card.default_size_px, **sampler, **values}
    if args.prompt is not None:
        values["prompt"] = args.prompt
    for flag in _PLAIN:
        if (text := getattr(args, flag)) is not None:
            field = "negative_prompt" if flag == "negative" else flag
            if flag == "sampler" and text != values.get("sampler"):
                values.pop("sampler_params", None)  # they are another sampler's
            values[field] = number(text) if flag in ("seed", "steps") else text
    values.setdefault("seed", random.SystemRandom().randrange(2**32))
    if args.size is not None:
        width, _, height = args.size.lower().partition("x")
        values["width"], values["height"] = number(width), number(height or width)
    if args.edits is not None:
        values["edits"] = _json(args.edits, "edits", list)
    if stated := guidance(args, values.get("guidance"), settings):
        values["guidance"] = stated
    count = number(args.count)
    if not isinstance(count, int) or not 1 <= count <= 256:
        raise BadInput(f"The count must be a whole number from 1 to 256, not {args.count[:60]!r}.", field="count")
    first = Recipe.load(values)
    return [first.model_copy(update={"seed": (first.seed + i) % 2**64}) for i in range(count)]


def from_file(path: Path) -> Answer:
    """The values of a recipe file; only those it states, so that flags and the model's size can fill in the rest."""
    from studio.storage.png import read_png

    if path.suffix.lower() == ".png":
        return read_png(path).recipe.model_dump(mode="json")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The recipe file {path} cannot be read: {error.strerror}.", field="recipe") from None
    Recipe.from_json(text)
    return json.loads(text)


def guidance(args: argparse.Namespace, stated: Any, settings: Settings) -> Answer:
    """Guidance as values: what is stated, then the preset, then the flags, each over the one before."""
    values: Answer = dict(stated) if isinstance(stated, dict) else {}
    if args.preset is not None:
        from studio.services.presets import GuidancePresets

        values = GuidancePresets(settings.workspace).load(args.preset).spec.model_dump(mode="json")
    if args.method is not None:
        values = {"method": args.method}
    params = {**(values.get("params") or {}), **_json(args.params, "params", dict)}
    if args.guidance_scale is not None:
        params["guidance_scale"] = _guidance_scale(args.guidance_scale)
    if args.wrappers is not None:
        values["wrappers"] = _json(args.wrappers, "wrappers", list)
    return {**values, "params": params} if values or params else {}


def _guidance_scale(text: str) -> float:
    value = number(text)
    if isinstance(value, str) or value != value or value in (float("inf"), float("-inf")):
        raise BadInput(f"The guidance scale must be a finite number, not {text[:60]!r}.", field="guidance_scale")
    return value


_SUCH_AS = {
    "params": 'a JSON object such as {"eta": 0.5}',
    "wrappers": 'a JSON list such as [{"wrapper": "rescale"}]',
    "edits": 'a JSON list such as [{"edit": "no-star", "strength": 0.8}]',
}


def _json(text: str | None, flag: str, kind: type) -> Any:
    if text is None:
        return kind()
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The --{flag} are not valid JSON: {str(error).rstrip('.')}.", field=flag) from None
    if not isinstance(values, kind):
        raise BadInput(f"The --{flag} must be {_SUCH_AS[flag]}, not {text[:60]!r}.", field=flag)
    return values
