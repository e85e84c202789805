"""A1111's infotext, as PNGs of that web UI and ours carry it: a prompt, a negative prompt, a line of settings.

    a red star
    Negative prompt: a blue square
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Version: v1.9.4

Untrusted. What has no place in a recipe, or is out of its range, is left out and named, never bent into shape. The same
seed does not give the same picture here and there: the web UI draws its noise otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import Recipe

MAX_CHARS = 1_000_000
MAX_LEFT_OUT = 50  # named one by one; what is left out beyond is counted

_NEGATIVE = "Negative prompt:"
_PAIR = re.compile(r'\s*(\w[\w \-/]{0,99}+):\s*("(?:[^"\\]|\\.)*+"|[^,]*+)(?:,|$)')
_EXTRA_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]{0,300}>", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")

# The web UI's names, in lower case; our own are understood too, since a PNG of ours may hold them.
SAMPLERS = {
    "ddim": "ddim",
    "euler": "euler",
    "euler a": "euler_ancestral",
    "dpm++ 2m": "dpmpp_2m",
    "dpm++ 2m sde": "dpmpp_2m_sde",
    "unipc": "unipc",
}
# Uniform is linspace over the timesteps, and Simple takes every (T/n)th from the noisiest on, which is trailing.
SPACINGS = {"karras": "karras", "exponential": "exponential", "uniform": "linspace", "simple": "trailing"}
_NEARLY = {"sgm uniform": ("trailing", "taken as trailing, whose times differ by less than one of the training's")}
_NO_SPACING = ("", "automatic")
_ABOUT_THE_PICTURE = ("Version", "Model hash")  # not settings: nothing is lost by not taking them over


@dataclass(frozen=True)
class LeftOut:
    """Something of an infotext that a recipe does not hold as it was. value: shortened."""

    name: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value} ({self.reason})"


@dataclass
class Infotext:
    """What an infotext says.

    values: fields for `Recipe.load`, which accepts them. left_out: the rest, in order; empty if nothing is.
    ours: whether it says that this program wrote it; else its prompts are in the a1111 dialect.
    """

    values: dict[str, Any] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    ours: bool = False

    def take(self, fields: dict[str, Any], text: str, said_as: str) -> None:
        """Take fields over if the recipe accepts their values; else say why not."""
        try:
            Recipe.load(fields)
        except BadInput as error:
            self.leave(said_as, text, error.message)
        else:
            self.values |= fields

    def leave(self, name: str, text: str, reason: str = "there is no such setting here") -> None:
        """Name something as not taken over."""
        short = text if len(text) <= 60 else text[:57] + "..."
        # Quoted values can name characters that no file can hold.
        self.left_out.append(LeftOut(name, short.encode(errors="replace").decode(), reason))


def parse_infotext(text: str, models: Collection[str] | None = None) -> Infotext:
    """Read an infotext, in time linear in its length.

    models: names of those at hand; with None any name is taken over. A last line with fewer than three settings is
    taken for words of the prompt, as the web UI does. Raises BadInput for more than a million characters.
    """
    if len(text) > MAX_CHARS:
        raise BadInput(f"The text has {len(text)} characters; at most {MAX_CHARS} are read as settings of a picture.")
    lines = text.rstrip("\r\n").split("\n")
    settings = _pairs(lines[-1])
    if len(settings) < 3:
        settings = {}
    else:
        del lines[-1]
    found = Infotext(ours=settings.get("Version", "").startswith("Palimpsest "))
    _take_prompts(found, lines)
    _take_sampler(found, settings)
    _take_guidance(found, settings)
    _take_numbers(found, settings)
    _take_model(found, settings, models)
    for name, value in settings.items():
        found.leave(name, value)
    if (more := len(found.left_out) - MAX_LEFT_OUT) > 0:
        found.left_out[MAX_LEFT_OUT:] = [LeftOut("More", str(more), "further settings that are not taken over")]
    return found


def sampler_and_spacing(name: str) -> tuple[str | None, str | None]:
    """The web UI's "DPM++ 2M Karras" in our words: ("dpmpp_2m", "karras"). None for what is unknown or not said."""
    lowered = " ".join(name.lower().split())
    if lowered in SAMPLERS or lowered in SAMPLERS.values():
        return SAMPLERS.get(lowered, lowered), None
    front, _, last = lowered.rpartition(" ")
    return (SAMPLERS[front], SPACINGS[last]) if front in SAMPLERS and last in SPACINGS else (None, None)


