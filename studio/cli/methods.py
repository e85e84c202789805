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
    kinds = _all(settings_of(args))
    if args.name is not None:
        kinds = {kind: {args.name: entries[args.name]} for kind, entries in kinds.items() if args.name in entries}
        if not kinds:
            raise NotFound(f"There is no method, wrapper, sampler or preset named {shown(args.name)}.", "See: methods")
    texts = (_table(kind, entries, whole=args.name is not None) for kind, entries in kinds.items())
    give(args, kinds, "\n\n".join(texts))
    return 0


def _all(settings: Settings) -> dict[str, dict[str, Answer]]:
    """Kind -> name -> what it is."""
    from studio.diffusion.solvers import SOLVERS
    from studio.guidance import GUIDANCE
    from studio.guidance.wrapper import WRAPPERS
    from studio.services.presets import GuidancePresets

    kinds = {
        "guidance methods": {name: _entry(cls) for name, cls in GUIDANCE.items()},
        "wrappers": {name: _entry(cls) for name, cls in WRAPPERS.items()},
        "samplers": {name: _entry(cls) for name, cls in SOLVERS.items()},
        "presets": {},
    }
    for preset in GuidancePresets(settings.workspace).listing():
        kinds["presets"][preset.name] = {
            "what": preset.problem or preset.note,
            "source": "yours" if preset.is_own else "",
            "params": [],
        }
    return kinds


def _entry(cls: type[Params]) -> Answer:
    from studio.core.params import specs

    summary = (cls.__doc__ or "").strip().partition("\n\n")[0]
    return {
        "what": " ".join(summary.split()),
        "source": str(getattr(cls, "source", "")),
        "params": [asdict(spec) for spec in specs(cls)],
    }


def _table(kind: str, entries: dict[str, Answer], whole: bool) -> str:
    lines = [f"{kind}:"]
    for name, entry in entries.items():
        source = f"  [{entry['source']}]" if entry["source"] else ""
        lines.append(f"  {name:<22} {entry['what']}{source}".rstrip())
        if whole:
            lines += [f"    {_param(ParamSpec(**spec))}" for spec in entry["params"]]
    return "\n".join(lines)


def _param(spec: ParamSpec) -> str:
    if spec.choices:
        values = " | ".join(map(str, spec.choices))
    elif spec.low is not None or spec.high is not None:
        values = (
            f"{'' if spec.low is None else f'{spec.low:g}'} .. {'' if spec.high is None else f'{spec.high:g}'}".strip()
        )
    else:
        values = "a number of the method" if spec.names else spec.kind
    return f"{spec.name} = {spec.default}  ({values}{f' {spec.unit}' if spec.unit else ''})  {spec.help}".rstrip()
