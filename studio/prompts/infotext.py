"""A1111's infotext, as pictures of that web UI and ours carry it: a prompt, a negative prompt, a line of settings.

    a red star
    Negative prompt: a blue square
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Version: v1.9.4

Many programs write it, each in its way: the line of settings is known by the names in it, wherever it stands; names,
white space and ends of lines may be any in use.

Untrusted. What has no place in a recipe, or is out of its range, is left out and named, never bent into shape. The same
seed does not give the same picture here and there: the web UI draws its noise otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.samplers import AUTOMATIC, NEARLY, SPACINGS, UNSAID, sampler_and_schedule, spacing_of, squashed

MAX_CHARS = 1_000_000
MAX_LEFT_OUT = 50  # named one by one; what is left out beyond is counted

_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANK = re.compile(r"[^\S\n]")
_OUR_VERSION = "Version: Palimpsest "
_OUR_NEGATIVE = "Negative prompt:"
_NEGATIVE = re.compile(r"\s*negative[ _]?prompt\s*[:\uff1a]\s?", re.IGNORECASE)
_PAIR = re.compile(r'\s*(\w[\w \-/]{0,99}+):\s*("(?:[^"\\]|\\.)*+"|[^,]*+)(?:,|$)')
_EXTRA = re.compile(r"\s*(\w[\w ]{0,99}+):\s*(.*)", re.DOTALL)
_STEPS_WITHIN = re.compile(r"\sSteps: {0,9}[0-9]{1,9} {0,9},")
_EXTRA_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]{0,300}>", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")

# Settings by their names in lower case -> the web UI's name.
_NAMES = {
    "steps": "Steps",
    "sampler": "Sampler",
    "sampling method": "Sampler",
    "schedule type": "Schedule type",
    "schedule": "Schedule type",
    "scheduler": "Schedule type",
    "cfg scale": "CFG scale",
    "guidance scale": "CFG scale",
    "cfg": "CFG scale",
    "seed": "Seed",
    "size": "Size",
    "model": "Model",
    "model hash": "Model hash",
    "version": "Version",
    "variation seed": "Variation seed",
    "variation seed strength": "Variation seed strength",
}
_REST = "Further text"
_LEAST_NAMES = 3  # that a line of settings has, as in the web UI
_ABOUT_THE_PICTURE = ("Version", "Model hash")  # not settings: nothing is lost by not taking them over
_MODEL_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class LeftOut:
    """Something of an infotext that a recipe does not hold as it was.

    value: shortened.
    """

    name: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value} ({self.reason})"


@dataclass
class Infotext:
    """What a text of settings says.

    values: fields for `Recipe.load`, which accepts them.
    left_out: the rest, in order; empty if nothing is.
    ours: whether it says that this program wrote it; else its prompts are in the a1111 dialect, if not in another that
    `values` names.
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
        # Quoted values can name characters that no file can hold.
        self.left_out.append(LeftOut(_short(name), _short(text), reason))


def quoted(value: object, *, typed: bool = False) -> str:
    """Write a value of an infotext so that it reads back, whatever is in it: as JSON text where the web UI's rule or
    ours would take it for something else.

    typed: the value is read back as a number where it looks like one, so a text that does is quoted as well.
    """
    text = str(value)
    splits = any(sign in text for sign in ",:\0") or _LINE_END.search(text) is not None
    looks_typed = typed and _plain(text) != text
    if isinstance(value, str) and (splits or text != text.strip() or text[:1] in ("", '"') or looks_typed):
        # Ends of lines other than JSON's own are escaped too, for readers that divide lines there.
        return _LINE_END.sub(lambda end: f"\\u{ord(end[0]):04x}", json.dumps(text, ensure_ascii=False))
    return text


def has_settings(text: str) -> bool:
    """Whether there is a line of settings in a text, so that it is no ordinary remark."""
    return _settings_line(_LINE_END.split(text))[0] is not None


