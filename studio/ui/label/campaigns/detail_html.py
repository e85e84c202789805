"""What the answers of a campaign say: how sound they are, what was preferred, what was learned, what was marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.services.labels.making import differing, settings_of
from studio.services.labels.standings import Standing, standings
from studio.services.labels.statistics import statistics
from studio.ui.errors import sentence
from studio.ui.label.campaigns.pieces import button, pictured_label
from studio.ui.label.campaigns.taste_html import taste_html
from studio.ui.markup import attributes, tag, text

if TYPE_CHECKING:
    from studio.preference.label import Label
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign

MARKED = 24  # labels that are listed
MOST_PAIRS = 6  # of annotators, whose kappa is told
_RETIRES = "Whoever has not answered it yet is not asked. Its answers stay."


def detail_html(studio: Studio, campaign: Campaign, scores: bool) -> str:
    """All of it. scores: whether published scorers are looked at, which takes seconds the first time."""
    parts = [
        sound_html(statistics(studio.archive.labels, campaign)),
        standings_html(studio, standings(studio.labels.labels([campaign.id]))),
        taste_html(studio, campaign),
        _scores(studio, campaign, scores),
        _marked(studio, campaign),
        _snapshot(studio, campaign),
    ]
    return tag("div", "".join(parts), class_="detail")


def sound_html(values: Mapping[str, Any]) -> str:
    """Agreement and what stands out of each annotator. values: as `services.labels.statistics` gives them."""
    agreement = values["agreement"]
    if agreement["value"] is not None:
        over = f"over {agreement['n']} items that several answered"
        words = f"Agreement {agreement['value']:.2f} {over}: 1 is full agreement, 0 is chance (Krippendorff's alpha)."
    elif len(values["annotators"]) < 2:
        words = "Agreement is known when two people have answered the same items."
    else:
        words = f"Agreement is not known: {agreement['why']}"
    shares = (("left", "chose left"), ("ties", "ties"), ("consistent", "repeats alike"), ("failed", "checks failed"))
    head = tag(
        "tr", "".join(tag("th", text(word), scope="col") for word in ("", "answers", *(w for _, w in shares), "median"))
    )
    rows = ""
    for person in values["annotators"]:
        median = person["median_ms"]
        cells = [str(person["labels"]), *(_share(person[name]) for name, _ in shares)]
        cells.append("" if median is None else f"{median / 1000:.1f} s")
        rows += tag(
            "tr", tag("th", text(person["annotator"]), scope="row") + "".join(tag("td", text(c)) for c in cells)
        )
        flags = [flag["sentence"] for flag in person["flags"]]
        rows += "".join(tag("tr", tag("td", text(flag), colspan=len(cells) + 1), class_="flag") for flag in flags)
    inner = tag("h4", "How sound the answers are") + tag("p", text(words)) + _kappas(values)
    inner += _table(head, rows, "Annotators")
    return tag("section", inner, class_="quality", aria_label="How sound the answers are")


def _kappas(values: Mapping[str, Any]) -> str:
    """Those of every two annotators, the least first, and of all where three or more answered the same."""
    known = sorted((pair for pair in values["cohen"] if pair["value"] is not None), key=lambda pair: pair["value"])
    told = [f"{' and '.join(pair['annotators'])} {pair['value']:.2f} (n = {pair['n']})" for pair in known[:MOST_PAIRS]]
    if len(known) > MOST_PAIRS:
        told.append(f"{len(known) - MOST_PAIRS} more pairs above these")
    words = f"Cohen's kappa: {', '.join(told)}." if told else ""
    if (kappa := values["fleiss"])["value"] is not None:
        words += f" Fleiss' kappa of {kappa['n']} items with {kappa['answers']} answers each: {kappa['value']:.2f}."
    return tag("p", text(words.strip()), class_="hint") if words else ""


def standings_html(studio: Studio, rows: Sequence[Standing]) -> str:
    """The recipes against each other, the best first; "" where no two were compared."""
    if len(rows) < 2:
        return ""
    facts = differing([settings_of(row.recipe, studio.edits) for row in rows])
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    body = "".join(_standing(row, making, low, high) for row, making in zip(rows, facts, strict=True))
    note = (
        "Bradley-Terry, on Elo's scale: 1000 is the mean of all, and a recipe 100 above another is preferred 64 times "
        "in 100. Blind answers about pairs drawn at random. TrueSkill starts at 25.0 ± 8.3."
    )
    table = _table(_head("Recipe", "Rating", "95 % interval", "TrueSkill", "Compared"), body, "Recipes")
    inner = tag("h4", "What is preferred") + table + tag("p", text(note), class_="hint")
    return tag("section", inner, class_="quality", aria_label="What is preferred")


def _standing(row: Standing, making: Mapping[str, str], low: float, high: float) -> str:
    """A row. low, high: of all intervals, between which this one's is drawn."""
    name = " · ".join(f"{fact} {value}" for fact, value in making.items())
    width = max(1e-9, high - low)
    place = f"left:{100 * (row.low - low) / width:.1f}%;width:{100 * (row.high - row.low) / width:.1f}%"
    span = tag("span", tag("span", "", style=place), class_="range", aria_hidden="true")
    cells = [
        tag("td", f"{row.points:,.0f}"),
        tag("td", f"{row.low:,.0f} to {row.high:,.0f}" + span),
        tag("td", f"{row.skill.mean:.1f} ± {row.skill.sd:.1f}"),
        tag("td", f"{row.rating.games:,} times"),
    ]
    return tag("tr", tag("th", text(name), scope="row") + "".join(cells))


