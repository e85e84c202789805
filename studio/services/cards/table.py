"""The figures of a card as a table: a light, the edit's figure with its interval, and what it stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.markup import tag, text

Line = Mapping[str, Any]
Row = Mapping[str, Any]
LIGHTS = {"good": ("●", "good"), "fair": ("◐", "to be looked at"), "poor": ("○", "bad")}
APART = {
    "ceiling": "From the ceiling",
    "base": "From the base",
    "floor": "Above the floor",
    "the edit": "From the edit",
}


def lines_table(lines: Sequence[Line]) -> str:
    """All lines of a section; one sentence where none of them was measured."""
    if lines and not any(line["edit"]["n"] for line in lines):
        return "".join(tag("p", _unmeasured(why, lines)) for why in dict.fromkeys(map(why_not, lines)))
    names = dict.fromkeys(line["beside_is"] for line in lines if line["beside_is"])
    beside = " / ".join(name.capitalize() for name in names) or "Beside"
    is_share = any(line["apart"] and line["apart"].get("unit") == "ratio" for line in lines)
    apart = "Of the base" if is_share else next((APART[name] for name in names if name in APART), "Apart")
    titles = ("", "Measured", beside, apart, "n")
    head = tag("tr", "".join(tag("th", text(title), scope="col") for title in titles))
    return tag("table", tag("thead", head) + tag("tbody", "".join(map(_line, lines))), class_="figures")


def _unmeasured(why: str, lines: Sequence[Line]) -> str:
    names = ", ".join(line["name"] for line in lines if why_not(line) == why)
    return text(f"{names[:1].upper()}{names[1:]}: {why[:1].lower()}{why[1:]}")


def why_not(line: Line) -> str:
    """Why a line was not measured, a sentence."""
    return line["edit"].get("why") or "Not measured."


def _line(line: Line) -> str:
    name = (
        _light(line) + tag("span", text(line["name"]), class_="name") + tag("span", text(line["about"]), class_="about")
    )
    label = tag("th", name, scope="row", class_=line["light"] or None)
    row = line["edit"]
    if not row["n"]:
        return tag("tr", label + tag("td", text(why_not(line)), colspan=4, class_="why"))
    cells = [
        tag("td", _bar(line) + figure(row), class_="value"),
        tag("td", _or_none(line["beside"]), class_="value"),
        tag("td", _or_none(line["apart"], True, row["hits"] is not None), class_="value"),
        tag("td", str(row["n"]), class_="number"),
    ]
    return tag("tr", label + "".join(cells))


def _light(line: Line) -> str:
    if line["light"] not in LIGHTS:
        return tag("span", "", class_="light")
    mark, word = LIGHTS[line["light"]]
    return tag("span", mark, class_=f"light {line['light']}", role="img", aria_label=word, title=line["goal"])


def _or_none(row: Row | None, signed: bool = False, of_shares: bool = False) -> str:
    if row is None:
        return ""
    return figure(row, signed, of_shares) if row["n"] else tag("span", text(row.get("why") or ""), class_="why")


def figure(row: Row, signed: bool = False, of_shares: bool = False) -> str:
    """A number and its interval: shares in percent, differences of shares in points, all else as it is."""
    value, low, high = row["value"], row["low"], row["high"]
    kind = row.get("unit")
    if row["hits"] is not None or (kind == "ratio"):
        number, ends = f"{100 * value:.0f} %", f"{100 * low:.0f} to {100 * high:.0f}"
    elif of_shares:
        number, ends = f"{100 * value:+.0f} pts", f"{100 * low:+.0f} to {100 * high:+.0f}"
    else:
        number, ends = f"{value:{'+' if signed else ''}.3g}", f"{low:.3g} to {high:.3g}"
    return tag("span", text(number), class_="figure") + tag("span", text(ends), class_="interval")


def _bar(line: Line) -> str:
    """Where a share and its interval lie between none and all, and what it stands beside."""
    row, beside = line["edit"], line["beside"]
    if row["hits"] is None:
        return ""
    low, high, at = (100 * row[name] for name in ("low", "high", "value"))
    marks = f'<rect class="range" x="{low:.1f}" y="5" width="{max(high - low, 0.8):.1f}" height="4"/>'
    if beside is not None and beside["n"]:
        marks += f'<rect class="tick" x="{min(100 * beside["value"], 99.2):.1f}" y="1" width="0.8" height="12"/>'
    marks += f'<circle class="dot" cx="{at:.1f}" cy="7" r="3"/>'
    axis = '<rect class="axis" x="0" y="6.6" width="100" height="0.8"/>'
    return f'<svg class="bar" viewBox="-3 0 106 14" width="106" height="14" aria-hidden="true">{axis}{marks}</svg>'