def parse_infotext(text: str, models: Collection[str] | None = None) -> Infotext:
    """Read an infotext, in time linear in its length.

    models: names of those at hand; with None any name is taken over. A text without a line that has three settings is
    taken for a prompt, as the web UI does. Raises BadInput for more than a million characters.
    """
    if len(text) > MAX_CHARS:
        raise BadInput(f"The text has {len(text)} characters; at most {MAX_CHARS} are read as settings of a picture.")
    # Of ours, every character of the prompts counts; the others' lines may end in any way.
    lines, number, raw = text.rstrip("\r\n").split("\n"), None, dict[str, str]()
    if _OUR_VERSION in text:
        number, raw = _settings_line(lines, ours=True)
    infotext = Infotext(ours=f"Version: {raw.get('Version', '')}".startswith(_OUR_VERSION))
    if not infotext.ours:
        lines, number, raw = _one_by_one(text)
    prompt_lines = lines if number is None else lines[:number]
    _take_prompts(infotext, prompt_lines)
    take_settings(infotext, raw if infotext.ours else _renamed(raw), models, unsaid=True)
    if number is not None:
        _leave_extras(infotext, lines[number + 1 :])
    count_rest(infotext)
    return infotext


def count_rest(infotext: Infotext) -> None:
    """Count what is left out beyond MAX_LEFT_OUT, instead of naming it."""
    if (excess := len(infotext.left_out) - MAX_LEFT_OUT) > 0:
        infotext.left_out[MAX_LEFT_OUT:] = [LeftOut("More", str(excess), "further settings that are not taken over")]


def take_settings(
    infotext: Infotext,
    raw: Mapping[str, str],
    models: Collection[str] | None,
    *,
    unsaid: bool,
    spacings: Mapping[str, str] = SPACINGS,
) -> None:
    """Take settings over by the web UI's names, and name the rest.

    raw: values as they are written, quotes included.
    models: names of those at hand, None for any.
    unsaid: whether a schedule that is not said is the web UI's.
    spacings: another program's schedules -> ours.
    """
    settings = {name: _unquoted(value) for name, value in raw.items()}
    if infotext.ours:
        _take_our_own(infotext, settings, raw)
    else:
        _take_sampler(infotext, settings, spacings, unsaid=unsaid)
    _take_guidance(infotext, settings, raw)
    _take_numbers(infotext, settings)
    _take_model(infotext, settings, models)
    for name, value in settings.items():
        infotext.leave(name, value)


# -- lines ----------------------------------------------------------------------------------------------------------


def _one_by_one(text: str) -> tuple[list[str], int | None, dict[str, str]]:
    """The lines of a text without white space around them, with the number of that of the settings, and what it says.

    One that holds prompts and settings alike is taken apart.
    """
    lines = [line.strip() for line in _LINE_END.split(text.strip("\0\ufeff"))]
    while lines and not lines[-1]:
        del lines[-1]
    number, raw = _settings_line(lines)
    within = _STEPS_WITHIN.search(lines[number]) if number is not None else None
    if number is None or within is None or squashed(lines[number][:6]) == "steps":
        return lines, number, raw
    words, settings = lines[number][: within.start()], lines[number][within.start() + 1 :]
    if words.rstrip().endswith(",") and "Negative prompt:" not in words:
        return lines, number, raw  # a line of settings of which "Steps" is not the first
    prompt, *negative = re.split(r"\s(?=Negative prompt:)", words, maxsplit=1)
    apart = [*lines[:number], prompt.strip(), *negative]
    return [*apart, settings, *lines[number + 1 :]], len(apart), _pairs(_BLANK.sub(" ", settings))


def _settings_line(lines: list[str], *, ours: bool = False) -> tuple[int | None, dict[str, str]]:
    """Which line is that of the settings, and what it says: the last with three names we know, else the last line if it
    has three of any kind, which is the web UI's rule.

    ours: white space of any kind counts.
    """
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].count(":") >= _LEAST_NAMES:
            pairs = _pairs(lines[number] if ours else _BLANK.sub(" ", lines[number]))
            if sum(_canonical(name) is not None for name in pairs) >= _LEAST_NAMES:
                return number, pairs
    pairs = _pairs(lines[-1]) if lines else {}
    return (len(lines) - 1, pairs) if len(pairs) >= _LEAST_NAMES else (None, {})


def _pairs(line: str) -> dict[str, str]:
    """Settings of a line as they are written; the last of two with one name counts, as in the web UI. Words between
    them that are none are under _REST.
    """
    pairs: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(line):
        pair = _PAIR.match(line, at)
        if pair is not None:
            pairs[pair[1].strip()] = pair[2].strip()
            at = pair.end()
            continue
        comma = line.find(",", at)
        end = comma if comma >= 0 else len(line)
        if piece := line[at:end].strip():
            rest.append(piece)
        at = end + 1
    return pairs | ({_REST: ", ".join(rest)} if rest else {})


