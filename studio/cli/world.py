"""The verb `world`: pictures of the procedural world."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.cli.answer import Answer, give
from studio.cli.files import checked_png, numbered, write_file
from studio.cli.grammar import add_actions, add_verb, number

WORDS = ("object", "colour", "style", "background", "size", "place", "second-object", "second-colour")


def add(verbs: Any) -> None:
    """Add the verb and its action to argparse's subparsers."""
    actions = add_actions(verbs, "world", "pictures of the procedural world")
    render = add_verb(actions, "render", run, "render scenes")
    for name in WORDS:
        render.add_argument(f"--{name}")
    render.add_argument("--relation", help="of the first object to the second")
    render.add_argument("--random", metavar="N", help="N scenes drawn at random instead")
    render.add_argument("--seed", default="0", help="of the random scenes")
    render.add_argument("--pixels", default="128", help="side of the picture")
    render.add_argument("--out", type=Path, required=True, metavar="PNG", help="file, or folder for --random")


def run(args: argparse.Namespace) -> int:
    """Render one scene, or several at random."""
    from studio.services.world import CHOICES, render_random, render_scene

    pixels = number(args.pixels)
    if args.random is None:
        scenes = [render_scene({name: getattr(args, name) for name in CHOICES}, pixels)]
        outs = [checked_png(args.out)]
    else:
        scenes = render_random(number(args.random), number(args.seed), pixels)
        outs = numbered(args.out, len(scenes))
    images: list[Answer] = []
    for out, scene in zip(outs, scenes, strict=True):
        write_file(out, scene.png())
        images.append({"path": str(out), "caption": scene.caption, **scene.words})
    give(args, {"images": images}, "\n".join(f"{image['path']}  {image['caption']}" for image in images))
    return 0
