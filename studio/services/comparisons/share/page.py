"""What a report shows: pictures under their recipes, numbers with their intervals and n, and how to draw it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.markup import image, png_uri, tag, text
from studio.services.comparisons.share.contents import Contents, Report

DASH = "–"
_MACHINE = {
    "device": "device",
    "dtype": "number format",
    "threads": "threads",
    "torch": "torch",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "cpu": "instruction set",
    "model_hash": "weights",
}


def body(report: Report) -> str:
    """The page within its body. Every text of a user, a file or a program is escaped."""
    contents = report.contents
    parts = (_head(contents), _pictures(report), _numbers(contents), _recipes(contents), _made(contents))
    return tag("main", tag("p", "Palimpsest", class_="maker") + "".join(parts))


def _head(contents: Contents) -> str:
    comparison, facts = contents.comparison, contents.facts
    rows, columns, pictures = len(comparison.rows), len(comparison.columns), len(contents.drawn())
    reference = _name(contents, comparison.reference)
    about = f"{rows} recipes by {columns} columns, {pictures} pictures. The reference is {reference}."
    if comparison.equal_nfe:
        about += " Every row was drawn with as many steps as cost no more network evaluations than the reference."
    remarks = "".join(tag("p", text(remark), class_="note") for remark in _list(facts.get("remarks")))
    return tag(
        "header", tag("h1", text(comparison.name or "A comparison")) + tag("p", text(about), class_="about") + remarks
    )


def _pictures(report: Report) -> str:
    contents = report.contents
    heads = "".join(tag("th", text(column.label), scope="col") for column in contents.comparison.columns)
    head = tag("thead", tag("tr", tag("th", "Recipe", scope="col") + heads))
    rows = "".join(
        tag("tr", _row_head(contents, place) + "".join(tag("td", _cell(report, place, k)) for k in range(len(row))))
        for place, row in enumerate(contents.cells)
    )
    table = tag("table", head + tag("tbody", rows), class_="pictures")
    about = "Beneath each picture: what its prompt asks for that it does not show, and what it cost."
    return _section("Pictures", about, tag("div", table, class_="scroll", tabindex="0"))


def _row_head(contents: Contents, place: int) -> str:
    facts = _row_facts(contents, place)
    listed = "".join(tag("li", text(sentence)) for sentence in _list(facts.get("differences")))
    reference = tag("span", "the reference", class_="note") if place == contents.comparison.reference else ""
    source = contents.comparison.rows[place].source
    about = tag("span", text(f"from {source}"), class_="note") if source else ""
    remark = tag("p", text(facts["remark"]), class_="remark") if facts.get("remark") else ""
    inner = tag("span", text(_name(contents, place)), class_="name") + reference + about
    return tag("th", inner + (tag("ul", listed) if listed else "") + remark, scope="row")


def _cell(report: Report, row: int, column: int) -> str:
    contents = report.contents
    cell = contents.cells[row][column]
    facts = _cell_facts(contents, row, column)
    if cell is None:
        return tag("span", text(facts.get("refusal") or "not drawn"), class_="blank")
    recipe = contents.batches[cell.batch].recipes[cell.place]
    alt = f"{_name(contents, row)}: {recipe.prompt or 'no prompt'}, seed {recipe.seed}"
    picture = image(png_uri(report.pictures[cell.image]), alt, data_image=cell.image)
    return tag("figure", picture + tag("figcaption", _caption(facts)))


def _caption(facts: Mapping[str, Any]) -> str:
    values = _dict(facts.get("values"))
    parts: list[str] = []
    stated, missed = _list(facts.get("asked")), _list(facts.get("missed"))
    if stated:
        score = f"{len(stated) - len(missed)} of {len(stated)} words shown"
        parts.append(
            text(score)
            + (tag("span", text(f"; missed: {', '.join(map(str, missed))}"), class_="missed") if missed else "")
        )
    if values.get("broken"):
        parts.append(tag("span", "read as broken", class_="missed"))
    if "score" in values:
        parts.append(f"CLIP score {_number(values['score'])}")
    if "nfe" in values:
        seconds = f", {_number(values['seconds'])} s" if "seconds" in values else ""
        parts.append(f"{_number(values['nfe'])} NFE{seconds}")
    if _dict(facts.get("unfinished")):
        parts.append("drawn with an edit still in training")
    return "<br>".join(parts)


def _numbers(contents: Contents) -> str:
    facts = contents.facts
    measures = [_dict(measure) for measure in _list(facts.get("measures"))]
    if not measures:
        return ""
    heads = ["Recipe", "Pictures", *(str(measure.get("label")) for measure in measures), "Diversity", "Vendi"]
    head = tag("thead", tag("tr", "".join(tag("th", text(label), scope="col") for label in heads)))
    lines = "".join(_line(contents, place, measures) for place in range(len(contents.comparison.rows)))
    table = tag("table", head + tag("tbody", lines), class_="numbers")
    unit = str(facts.get("unit", "columns"))
    about = (
        f"Means over {unit}, with the 95 % interval (bootstrap, or Wilson's of shares) and n, the number of {unit}. In "
        "the second line what differs from the reference, paired; bold where the exact sign-flip test tells the two "
        "apart at 5 %, corrected for the number of rows (Holm). No interval stands beside an n below 3."
    )
    legend = "".join(
        tag("li", text(f"{measure.get('label')}: {measure.get('about')}"))
        for measure in measures
        if measure.get("about")
    )
    return _section(
        "Numbers", about, tag("div", table, class_="scroll", tabindex="0") + tag("ul", legend, class_="note")
    )


def _line(contents: Contents, place: int, measures: Sequence[Mapping[str, Any]]) -> str:
    facts = _row_facts(contents, place)
    cells = [tag("th", text(_name(contents, place)), scope="row"), tag("td", text(facts.get("pictures", 0)))]
    estimates, contrasts = _dict(facts.get("estimates")), _dict(facts.get("contrasts"))
    for measure in measures:
        name = str(measure.get("name"))
        inner = _estimate(_dict(estimates.get(name)))
        if contrast := _dict(contrasts.get(name)):
            inner += "<br>" + _contrast(contrast)
        cells.append(tag("td", inner))
    cells += [tag("td", _estimate(_dict(facts.get(name)))) for name in ("diversity", "vendi")]
    return tag("tr", "".join(cells))


def _estimate(values: Mapping[str, Any]) -> str:
    if not values:
        return DASH
    return f"{_number(values.get('mean'))}{_interval(values)}, n = {text(values.get('n'))}"


def _contrast(values: Mapping[str, Any]) -> str:
    difference = f"{_number(values.get('mean'), signed=True)}{_interval(values)}, n = {text(values.get('n'))}"
    is_told = bool(values.get("is_told"))
    needed = values.get("more")
    may_tell = isinstance(needed, int) and needed > 0
    ending = "" if is_told else f"; {text(needed)} more may tell" if may_tell else "; not told apart"
    return tag("span", difference + ending, class_="told" if is_told else "note")


def _interval(values: Mapping[str, Any]) -> str:
    low, high = values.get("low"), values.get("high")
    return "" if low is None or high is None else f" ({_number(low)} to {_number(high)})"


def _recipes(contents: Contents) -> str:
    parts: list[str] = []
    for place, row in enumerate(contents.comparison.rows):
        plain = json.dumps(row.recipe.model_dump(mode="json"), indent=1, ensure_ascii=False)
        parts.append(tag("details", tag("summary", text(_name(contents, place))) + tag("pre", text(plain))))
    return _section("Recipes", "All that makes the pictures of each row, but for what the columns say.", "".join(parts))


def _made(contents: Contents) -> str:
    lines: list[str] = []
    for edit in contents.edits:
        where = "in this file" if edit.data else "not in this file, for it is too large"
        lines.append(f"Edit {edit.id} ({edit.nbytes / 1e6:.1f} MB, {edit.sha256[:16]}): {where}.")
    for values in contents.made_by:
        machine = [f"{word} {str(values[key])[:40]}" for key, word in _MACHINE.items() if values.get(key) is not None]
        lines.append(f"Drawn with {', '.join(machine)}." if machine else "Nothing says what drew the pictures.")
    listed = tag("ul", "".join(tag("li", text(line)) for line in dict.fromkeys(lines)))
    how = tag(
        "p",
        "Save this file and run "
        + tag("code", "python3 launch.py compare --replay FILE")
        + " to draw every picture again and compare the pixels: on the same machine, with the same versions, they are "
        "the same to the bit. On the Compare tab the file restores the comparison.",
        class_="about",
    )
    written = tag("p", text(f"Written by {contents.program}, {contents.made_at[:10]}."), class_="about")
    return _section("How it was made", "", listed + how + written)


def _section(title: str, about: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + (tag("p", text(about), class_="about") if about else "") + inner)


def _name(contents: Contents, place: int) -> str:
    name = _row_facts(contents, place).get("name")
    return (
        str(name or contents.comparison.rows[place].name or f"row {place + 1}") if contents.comparison.rows else "none"
    )


def _row_facts(contents: Contents, place: int) -> Mapping[str, Any]:
    rows = _list(contents.facts.get("rows"))
    return _dict(rows[place]) if place < len(rows) else {}


def _cell_facts(contents: Contents, row: int, column: int) -> Mapping[str, Any]:
    rows = _list(contents.facts.get("cells"))
    cells = _list(rows[row]) if row < len(rows) else []
    return _dict(cells[column]) if column < len(cells) else {}


def _number(value: Any, signed: bool = False) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH
    return f"{round(value, 4):{'+' if signed else ''}.3g}"  # no interval here carries a fifth decimal


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