def _canonical(name: str) -> str | None:
    return _NAMES.get(" ".join(name.replace("_", " ").lower().split()))


def _renamed(raw: Mapping[str, str]) -> dict[str, str]:
    """Settings by the web UI's names, where another program has its own; of two of one meaning the first counts."""
    renamed: dict[str, str] = {}
    for name, value in raw.items():
        canonical = _canonical(name) or name
        renamed[name if canonical in renamed else canonical] = value
    return renamed


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    try:
        return str(json.loads(value, strict=False))
    except (ValueError, RecursionError):
        return value


def _short(text: str) -> str:
    return (text if len(text) <= 60 else text[:57] + "...").encode(errors="replace").decode()


# -- what they say --------------------------------------------------------------------------------------------------


def _take_prompts(infotext: Infotext, lines: list[str]) -> None:
    def begin(line: str) -> int | None:
        """Where the words of a negative prompt begin in the line that names it."""
        if infotext.ours:
            words = line.removeprefix(_OUR_NEGATIVE)
            return len(line) - len(words.removeprefix(" ")) if words != line else None
        label = _NEGATIVE.match(line)
        return label.end() if label else None

    at = next((number for number, line in enumerate(lines) if begin(line) is not None), len(lines))
    prompts = {"prompt": "\n".join(lines[:at])}
    if at < len(lines):
        prompts["negative_prompt"] = "\n".join([lines[at][begin(lines[at]) :], *lines[at + 1 :]])
    # Others keep no white space around a prompt.
    take_prompts(infotext, prompts if infotext.ours else {name: words.strip() for name, words in prompts.items()})


def take_prompts(infotext: Infotext, prompts: Mapping[str, str]) -> None:
    """Take prompts over by the recipe's names, and name what in them is a file of the other program."""
    for name, prompt in prompts.items():
        infotext.take({name: prompt}, prompt, name.replace("_", " ").capitalize())
        for tag in dict.fromkeys(_EXTRA_NETWORK.findall(prompt)):
            infotext.leave("Extra network", tag, f"stays in the {name.replace('_', ' ')}, as words")


def _leave_extras(infotext: Infotext, lines: list[str]) -> None:
    """Name what extensions write behind the settings: "Template: ...", in one line or more."""
    extras: list[tuple[str, list[str]]] = []
    for line in lines:
        extra = _EXTRA.match(line)
        if extra is not None:
            extras.append((extra[1].strip(), [extra[2]]))
        elif extras:
            extras[-1][1].append(line)
        elif line:
            extras.append((_REST, [line]))
    for name, words in extras:
        infotext.leave(name, " ".join(words).strip())


def _take_our_own(infotext: Infotext, settings: dict[str, str], raw: Mapping[str, str]) -> None:
    """What only our files say, and the spacing by the names they give it."""
    name = settings.pop("Sampler", "")
    sampler, _ = sampler_and_schedule(name)
    parameters = _parameters("Sampler ", settings, raw)
    if sampler is None:
        infotext.leave("Sampler", name, "there is no such sampler here")
    else:
        infotext.take({"sampler": sampler} | ({"sampler_params": parameters} if parameters else {}), name, "Sampler")
    schedule = settings.pop("Schedule type", "")
    if schedule and (spacing := spacing_of(schedule)):
        infotext.take({"spacing": spacing}, schedule, "Schedule type")
    elif schedule:
        infotext.leave("Schedule type", schedule, "there is no such spacing here")
    syntax = settings.pop("Prompt syntax", "")
    if syntax:
        infotext.take({"syntax": syntax}, syntax, "Prompt syntax")


def _take_sampler(infotext: Infotext, settings: dict[str, str], spacings: Mapping[str, str], *, unsaid: bool) -> None:
    name, schedule_type = settings.pop("Sampler", None), settings.pop("Schedule type", "").strip()
    sampler, schedule = sampler_and_schedule(name or "")
    if name is not None and sampler is None:
        infotext.leave("Sampler", name, "there is no such sampler here")
    elif sampler is not None and name is not None:
        infotext.take({"sampler": sampler}, name, "Sampler")
    automatic = squashed(schedule_type) in ("", "automatic")
    if not automatic:
        schedule = squashed(schedule_type)
    elif schedule is None and sampler is not None and (schedule_type or unsaid):
        schedule = (AUTOMATIC if schedule_type else UNSAID).get(sampler, "")
    elif schedule is None:
        schedule = "" if schedule_type else None  # whose sampler is not known
    if schedule is not None:
        _take_schedule(infotext, schedule, schedule_type or f"not said, for {name}", spacings)


