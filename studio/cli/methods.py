"""The verb `methods` of the command line: guidance methods, wrappers, samplers and presets, with their parameters."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_verb, settings_of
from studio.core.errors import NotFound
from studio.core.params import ParamSpec, shown
from studio.core.settings import Settings

if TYPE_CHECKING:
    from studio.core.params import Params


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    help = "list guidance methods, what goes around them, samplers and presets; or say everything about one"
    parser = add_verb(verbs, "methods", run, help)
    parser.add_argument("name", nargs="?", help="one method, wrapper, sampler or preset")
    parser.add_argument("--workspace", help="folder of your own presets (./workspace)")


def run(args: argparse.Namespace) -> int:
    """Print all of them, or one. Raises NotFound for a name that none has."""
    found = _all(settings_of(args))
    if args.name is not None:
        found = {kind: {args.name: entries[args.name]} for kind, entries in found.items() if args.name in entries}
        if not found:
            raise NotFound(f"There is no method, wrapper, sampler or preset named {shown(args.name)}.", "See: methods")
    texts = (_told(kind, entries, whole=args.name is not None) for kind, entries in found.items())
    give(args, found, "\n\n".join(texts))
    return 0


def _all(settings: Settings) -> dict[str, dict[str, Answer]]:
    """Kind -> name -> what it is."""
    from studio.diffusion.solvers import SOLVERS
    from studio.guidance import GUIDANCE
    from studio.guidance.wrapper import WRAPPERS
    from studio.services.presets import GuidancePresets

    found = {
        "guidance methods": {name: _entry(cls) for name, cls in GUIDANCE.items()},
        "wrappers": {name: _entry(cls) for name, cls in WRAPPERS.items()},
        "samplers": {name: _entry(cls) for name, cls in SOLVERS.items()},
        "presets": {},
    }
    for one in GuidancePresets(settings.workspace).listing():
        found["presets"][one.name] = {
            "what": one.problem or one.note,
            "source": "yours" if one.own else "",
            "params": [],
        }
    return found


def _entry(cls: type[Params]) -> Answer:
    from studio.core.params import specs

    what = (cls.__doc__ or "").strip().partition("\n\n")[0]
    return {
        "what": " ".join(what.split()),
        "source": str(getattr(cls, "source", "")),
        "params": [asdict(one) for one in specs(cls)],
    }


def _told(kind: str, entries: dict[str, Answer], whole: bool) -> str:
    lines = [f"{kind}:"]
    for name, entry in entries.items():
        source = f"  [{entry['source']}]" if entry["source"] else ""
        lines.append(f"  {name:<22} {entry['what']}{source}".rstrip())
        if whole:
            lines += [f"    {_param(ParamSpec(**one))}" for one in entry["params"]]
    return "\n".join(lines)


def _param(one: ParamSpec) -> str:
    if one.choices:
        values = " | ".join(map(str, one.choices))
    elif one.low is not None or one.high is not None:
        values = f"{'' if one.low is None else f'{one.low:g}'} .. {'' if one.high is None else f'{one.high:g}'}".strip()
    else:
        values = "a number of the method" if one.names else one.kind
    return f"{one.name} = {one.default}  ({values}{f' {one.unit}' if one.unit else ''})  {one.help}".rstrip()