def _pairs(line: str) -> dict[str, str]:
    """Settings of a line, unquoted; the last of two with one name counts, as in the web UI."""
    found: dict[str, str] = {}
    at = 0
    while at < len(line):
        pair = _PAIR.match(line, at)
        if pair is not None:
            found[pair[1].strip()] = pair[2].strip()
        comma = line.find(",", at)
        at = pair.end() if pair is not None else comma + 1 if comma >= 0 else len(line)
    return {name: _unquoted(value) for name, value in found.items()}


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value


def _take_prompts(found: Infotext, lines: list[str]) -> None:
    at = next((number for number, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    prompts = {"prompt": "\n".join(lines[:at])}
    if at < len(lines):
        negative = [lines[at].removeprefix(_NEGATIVE).removeprefix(" "), *lines[at + 1 :]]
        prompts["negative_prompt"] = "\n".join(negative)
    for name, prompt in prompts.items():
        found.take({name: prompt}, prompt, name.replace("_", " ").capitalize())
        for tag in dict.fromkeys(_EXTRA_NETWORK.findall(prompt)):
            found.leave("Extra network", tag, f"stays in the {name.replace('_', ' ')}, as words")


def _take_sampler(found: Infotext, settings: dict[str, str]) -> None:
    name, schedule = settings.pop("Sampler", None), settings.pop("Schedule type", "")
    if name is not None:
        sampler, spacing = sampler_and_spacing(name)
        if sampler is None:
            found.leave("Sampler", name, "there is no such sampler here")
        else:
            found.take({"sampler": sampler}, name, "Sampler")
        if spacing is not None:
            found.take({"spacing": spacing}, name, "Sampler")
    lowered = " ".join(schedule.lower().split())
    if lowered in _NEARLY:
        spacing, reason = _NEARLY[lowered]
        found.take({"spacing": spacing}, schedule, "Schedule type")
        found.leave("Schedule type", schedule, reason)
    elif lowered in SPACINGS:
        found.take({"spacing": SPACINGS[lowered]}, schedule, "Schedule type")
    elif lowered not in _NO_SPACING:
        found.leave("Schedule type", schedule, "there is no such spacing here")


def _take_guidance(found: Infotext, settings: dict[str, str]) -> None:
    """CFG scale, and what PNGs of ours say of other methods; the names of others' settings may mean other things."""
    params: dict[str, float | int | bool | str] = {}
    scale = settings.pop("CFG scale", None)
    if scale is not None and _DECIMAL.fullmatch(scale):
        params["guidance_scale"] = float(scale)
    elif scale is not None:
        found.leave("CFG scale", scale, "not a number")
    method = settings.pop("Guidance", "cfg") if found.ours else "cfg"
    named = [name for name in settings if found.ours and name.startswith("Guidance ")]
    said = {name.removeprefix("Guidance ").replace(" ", "_"): _plain(settings.pop(name)) for name in named}
    if params or said or method != "cfg":
        found.take({"guidance": {"method": method, "params": {**params, **said}}}, method, "Guidance")


def _plain(text: str) -> float | int | bool | str:
    if text in ("True", "False"):
        return text == "True"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _take_numbers(found: Infotext, settings: dict[str, str]) -> None:
    whole = {"Steps": "steps", "Seed": "seed", "Variation seed": "variation_seed"}
    for name, field_name in whole.items():
        text = settings.pop(name, None)
        if text is not None and _WHOLE.fullmatch(text):
            found.take({field_name: int(text)}, text, name)
        elif text is not None:
            found.leave(name, text, "not a whole number")
    text = settings.pop("Variation seed strength", None)
    if text is not None and _DECIMAL.fullmatch(text):
        found.take({"variation_strength": float(text)}, text, "Variation seed strength")
    elif text is not None:
        found.leave("Variation seed strength", text, "not a number")
    text = settings.pop("Size", None)
    size = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text or "")
    if size is not None:
        found.take({"width": int(size[1]), "height": int(size[2])}, size[0], "Size")
    elif text is not None:
        found.leave("Size", text, "not two whole numbers")


def _take_model(found: Infotext, settings: dict[str, str], models: Collection[str] | None) -> None:
    for name in _ABOUT_THE_PICTURE:
        settings.pop(name, None)
    model = settings.pop("Model", None)
    if model is None:
        return
    if models is None or model in models:
        found.take({"model": model}, model, "Model")
    else:
        found.leave("Model", model, "there is no such model here")