def _scores(studio: Studio, campaign: Campaign, is_open: bool) -> str:
    title = "What published scorers say"
    if not is_open:
        return button("scores", campaign, title, "small plain")
    rows = (_scorer(studio, campaign, scorer.name, scorer.about, why) for scorer, why in studio.scores.scorers())
    inner = tag("h4", title) + _table(_head("Scorer", "Agrees with the answers", ""), "".join(rows), "Scorers")
    return tag("section", inner, class_="quality scorers", aria_label=title)


def _scorer(studio: Studio, campaign: Campaign, name: str, about: str, why: str) -> str:
    head = tag("th", tag("b", text(name)) + tag("span", text(about), class_="hint"), scope="row")
    job = studio.scores.under_way(campaign.id, name)
    if why:
        return tag("tr", head + tag("td", text(why), colspan=2, class_="lacks"))
    try:
        agreement = studio.scores.agreement(campaign.id, name)
    except StudioError as error:
        return tag("tr", head + tag("td", text(sentence(error)), colspan=2, class_="lacks"))
    if agreement is None:
        words = "not scored yet" if job is None else "being scored"
    else:
        low, high = agreement.interval
        words = f"{agreement.accuracy:.0%} of {agreement.n} ({low:.0%} to {high:.0%})".replace("%", " %")
    score = button("score", campaign, "Score", "small", data_value=name, aria_label=f"Score the pictures by {name}")
    act = score if job is None else tag("span", "", data_watch=job)
    return tag("tr", head + tag("td", text(words)) + tag("td", act))


def _marked(studio: Studio, campaign: Campaign) -> str:
    """What labellers flagged for somebody to look at, and what they wrote."""
    marked = studio.looking_back.marked(campaign.id, MARKED)
    if not marked:
        return ""
    rows = "".join(_mark(studio, campaign, label, token) for label, token in marked)
    inner = tag("h4", "Flagged and commented") + tag("ul", rows, class_="marks")
    return tag("section", inner, class_="quality", aria_label="Flagged and commented")


def _mark(studio: Studio, campaign: Campaign, label: Label, token: str) -> str:
    words = ", ".join(word for word in ("flagged" if label.flagged else "", f"by {label.annotator}") if word)
    lines = [tag("p", text(label.prompt or "without a prompt"))]
    lines += [tag("p", text(f"“{label.comment}”"))] if label.comment else []
    lines.append(tag("p", text(words), class_="hint"))
    if studio.labels.item(label.item).status in ("queued", "aside"):
        lines.append(button("retire", campaign, "Ask no more", "small", data_value=str(label.item), title=_RETIRES))
    return pictured_label(label, token, lines)


def _snapshot(studio: Studio, campaign: Campaign) -> str:
    """Its answers as they are now, under a name: for trainings and exports that stay what they were."""
    if campaign.purpose == "eval":
        return ""
    field = {"data_value_of": "snapshot", "data_field": "name", "aria_label": "Name of the snapshot"}
    name = f"<input{attributes({'type': 'text', 'maxlength': 80, 'value': '', 'placeholder': 'a name', **field})}>"
    inner = button("snapshot", campaign, "Take a snapshot", "action") + name
    revealed = {"type": "checkbox", "data_value_of": "snapshot", "data_field": "revealed"}
    box = tag("label", f"<input{attributes(revealed)}> also answers that were not blind", class_="field")
    about = (
        "Freezes the answers as they are now, for an export, or a training from the command line; a fifth of the "
        "prompts is held out. A training under Align takes a snapshot of its own."
    )
    acts = tag("div", tag("span", inner, class_="more") + box, class_="campaign-acts")
    return tag("section", tag("h4", "Snapshot") + acts + tag("p", about, class_="hint"), class_="quality")


def _head(*names: str) -> str:
    return tag("tr", "".join(tag("th", text(name), scope="col") for name in names))


def _table(head: str, body: str, label: str) -> str:
    table = tag("table", tag("thead", head) + tag("tbody", body))
    return tag("div", table, class_="table-scroll", tabindex="0", role="group", aria_label=label)


def _share(values: Mapping[str, Any]) -> str:
    return f"{100 * values['hits'] / values['n']:.0f} % of {values['n']}" if values["n"] else "–"
