"""A report card to look at, print and share: one HTML file with its pictures in it, or a fragment of a page.

The verdict comes first, then what one sees, then the figures with their intervals. Every text of a user or a file is
escaped. Nothing is fetched from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.core.markup import image, png_uri, tag, text
from studio.services.cards import chart
from studio.services.cards.table import lines_table
from studio.training.erase.methods import METHODS

CARD_CSS, PAGE_CSS = (Path(__file__).with_name(name) for name in ("card.css", "page.css"))
SECTIONS = (
    (
        "erased",
        "The concept",
        "Prompts that name it. The ceiling is the base drawing what takes its place, at the same seeds.",
    ),
    ("kept", "All else", "Prompts that do not name it, beside the base at the same seeds."),
    ("robust", "Coming back", "How often the concept is read in a valid picture all the same; the base beside it."),
    (
        "unedited",
        "No edit",
        "The base with the concept's words as the negative prompt, beside the edit at the same prompts and seeds: "
        "whether an edit is needed.",
    ),
    (
        "quality",
        "As a whole",
        "Distances of sets of pictures; the floor is the base's distance from itself, over other prompts.",
    ),
    ("drift", "Drift", "How far the model's predictions have moved."),
)
SIDE_EFFECTS = (
    (
        "kept",
        "Side effects",
        "Prompts that say everything, and open ones as those it learned from; beside the base at the same seeds.",
    ),
    *SECTIONS[-2:],
)
COLUMNS = {"base": "Base", "edit": "Edit", "ceiling": "Substitute"}
KINDS = {
    "forget": "Names it",
    "near": "A neighbour",
    "keep": "Another prompt",
    "unprompted": "No prompt",
    "open": "An open prompt",
}
GONE = "This picture is gone from the workspace."

Card = Mapping[str, Any]
Pictures = Mapping[int, bytes]  # number of a picture -> its PNG


def page(card: Card, pictures: Pictures) -> str:
    """The whole file."""
    styles = "".join(path.read_text(encoding="utf-8") for path in (PAGE_CSS, CARD_CSS))
    title = f"Report card: {card['edit']['name']}"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">' + tag("title", text(title)) + f"<style>{styles}</style>"
    )
    body = tag("main", tag("p", "Palimpsest", class_="maker") + fragment(card, pictures))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def fragment(card: Card, pictures: Pictures) -> str:
    """The card alone, for a page that has its style sheet."""
    parts = [_head(card), _verdict(card["verdict"]), _sights(card["sights"], pictures)]
    for key, title, about in SIDE_EFFECTS if card["subject"].get("open") else SECTIONS:
        lines = [line for line in card["lines"] if line["section"] == key]
        attack = _attack(card["attack"]) if key == "robust" and card["attack"] else ""
        parts.append(_section(title, about, lines_table(lines) + attack))
    if card["strengths"]:
        about = "The same prompts and seeds at other strengths of the edit; 0 is the base."
        parts.append(_section("Strength", about, chart.strengths(card["strengths"])))
    parts.append(_made(card))
    return tag("article", "".join(parts), class_="report-card")


def _head(card: Card) -> str:
    concepts = [f"{concept['words']} → {concept['substitute'] or 'nothing'}" for concept in card["subject"]["concepts"]]
    facts = [
        ", ".join(concepts) or "side effects of an alignment",
        f"by {_method_name(card['method'])}" if card["method"] else "",
        f"on {card['subject']['model']}",
    ]
    about = " · ".join(filter(None, facts))
    title = tag("h1", text(card["edit"]["name"]))
    budget = tag("span", text("first look" if card["is_preview"] else f"{card['budget']} budget"), class_="budget")
    return tag(
        "header", tag("p", f"Report card {budget}", class_="kicker") + title + tag("p", text(about), class_="about")
    )


def _method_name(method: str) -> str:
    """What the field calls it; the name itself of one that is not here, as a card from elsewhere may have."""
    return METHODS.get(method).name if method in METHODS.names() else method


def _verdict(verdict: Mapping[str, Any]) -> str:
    sentences = "".join(tag("p", text(sentence)) for sentence in verdict["sentences"])
    limits = "".join(tag("p", text(limit)) for limit in verdict["limits"])
    return tag(
        "section",
        tag("h2", text(verdict["headline"])) + sentences + tag("div", limits, class_="limits"),
        class_=f"verdict {verdict['light'] or 'open'}",
        aria_label="Verdict",
    )


def _sights(sights: Sequence[Mapping[str, Any]], pictures: Pictures) -> str:
    if not sights:
        return ""
    about = "Each group has one seed. Where the edit is right, other prompts give the base's picture again."
    groups = "".join(_sight(sight, pictures) for sight in sights)
    return _section("Before and after", about, tag("div", groups, class_="sights"))


def _sight(sight: Mapping[str, Any], pictures: Pictures) -> str:
    prompt = sight["prompts"]["base"]
    quote = tag("q", text(prompt)) if prompt else ""
    kind = tag("span", text(KINDS.get(sight["kind"], sight["kind"])), class_="kind")
    caption = tag("figcaption", kind + quote + tag("span", f"seed {sight['seed']}", class_="seed"))
    strip = "".join(_picture(sight, column, pictures) for column in COLUMNS if column in sight["prompts"])
    return tag("figure", caption + tag("div", strip, class_="strip"))


def _picture(sight: Mapping[str, Any], column: str, pictures: Pictures) -> str:
    png = pictures.get(sight["pictures"].get(column) or 0)
    prompt = sight["prompts"][column] or "no prompt"
    picture = tag("span", text(GONE), class_="gone")
    if png is not None:
        picture = image(png_uri(png), f"{COLUMNS[column]}: {prompt}", title=prompt)
    return tag("div", picture + tag("span", text(COLUMNS[column]), class_="column"))


def _attack(attack: Mapping[str, Any]) -> str:
    """The search over several words, in a sentence."""
    ends = "it comes back" if attack["is_back"] else "and the concept is not read"
    words, prompt = (tag("q", text(attack[name])) for name in ("words", "prompt"))
    search = f"Of {attack['tried']} prefixes of up to three words, searched greedily, the closest is {words}"
    return tag("p", f"{search} before {prompt}: {ends}.")


def _section(title: str, about: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + tag("p", text(about), class_="about") + inner)


def _made(card: Card) -> str:
    parts = "".join(
        tag(
            "tr",
            tag("td", text(part["about"]))
            + tag("td", f"{part['pictures']}", class_="number")
            + tag("td", f"{part['first_seed']} to {part['last_seed']}", class_="number"),
        )
        for part in card["parts"].values()
    )
    head = tag("tr", "".join(tag("th", name, scope="col") for name in ("Prompts", "Pictures", "Seeds")))
    protocol = card["protocol"]
    guidance = protocol["guidance"]["params"].get("guidance_scale")
    scale = "the default scale" if guidance is None else f"scale {guidance:g}"
    how = (
        f"{protocol['steps']} steps of {protocol['sampler']}, {protocol['guidance']['method']} at {scale}. Shares have "
        "Wilson's 95 % interval, differences at equal seeds the bootstrap's (2000 resamples; the rule of three where "
        f"no pair differs). Edit {card['edit']['id']}, model {card['model_hash'][:16]}, Palimpsest {card['version']}, "
        f"{card['made_at'][:10]}."
    )
    table = tag("table", tag("thead", head) + tag("tbody", parts), class_="made")
    return tag("section", tag("h2", "What was drawn") + table + tag("p", text(how), class_="about"), class_="drawn")
