"""How a picture came about: what guidance did at each of its steps, read from the account kept beside it."""

from __future__ import annotations

import csv
import functools
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from studio.core.errors import EngineError, NotFound
from studio.services.colours import colours_at

if TYPE_CHECKING:
    from studio.services.studio import Studio

FRAMES = 8  # of a strip, unless asked otherwise
WAIT_S = 60.0


@dataclass(frozen=True)
class Curve:
    """One number over the steps.

    values: NaN where a step does not tell.
    plot: line, bar or heat.
    """

    name: str
    label: str
    unit: str
    plot: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Account:
    """What is known of each step, in order.

    sigma: noise level s/a.
    t: time fed.
    rows: of network work until then.
    describe: the guidance as a formula with its numbers.
    seconds: from the beginning of its batch to its end.
    """

    describe: str
    model: str
    seconds: float
    sigma: tuple[float, ...]
    t: tuple[float, ...]
    rows: tuple[int, ...]
    curves: tuple[Curve, ...]

    @property
    def steps(self) -> int:
        return len(self.rows)

    @property
    def nfe(self) -> int:
        """Rows of network work of the whole picture, as counted where they were asked for."""
        return self.rows[-1] if self.rows else 0


def of(studio: Studio, generation: int) -> Account:
    """Read the account of a picture. Raises NotFound if there is none, or no such picture."""
    return _read(str(_path(studio, generation)))


def to_csv(account: Account) -> str:
    """A line per step, a column per curve; empty where a step does not tell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "sigma", "t", "rows", *(curve.name for curve in account.curves)])
    for i in range(account.steps):
        numbers = [curve.values[i] for curve in account.curves]
        cells = ["" if number != number else f"{number:.6g}" for number in numbers]
        writer.writerow([i + 1, f"{account.sigma[i]:.6g}", f"{account.t[i]:.6g}", account.rows[i], *cells])
    return text.getvalue()


def strip(studio: Studio, generation: int, count: int = FRAMES) -> tuple[bytes, tuple[int, ...]]:
    """Decode what the model had in mind along the way: a PNG of `count` frames side by side, and their steps, from 1.

    Raises NotFound as `of`, EngineError if the engine cannot.
    """
    account = of(studio, generation)
    chosen = sorted({round(k * (account.steps - 1) / max(1, count - 1)) for k in range(count)})
    payload = {
        "kind": "frames",
        "model": account.model,
        "account": str(_path(studio, generation)),
        "places": chosen,
        "what": f"Steps of picture {generation}",
    }
    job, since = studio.jobs.submit(payload, "interactive"), 0
    while True:
        events = studio.jobs.events(job, since, wait_s=WAIT_S)
        if not events:
            studio.jobs.stop(job)
            raise EngineError("The engine is busy; the steps could not be decoded in a minute.", "Try again later.")
        for event in events:
            since = event.seq
            if event.kind == "done":
                return event.data["png"], tuple(place + 1 for place in chosen)
            if event.final:
                raise EngineError(str(event.data.get("error", "The steps were not decoded.")))


def colours(studio: Studio, generation: int) -> dict[str, float]:
    """Saturation, brightness, contrast and clipped share of a picture, 0..1 each. Raises NotFound."""
    return colours_at(studio.history.get(generation).image_path)


def _path(studio: Studio, generation: int) -> Path:
    picture = studio.history.get(generation)
    path = studio.archive.images.account_path(picture.sha256)
    if not path.is_file():
        raise NotFound(f"Picture {generation} has no account of its steps.", "Draw it on the Guidance tab.")
    return path


@functools.lru_cache(maxsize=64)
def _read(path: str) -> Account:
    try:
        # Opened here, for numpy leaves it open where it is no archive.
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            about: dict[str, Any] = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in file.files if name not in ("about", "x0")}
        return _account(about, arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile):
        raise NotFound("The account of this picture cannot be read.", "Draw it again.") from None


def _account(about: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Account:
    quantities: dict[str, dict[str, str]] = about["quantities"]
    curves: list[Curve] = []
    for name, values in arrays.items():
        if name.startswith("diag/"):
            plain = name.removeprefix("diag/")
            quantity = quantities.get(plain, {"label": plain, "unit": "", "plot": "line"})
            curves.append(Curve(plain, quantity["label"], quantity["unit"], quantity["plot"], _floats(values)))
    rows = tuple(int(count) for count in arrays["rows"])
    seconds = float(about["seconds"])
    return Account(
        about["describe"], about["model"], seconds, _floats(arrays["sigma"]), _floats(arrays["t"]), rows, tuple(curves)
    )


def _floats(values: npt.NDArray[Any] | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
