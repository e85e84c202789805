"""Settings as other programs than the web UI write them into pictures: JSON, each with names of its own.

A text is read in the form it has or refused by its program's name, never taken for a prompt. Untrusted, and to the same
rules as an infotext: what has no place in a recipe is named.

Source of the names: SwarmUI src/Text2Image/T2IParamTypes.cs, Fooocus modules/meta_parser.py, InvokeAI
invokeai/app/invocations/metadata.py, Draw Things' and NovelAI's files, diffusers' pipeline arguments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from studio.core.errors import BadInput
from studio.prompts import comfy
from studio.prompts.infotext import Infotext, count_rest, has_settings, parse_infotext, take_prompts, take_settings
from studio.prompts.samplers import SPACINGS, squashed
from studio.prompts.tree import Dialect

_SIZE = re.compile(r"\(?\s*([0-9]{1,6})\s*[x,\u00d7]\s*([0-9]{1,6})\s*\)?")
# Names without blanks, signs and case -> the web UI's, or the recipe's for prompts.
_COMMON = {
    "prompt": "prompt",
    "positiveprompt": "prompt",
    "negativeprompt": "negative_prompt",
    "steps": "Steps",
    "numinferencesteps": "Steps",
    "cfgscale": "CFG scale",
    "guidancescale": "CFG scale",
    "seed": "Seed",
    "width": "width",
    "height": "height",
    "size": "Size",
    "resolution": "Size",
    "sampler": "Sampler",
    "samplername": "Sampler",
    "model": "Model",
    "basemodel": "Model",
    "modelid": "Model",
    "modelname": "Model",
    "version": "Version",
    "swarmversion": "Version",
    "appversion": "Version",
    "modelhash": "Model hash",
    "basemodelhash": "Model hash",
}
_PROMPTS = ("prompt", "negative_prompt")
_LOOKS_LIKE_JSON = re.compile(r"[\ufeff\s]*(?:\{\s*[\"}]|\[\s*\{)")
_HINT = "Type them in by hand."


@dataclass(frozen=True)
class Program:
    """One program's form.

    names: its own, over the common ones.
    within: under which key its settings are.
    syntax: of its prompts.
    as_comfy: whether it reads them as ComfyUI does, which knows a part of the web UI's dialect.
    weights: how its prompts are weighted, where no dialect of ours has it.
    """

    name: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    within: str | None = None
    syntax: Dialect = "a1111"
    as_comfy: bool = False
    weights: re.Pattern[str] | None = None


_SCHEDULER = {"scheduler": "Schedule type"}
SWARM = Program("SwarmUI", _SCHEDULER, within="sui_image_params", as_comfy=True)
FOOOCUS = Program("Fooocus", _SCHEDULER, as_comfy=True)
INVOKE = Program("InvokeAI", {"scheduler": "Sampler"}, syntax="compel")
OLD_INVOKE = Program("InvokeAI", {"scheduler": "Sampler"}, within="image", syntax="compel")
NOVEL = Program(
    "NovelAI",
    {"uc": "negative_prompt", "scale": "CFG scale", "noiseschedule": "Schedule type"},
    syntax="plain",
    weights=re.compile(r"[{}\[\]]|::"),
)
DRAW_THINGS = Program("Draw Things", {"c": "prompt", "uc": "negative_prompt", "scale": "CFG scale"})
DIFFUSERS = Program("diffusers", {"scheduler": "Sampler"}, syntax="plain")


def parse_settings(text: str, models: Collection[str] | None = None, *, remark: bool = False) -> Infotext | None:
    """Read a text of settings in the form it has: an infotext, or the JSON of a program we know.

    models: names of those at hand; with None any name is taken over.
    remark: whether the text may be about anything; None is given for one without settings.
    Raises BadInput: too long, or JSON of a program that is not read.
    """
    values = _json_object(text)
    if values is None and remark and not has_settings(text):
        return None
    if values is None and _LOOKS_LIKE_JSON.match(text) and not has_settings(text):
        raise BadInput("Its settings are JSON that is damaged or of no known form.", _HINT)
    if values is None:
        return parse_infotext(text, models)
    if comfy.is_graph(values):
        infotext, settings = comfy.read_graph(values)
        take_settings(infotext, settings, models, unsaid=False, spacings=comfy.SPACINGS)
        count_rest(infotext)
        return infotext
    program = _program(values)
    if program is not None:
        return _read(values, program, models)
    if remark:
        return None
    raise BadInput("Its settings are JSON of a program that is not known here.", _HINT)


def _json_object(text: str) -> dict[str, Any] | None:
    if not _LOOKS_LIKE_JSON.match(text):
        return None
    try:
        values = json.loads(text.strip("\ufeff\0 \t\r\n"))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", values) if isinstance(values, dict) else None


def _program(values: Mapping[str, Any]) -> Program | None:
    """Whose settings these are, by the names that it alone has; diffusers' are what scripts write."""
    if isinstance(values.get("sui_image_params"), dict):
        return SWARM
    if "fooocus" in str(values.get("version", "")).lower() or values.get("metadata_scheme") == "fooocus":
        return FOOOCUS
    if "positive_prompt" in values:
        return INVOKE
    if isinstance(values.get("image"), dict) and "prompt" in values["image"]:
        return OLD_INVOKE
    if "uc" in values and "prompt" in values:
        return NOVEL
    if isinstance(values.get("c"), str):
        return DRAW_THINGS
    return DIFFUSERS if isinstance(values.get("prompt"), str) else None


def _read(values: Mapping[str, Any], program: Program, models: Collection[str] | None) -> Infotext:
    inner = values[program.within] if program.within else values
    prompts: dict[str, str] = {}
    settings: dict[str, str] = {}
    for name, value in inner.items():
        meaning = program.names.get(squashed(name)) or _COMMON.get(squashed(name)) or name
        text = _text(value, meaning)
        if meaning in _PROMPTS and meaning not in prompts:
            prompts[meaning] = text
        elif text:
            settings[name if meaning in settings else meaning] = text
    width, height = settings.pop("width", None), settings.pop("height", None)
    if width and height:
        settings.setdefault("Size", f"{width}x{height}")
    if size := _SIZE.fullmatch(settings.get("Size", "")):
        settings["Size"] = f"{size[1]}x{size[2]}"
    infotext = Infotext()
    if program.syntax != "a1111":
        infotext.values["syntax"] = program.syntax
    as_read_here = {name: comfy.as_a1111(text) if program.as_comfy else text for name, text in prompts.items()}
    take_prompts(infotext, as_read_here)
    for name, text in prompts.items():
        if program.weights is not None and program.weights.search(text):
            infotext.leave(name.replace("_", " ").capitalize(), text, f"{program.name}'s weights stay in it, as words")
    take_settings(infotext, settings, models, unsaid=False, spacings=SPACINGS)
    count_rest(infotext)
    return infotext


def _text(value: Any, meaning: str) -> str:
    """A value as an infotext would hold it; "" for one that says nothing."""
    if isinstance(value, dict) and meaning == "Model":
        value = value.get("name") or value.get("model_name") or value
    if isinstance(value, list) and meaning == "prompt" and value and isinstance(value[0], dict):
        value = value[0].get("prompt", "")
    if isinstance(value, str):
        return value.strip() if meaning not in _PROMPTS else value
    if value is None or value in ([], {}):
        return ""
    return json.dumps(value, ensure_ascii=False)
