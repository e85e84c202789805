"""The reference pages of docs/, written from the code they describe, so that neither can drift from the other.

docs/methods/<name>.md: one per guidance method, from its docstring and declared parameters.
docs/reference/recipe.md and recipe.schema.json: the recipe, as people and as programs read it.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from studio.core.params import ParamSpec, specs
from studio.core.recipe import Recipe
from studio.diffusion.solvers import SOLVERS
from studio.guidance import GUIDANCE
from studio.guidance.base import Guidance
from studio.guidance.presets import read_presets

_PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_NOTE = "<!-- written by `palimpsest docs`; edit the code instead -->\n"


def _range(spec: ParamSpec) -> str:
    if spec.choices:
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    if spec.kind in ("float", "int") and spec.low is not None and spec.high is not None:
        return f"{spec.low:g} to {spec.high:g}"
    return spec.kind


def _parameters(rows: tuple[ParamSpec, ...]) -> str:
    lines = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    lines += [f"| `{s.name}` | `{s.default}` | {_range(s)} | {s.help}{_when(s)} |" for s in rows]
    return "\n".join(lines)


def _when(spec: ParamSpec) -> str:
    """Say under which values of others it matters: "; only where `blur` is `gaussian`"."""
    conditions = [f"`{name}` is {' or '.join(f'`{value}`' for value in values)}" for name, values in spec.when]
    return f"; only where {' and '.join(conditions)}" if conditions else ""


def link(source: str) -> str:
    """A source as markdown, each paper of arXiv in it a link."""
    return _PAPER.sub(r"[\g<0>](https://arxiv.org/abs/\1)", source)


def method_page(name: str, cls: type[Guidance], presets: dict[str, str]) -> str:
    """The page of one guidance method, as markdown."""
    module = inspect.getmodule(cls)
    maths = inspect.cleandoc((module.__doc__ if module else None) or "")
    title, _, rest = maths.partition("\n")
    parts = [f"# `{name}`: {title.rstrip('.')}", _NOTE + inspect.cleandoc(cls.__doc__ or ""), rest.strip()]
    parts += [f"Source: {link(cls.source)}. Prediction space: {cls.native_space}.", _parameters(specs(cls))]
    if reason := cls().breaks_history():
        suitable = " and ".join(f"`{sampler}`" for sampler, solver in SOLVERS.items() if not solver().keeps_history())
        parts.append(f"Samplers: {suitable}. It {reason}, and the others go by earlier steps too.")
    if presets:
        parts.append("Presets:\n\n" + "\n".join(f"- `{preset}`: {note}" for preset, note in presets.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def recipe_page() -> str:
    """The recipe's fields, as markdown."""
    lines = ["| field | default | meaning |", "|---|---|---|"]
    for name, field in Recipe.model_fields.items():
        default = field.get_default(call_default_factory=True)
        plain_value = default.model_dump() if hasattr(default, "model_dump") else default
        lines.append(f"| `{name}` | `{json.dumps(plain_value)}` | {field.description} |")
    about = inspect.cleandoc(inspect.getmodule(Recipe).__doc__ or "")  # type: ignore[union-attr]
    table = "\n".join(lines)
    return f"# The recipe\n\n{_NOTE}{about}\n\n{table}\n\nJSON schema: [recipe.schema.json](recipe.schema.json).\n"


def pages(preset_folder: Path) -> dict[str, str]:
    """Every generated page: path below docs/ -> text."""
    presets = read_presets(preset_folder)
    pages = {
        f"methods/{name}.md": method_page(
            name, cls, {title: preset.note for title, preset in presets.items() if preset.method == name}
        )
        for name, cls in GUIDANCE.items()
    }
    pages["reference/recipe.md"] = recipe_page()
    pages["reference/recipe.schema.json"] = json.dumps(Recipe.model_json_schema(), indent=2) + "\n"
    return pages


def stale(docs: Path, preset_folder: Path) -> list[str]:
    """Generated pages that are missing or differ from what the code says now."""
    return [
        name
        for name, text in pages(preset_folder).items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != text
    ]


def write(docs: Path, preset_folder: Path) -> list[str]:
    """Write the pages that are stale; give their names."""
    changed = stale(docs, preset_folder)
    for name, text in pages(preset_folder).items():
        if name in changed:
            (docs / name).parent.mkdir(parents=True, exist_ok=True)
            (docs / name).write_text(text, encoding="utf-8")
    return changed
