"""Why a picture is as it is: its rule as a formula, what it did at each step, and what the model had in mind there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studio.core.errors import NotFound, StudioError
from studio.services import account
from studio.services.account import Account
from studio.ui.components.canvas import Drawn
from studio.ui.errors import sentence
from studio.ui.guidance.plots import Panel, Series, plots
from studio.ui.markup import alert, image, png_uri, tag, text

if TYPE_CHECKING:
    from studio.services.generate import Studio

FIRST_CURVES = ("gap", "w_eff", "par_frac", "norm_ratio", "rel_update", "cos_cu")
MAX_PANELS = 12


def panels(studio: Studio, id: int, others: tuple[int, ...] = ()) -> list[Panel]:
    """The curves of a picture; those of others faintly behind. Raises NotFound without an account."""
    told = account.of(studio, id)
    read = [_account(studio, other) for other in others if other != id]
    behind = [one for one in read if one is not None]
    steps = tuple(float(step + 1) for step in range(max([told.steps, *(one.steps for one in behind)])))
    names = [curve.name for curve in told.curves]
    wanted = [name for name in FIRST_CURVES if name in names] + [name for name in names if name not in FIRST_CURVES]
    curves = {curve.name: curve for curve in told.curves}
    found: list[Panel] = []
    for name in wanted[:MAX_PANELS]:
        curve = curves[name]
        faint = [Series(other.values, faint=True) for one in behind for other in one.curves if other.name == name]
        unit = f" ({curve.unit})" if curve.unit else ""
        found.append(Panel(curve.label + unit, steps, (*faint, Series(curve.values)), curve.plot, "step"))
    return found


def why_html(studio: Studio, id: int, drawn: Mapping[tuple[int, str], Drawn]) -> str:
    """The panel of a picture, without its thumbnails. "" for none."""
    if not id:
        return ""
    try:
        found = studio.generation(id)
        told = account.of(studio, id)
        seed = str(found.recipe.seed)
        others = tuple(picture.id for (_, of), picture in drawn.items() if of == seed)
        curves = panels(studio, id, others)
    except StudioError as error:
        return alert(sentence(error))
    recipe = found.recipe
    head = tag("h2", "Why this picture") + tag("p", text(told.describe), class_="formula")
    facts = f"{recipe.steps} steps · {told.nfe} NFE · seed {recipe.seed} · {_colours(studio, id)}"
    files = "".join(
        tag("a", label, href=f"/accounts/{id}.{kind}", download=f"palimpsest-{id:05d}-steps.{kind}", class_="action")
        for kind, label in (("csv", "Numbers (CSV)"), ("png", "Curves (PNG)"))
    )
    hint = tag("p", "In red this picture; faintly behind, the other rows of the same seed.", class_="hint")
    plot = plots(curves) if curves else tag(
        "p", "Guidance did nothing here that could be measured: only the conditional prediction was asked for.",
        class_="hint",
    )  # fmt: skip
    top = tag("div", tag("div", head + tag("p", text(facts), class_="hint")) + tag("div", files, class_="actions"))
    return tag("section", top + (hint if len(others) > 1 else "") + plot, class_="why")


def strip_html(studio: Studio, id: int) -> str:
    """What the model had in mind at some of the steps, decoded now."""
    if not id:
        return ""
    try:
        png, steps = account.strip(studio, id)
    except StudioError as error:
        return alert(sentence(error))
    labels = "".join(tag("span", text(f"step {step}")) for step in steps)
    shown = image(png_uri(png), f"Guided predictions at steps {', '.join(map(str, steps))}")
    title = tag("p", "What it had in mind along the way", class_="strip-title")
    return tag(
        "div", title + shown + tag("div", labels, class_="labels", style=f"--count:{len(steps)}"), class_="strip"
    )


def _account(studio: Studio, id: int) -> Account | None:
    try:
        return account.of(studio, id)
    except NotFound:
        return None


def _colours(studio: Studio, id: int) -> str:
    colours = account.colours(studio, id)
    return " · ".join(f"{name} {value:.3f}" for name, value in colours.items())