def _take_schedule(infotext: Infotext, schedule: str, schedule_type: str, spacings: Mapping[str, str]) -> None:
    """schedule: squashed; "" for one that stands for the sampler's own, where that is none of ours."""
    if schedule in spacings:
        infotext.take({"spacing": spacings[schedule]}, schedule_type, "Schedule type")
    elif schedule in NEARLY:
        spacing, reason = NEARLY[schedule]
        infotext.take({"spacing": spacing}, schedule_type, "Schedule type")
        infotext.leave("Schedule type", schedule_type, reason)
    elif schedule:
        infotext.leave("Schedule type", schedule_type, "there is no such spacing here")
    else:
        infotext.leave("Schedule type", schedule_type, "what it stands for with this sampler is not known here")


def _take_guidance(infotext: Infotext, settings: dict[str, str], raw: Mapping[str, str]) -> None:
    """CFG scale, and what PNGs of ours say of other methods; the names of others' settings may mean other things."""
    params: dict[str, float | int | bool | str] = {}
    scale = settings.pop("CFG scale", None)
    if scale is not None and _DECIMAL.fullmatch(scale):
        params["guidance_scale"] = float(scale)
    elif scale is not None:
        infotext.leave("CFG scale", scale, "not a number")
    method = settings.pop("Guidance", "cfg") if infotext.ours else "cfg"
    if infotext.ours:
        params |= _parameters("Guidance ", settings, raw)
    if params or method != "cfg":
        infotext.take({"guidance": {"method": method, "params": params}}, method, "Guidance")


def _parameters(of: str, settings: dict[str, str], raw: Mapping[str, str]) -> dict[str, float | int | bool | str]:
    """Parameters of a method as our files have them: "Guidance norm threshold: 0.5"."""
    parameters: dict[str, float | int | bool | str] = {}
    for name in [name for name in settings if name.startswith(of)]:
        value = settings.pop(name)
        parameters[name.removeprefix(of).replace(" ", "_")] = value if raw[name].startswith('"') else _plain(value)
    return parameters


def _plain(text: str) -> float | int | bool | str:
    if text in ("True", "False"):
        return text == "True"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _take_numbers(infotext: Infotext, settings: dict[str, str]) -> None:
    for name, key in (("Steps", "steps"), ("Seed", "seed"), ("Variation seed", "variation_seed")):
        text = settings.pop(name, None)
        if text is not None and _WHOLE.fullmatch(text):
            infotext.take({key: int(text)}, text, name)
        elif text is not None:
            infotext.leave(name, text, "not a whole number")
    text = settings.pop("Variation seed strength", None)
    if text is not None and _DECIMAL.fullmatch(text):
        infotext.take({"variation_strength": float(text)}, text, "Variation seed strength")
    elif text is not None:
        infotext.leave("Variation seed strength", text, "not a number")
    text = settings.pop("Size", None)
    size = re.fullmatch(r"([0-9]{1,6})\s?[xX\u00d7]\s?([0-9]{1,6})", text or "")
    if size is not None:
        infotext.take({"width": int(size[1]), "height": int(size[2])}, size[0], "Size")
    elif text is not None:
        infotext.leave("Size", text, "not two whole numbers")


def _take_model(infotext: Infotext, settings: dict[str, str], models: Collection[str] | None) -> None:
    for name in _ABOUT_THE_PICTURE:
        settings.pop(name, None)
    model = settings.pop("Model", None)
    if model is None:
        return
    name = model if models is None else _at_hand(model, models)
    if name is not None:
        infotext.take({"model": name}, model, "Model")
    else:
        infotext.leave("Model", model, "there is no such model here")


def _at_hand(model: str, models: Collection[str]) -> str | None:
    """Which of the models is meant: by its name, else by that of its file, with or without folders and ending."""
    if model in models:
        return model
    return next((name for name in models if _file_name(name) == _file_name(model)), None)


def _file_name(model: str) -> str:
    name = re.split(r"[/\\]", model)[-1].lower()
    return next((name.removesuffix(end) for end in _MODEL_ENDINGS if name.endswith(end)), name)
