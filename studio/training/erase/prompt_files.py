"""Prompt files of LECO, of the sliders repository, of sd-scripts and of ai-toolkit, as what a slider is asked with.

    - {target: van gogh, positive: van gogh, action: erase}              LECO, sliders: a YAML list of rows
    prompts_file: prompts.yaml                                           their config, which names it
    [[prompts]] / [[targets]]                                            sd-scripts: TOML of such rows, or of classes
    config: {process: [{slider: {targets: [...]}}]}                      ai-toolkit: a job, or its slider alone

What is taken besides rows: rank, alpha, steps, learning rate, layers, steps of a way, the name, and of ai-toolkit its
anchors, as prompts that stay. YAML and JSON are read as data alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.core.errors import BadInput
from studio.training.erase.prompt_rows import (
    CLASS_ROW,
    LINES,
    ROW,
    UNUSED,
    Lesson,
    lessons_of,
    number_of,
    slider_of,
)

MAX_BYTES = 1_000_000
MAX_ROWS = 2_000
_LAYERS = {"full": "all", "noxattn": "noxattn", "xattn": "xattn", "xattn-strict": "xattn_kv"}
# (where a config has it, its name in a SliderPlan); of LECO and the sliders repository, then of ai-toolkit.
_NUMBERS = (
    ("network.rank", "rank"),
    ("network.alpha", "alpha"),
    ("train.iterations", "steps"),
    ("network.linear", "rank"),
    ("network.linear_alpha", "alpha"),
    ("train.steps", "steps"),
    ("train.lr", "lr"),
    ("train.max_denoising_steps", "way_steps"),
)
_WHOLE = ("rank", "steps", "way_steps")
_TOLD = ("network.type", "train.optimizer", "train.lr_scheduler", "train.noise_scheduler", "train.noise_offset")


@dataclass(frozen=True)
class PromptFile:
    """A file of prompts, read.

    values: plain values of a SliderPlan, as far as the file says them.
    unused: what it says besides that has no effect here, by the file's own names.
    """

    values: dict[str, Any]
    unused: tuple[str, ...]


def read_prompt_file(path: Path) -> PromptFile:
    """Read one. Raises BadInput, a sentence, for a file that is none, and for what no slider can be taught."""
    data = _parsed(path)
    settings: Mapping[str, Any] = {}
    if isinstance(data, Mapping) and isinstance(data.get("prompts_file"), str):
        settings, (path, data) = data, _named_file(path, data["prompts_file"])
    elif isinstance(data, Mapping) and isinstance(data.get("config"), Mapping):
        settings, data = _job(path, data["config"])
    rows = _rows(path, data)
    if len(rows) > MAX_ROWS:
        raise BadInput(f"{path.name} has {len(rows)} rows, and a slider at most {MAX_ROWS}.")
    lessons: list[Lesson] = []
    unused: dict[str, None] = {}
    for number, row in enumerate(rows, 1):
        lessons += lessons_of(row, f"Row {number} of {path.name}")
        unused |= dict.fromkeys(name for name in row if name in UNUSED)
    unused |= dict.fromkeys(name for name in _TOLD if _at(settings, name) is not None)
    return PromptFile({**slider_of(lessons), **_settings(settings, data)}, tuple(unused))


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path.name} is too large for a file of prompts.", field="prompts_file")
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="prompts_file") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is no text.", field="prompts_file") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path.name} is no TOML: {str(error).rstrip('.')}.", field="prompts_file") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise BadInput(f"{path.name} is no YAML: {problem}{line}.", field="prompts_file") from None


def _named_file(config: Path, name: str) -> tuple[Path, Any]:
    """The prompts a config names; by its own folder, or as from where its program is run."""
    places = [config.parent / name, config.parent.parent / name, config.parent / Path(name).name, Path(name)]
    for place in places:
        if place.is_file():
            return place, _parsed(place)
    raise BadInput(f"{config.name} names {name[:200]!r}, which is not there.", field="prompts_file")


def _job(path: Path, config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Any]:
    """ai-toolkit's settings and its slider."""
    processes = config.get("process")
    for process in processes if isinstance(processes, Sequence) else ():
        if isinstance(process, Mapping) and isinstance(process.get("slider"), Mapping):
            return {**process, "save": {"name": config.get("name")}}, process["slider"]
    raise BadInput(f"{path.name} is a job without a slider.", field="prompts_file")


def _rows(path: Path, data: Any) -> list[Mapping[str, Any]]:
    """Every row with what the file says for all of them. Raises BadInput where there are none."""
    shared: Mapping[str, Any] = {}
    if isinstance(data, Mapping):
        data = data.get("slider", data)
    if isinstance(data, Mapping):
        is_row = "target" in data or "target_class" in data
        shared, data = data, [data] if is_row else data.get("prompts") or data.get("targets")
    if not isinstance(data, list) or not data:
        raise BadInput(
            f"{path.name} holds no prompts.", "It should have rows with a target, or targets.", field="prompts_file"
        )
    rows: list[Mapping[str, Any]] = []
    for number, row in enumerate(data, 1):
        if not isinstance(row, Mapping):
            raise BadInput(f"Row {number} of {path.name} is no row of names and values.", field="prompts_file")
        known = CLASS_ROW if "target_class" in row else ROW
        rows += _by_neutral(path, {**{name: shared[name] for name in shared if name in known | LINES}, **row})
    return rows


def _by_neutral(path: Path, row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The row once for each of its neutral prompts."""
    rest = {name: value for name, value in row.items() if name not in LINES}
    neutrals = list(row["neutrals"]) if isinstance(row.get("neutrals"), list) else []
    for name in ("neutral_prompt_file", "prompt_file"):
        if isinstance(row.get(name), str):
            try:
                lines = (path.parent / row[name]).read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError):
                raise BadInput(f"{path.name} names {row[name][:200]!r}, which cannot be read.") from None
            neutrals += [line.strip() for line in lines if line.strip()]
    yield from ({**rest, "neutral": neutral} for neutral in neutrals) if neutrals else (rest,)


def _settings(settings: Mapping[str, Any], data: Any) -> dict[str, Any]:
    training: dict[str, Any] = {}
    for place, name in _NUMBERS:
        if (value := _at(settings, place)) is not None:
            number = number_of(value, f"The setting {place}")
            training[name] = int(number) if name in _WHOLE and number.is_integer() else number
    method = _at(settings, "network.training_method")
    if method is not None:
        if method not in _LAYERS:
            raise BadInput(f"The training_method {str(method)[:60]!r} is none of {', '.join(_LAYERS)}.")
        training["layers"] = _LAYERS[method]
    values: dict[str, Any] = {"training": training} if training else {}
    if "alpha" in training:
        values["alpha"] = training.pop("alpha")
    name = _at(settings, "save.name")
    anchors = data.get("anchors") if isinstance(data, Mapping) else None
    texts = [anchor.get("prompt") for anchor in anchors or () if isinstance(anchor, Mapping)]
    preserves = [text for text in texts if isinstance(text, str)]
    return (
        values
        | ({"name": name[:80]} if isinstance(name, str) and name else {})
        | ({"preserves": preserves} if preserves else {})
    )


def _at(settings: Mapping[str, Any], place: str) -> Any:
    value: Any = settings
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
