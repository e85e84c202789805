"""Guidance methods, samplers and grids as the page needs them, without bringing torch into the page's start.

They are classes full of torch, which takes seconds to import; the page wants only what they declare. So a second
interpreter reads the declarations while this one imports Gradio, and writes them as JSON: `start` as early as possible,
`declarations` where they are needed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import ParamSpec, shown, specs

_reader: list[subprocess.Popen[bytes]] = []
_LABELS = {"cfg": "Classifier-free (CFG)", "apg": "Adaptive projected (APG)"}
_SAMPLER_LABELS = {"dpmpp_2m": "DPM++ 2M", "ddim": "DDIM"}


@dataclass(frozen=True)
class Method:
    """What one declares.

    label: for menus.
    params: in the order to show them.
    source: where it comes from.
    asks: of guidance, what it asks of a model as it comes, in the words of `Asks.words`.
    defect: why it is not offered, "" where it is.
    """

    label: str
    params: tuple[ParamSpec, ...] = ()
    source: str = ""
    asks: tuple[str, ...] = ()
    defect: str = ""


@dataclass(frozen=True)
class Declarations:
    """Everything the registries hold, by name.

    guidance: methods of guidance.
    samplers: ways from noise to picture.
    grids: ways of spacing the noise levels that the models at hand can take, without parameters here.
    wrappers: what can be put around a guidance method.
    defective: guiders of diffusers that do not do what their name says, and that no recipe may name.
    """

    guidance: dict[str, Method]
    samplers: dict[str, Method]
    grids: dict[str, Method]
    wrappers: dict[str, Method]
    defective: dict[str, Method]


def start() -> None:
    """Begin to read. Without it, `declarations` reads in this process."""
    if not _reader:
        # -P: a folder named studio where the user happens to stand must not be taken for ours. The path is handed on
        # so that the interpreter finds the package as this one did.
        program = f"import sys; sys.path[:] = {sys.path!r}; from studio.ui.methods import main; main()"
        with contextlib.suppress(OSError):
            _reader.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            )


@functools.cache
def declarations() -> Declarations:
    """All of it, read once."""
    if _reader:
        written, _ = _reader.pop().communicate()
        with contextlib.suppress(ValueError, TypeError, KeyError):  # it failed: read them here, and fail here if so
            return from_json(written)
    return declared()


def sampler_label(name: str) -> str:
    """What a sampler is called on the page; its name in the registry where it is not known here."""
    method = declarations().samplers.get(name)
    return method.label if method else name


def short_label(label: str) -> str:
    """ "Adaptive projected (APG)" -> "APG"; a label without such letters stays whole."""
    return label[label.index("(") + 1 : -1] if label.endswith(")") and "(" in label else label


def defaults(method: str) -> dict[str, Any]:
    """The guidance of a method as it comes, as a recipe writes it. Raises BadInput for one that is not there."""
    entry = known(declarations().guidance, method, "guidance method")
    return {"method": method, "params": {spec.name: spec.default for spec in entry.params}}


def known(entries: Mapping[str, Method], name: str, noun: str) -> Method:
    """The entry of a name. noun: what an entry is called in the message. Raises BadInput."""
    if name not in entries:
        raise BadInput(f"There is no {noun} named {shown(name)}; there are {', '.join(entries)}.")
    return entries[name]


def declared() -> Declarations:
    """The same as `declarations`, from the classes themselves. Imports torch."""
    from studio.diffusion.grid import GRIDS
    from studio.diffusion.schedule import NoiseSchedule
    from studio.diffusion.solvers import SOLVERS
    from studio.guidance import GUIDANCE, asks_of
    from studio.guidance.diffusers_guiders import DISABLED
    from studio.guidance.wrapper import WRAPPERS

    return Declarations(
        {name: _method(name, entry, _LABELS, asks_of(entry()).words()) for name, entry in GUIDANCE.items()},
        {name: _method(name, entry, _SAMPLER_LABELS) for name, entry in SOLVERS.items()},
        # Those of flow models are left out: no family of the studio is one.
        {name: Method(_title(name)) for name, grid in GRIDS.items() if grid.schedule_type is NoiseSchedule},
        {name: _method(name, entry, {}) for name, entry in WRAPPERS.items()},
        {name: Method(_of_diffusers(name), defect=reason) for name, reason in DISABLED.items()},
    )


def _title(name: str) -> str:
    return name.replace("_dpm", " (as DPM-Solver)").replace("_", " ").capitalize()


def _of_diffusers(name: str) -> str:
    """ "diffusers_pag" -> "diffusers: PAG"; words stay words."""
    short = name.removeprefix("diffusers_")
    return f"diffusers: {short.upper() if len(short) <= 3 else short.replace('_', ' ')}"


def _method(name: str, entry: Any, labels: Mapping[str, str], asks: tuple[str, ...] = ()) -> Method:
    label = labels.get(name) or getattr(entry, "label", None) or name.replace("_", " ")
    return Method(str(label), specs(entry), str(getattr(entry, "source", "")), asks)


def to_json(declarations: Declarations) -> str:
    """What `from_json` reads."""
    return json.dumps(asdict(declarations))


def from_json(written: bytes | str) -> Declarations:
    """Raises ValueError, TypeError or KeyError if it is not what `to_json` gives."""
    read: dict[str, dict[str, dict[str, Any]]] = json.loads(written)
    return Declarations(
        **{kind: {name: _read(values) for name, values in entries.items()} for kind, entries in read.items()}
    )


def _read(values: dict[str, Any]) -> Method:
    params = tuple(_spec(spec) for spec in values["params"])
    return Method(values["label"], params, values["source"], tuple(values["asks"]), values["defect"])


def _spec(values: dict[str, Any]) -> ParamSpec:
    choices = values["choices"]
    when = tuple((name, tuple(values_for)) for name, values_for in values["when"])
    return ParamSpec(**{**values, "choices": None if choices is None else tuple(choices), "when": when})


def main() -> None:
    """Write the declarations to where whoever started this interpreter reads them."""
    sys.stdout.write(to_json(declared()))
