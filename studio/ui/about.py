"""Keys, settings and versions: what the dialog behind `?` shows, made when it is opened."""

from __future__ import annotations

import importlib.metadata as metadata
import platform
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

import studio as package
from studio.core.settings import PREFIX, Settings
from studio.ui.exports import FRESH
from studio.ui.markup import tag, text
from studio.ui.tabs import tabs

if TYPE_CHECKING:
    from studio.services.studio import Studio

Keys = Sequence[tuple[Sequence[str], str]]  # (keys, what they do)
EVERYWHERE: Keys = (
    (("Ctrl", "Enter"), "what the tab is for: generate, compare, erase, ..."),
    (("Ctrl", "."), "stop it"),
    (("←", "→"), "from tab to tab, with a tab's name focused"),
    (("?",), "this list; the pad of the Label tab has one of its own, where keys can be changed"),
)
PICTURES: Keys = (
    (("←", "→", "↑", "↓"), "from picture to picture"),
    (("Enter",), "full screen"),
    (("+", "−", "0"), "zoom in, out, whole: all pictures alike"),
    (("P",), "pin as the reference"),
    (("R",), "while held: the reference in each picture's place"),
    (("D",), "difference from the reference"),
)
THEMES = (("", "as the system"), ("light", "light"), ("dark", "dark"))
DEMO = (
    '<label><input type="checkbox" data-demo> Large type, and only what the back row should see</label>'
    '<span class="hint">Also by <code>?demo</code> in the address, which can be kept as a bookmark.</span>'
)
# What it is built on and shipped with by name: our own requirements; what these need in turn is in requirements.lock.
OURS = "palimpsest"


def route(studio: Studio) -> Route:
    """`/about`: the dialog's contents, as HTML."""

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(await run_in_threadpool(about_html, studio.settings), headers=FRESH)

    return Route("/about", answer)


def about_html(settings: Settings) -> str:
    """All three parts."""
    return keys_html() + settings_html(settings) + versions_html()


def keys_html() -> str:
    """Keys of the page, of pictures and of each tab that has some of its own."""
    parts = [("Everywhere", EVERYWHERE), ("On a picture", PICTURES)]
    parts += [(tab.title, tab.shortcuts) for tab in tabs() if tab.shortcuts]
    lists = "".join(tag("section", tag("h3", text(title)) + _listed(keys)) for title, keys in parts)
    tour = tag("button", "Show the first five minutes again", type="button", class_="small", data_about_tour="true")
    return tag("h2", "Keys") + tag("div", lists, class_="about-keys") + tag("p", tour)


def settings_html(settings: Settings) -> str:
    """The theme, which is the browser's, and what this start of the studio was told."""
    choices = "".join(
        tag("label", f'<input type="radio" name="palimpsest-theme" value="{value}" data-theme-choice> {words}')
        for value, words in THEMES
    )
    theme = tag("fieldset", tag("legend", "Theme") + choices, class_="about-theme")
    demo = tag("fieldset", tag("legend", "Projector") + DEMO, class_="about-theme")
    rows = "".join(
        _row(_in_words(name), _value(settings, name), f"--{name.replace('_', '-')}", field.description or "")
        for name, field in Settings.model_fields.items()
    )
    heads = "".join(tag("th", words, scope="col") for words in ("Setting", "Value", "Flag", "What it is"))
    table = tag("table", tag("thead", tag("tr", heads)) + tag("tbody", rows))
    note = tag(
        "p",
        "These hold until the studio is stopped. A flag of <code>python3 launch.py serve</code> changes one for the "
        f"next start, and so does a variable such as <code>{PREFIX}DEVICE</code>.",
        class_="hint",
    )
    scrolled = tag("div", table, class_="about-settings", tabindex="0", role="group", aria_label="Settings")
    return tag("h2", "Settings") + theme + demo + scrolled + note


def versions_html() -> str:
    """Palimpsest, Python and what it is built on, with versions and licences."""
    rows = "".join(
        tag("tr", tag("th", text(name), scope="row") + tag("td", text(version)) + tag("td", text(licence)))
        for name, version, licence in versions()
    )
    table = tag("table", tag("tbody", rows))
    sentence = tag("p", "Nothing on this page is sent anywhere: pictures, prompts and labels stay on this machine.")
    scrolled = tag(
        "div", table, class_="about-versions", tabindex="0", role="group", aria_label="Versions and licences"
    )
    return tag("h2", "Versions and licences") + sentence + scrolled


@cache
def versions() -> tuple[tuple[str, str, str], ...]:
    """(name, version, licence) of Palimpsest, Python and the packages it asks for, as these say of themselves."""
    python = ("Python", platform.python_version(), "PSF-2.0")
    return (("Palimpsest", package.__version__, "Apache-2.0"), python, *_packages())


def _packages() -> Iterable[tuple[str, str, str]]:
    for name in requirements():
        try:
            facts = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # an environment somebody made by hand
            yield name, "not installed", ""
        else:
            yield name, str(facts["Version"]), _licence(facts)


def requirements() -> list[str]:
    """Names of the packages Palimpsest asks for, without the development's."""
    try:
        lines = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # run from a folder, without being installed
        return []
    return [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _licence(facts: metadata.PackageMetadata) -> str:
    """In a line: the expression, else the classifiers, else the first line of what is called the licence."""
    if expression := "".join(facts.get_all("License-Expression") or []):
        return expression
    classifiers = [line for line in facts.get_all("Classifier") or [] if line.startswith("License ::")]
    first = next(iter("".join(facts.get_all("License") or []).strip().splitlines()), "")
    return ", ".join(line.rsplit(" :: ", 1)[-1] for line in classifiers) or first[:60]


def _listed(keys: Keys) -> str:
    return tag(
        "ul",
        "".join(
            tag("li", " ".join(tag("kbd", text(key)) for key in names) + f" {text(action)}") for names, action in keys
        ),
    )


def _row(setting: str, value: str, flag: str, about: str) -> str:
    cells = (text(value), tag("code", flag), text(about[:1].upper() + about[1:]))
    return tag("tr", tag("th", text(setting), scope="row") + "".join(tag("td", cell) for cell in cells))


def _in_words(name: str) -> str:
    return {"dtype": "Precision"}.get(name, name.replace("_", " ").replace("dir", "folder").capitalize())


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if value is None:
        return {"models_dir": "none", "threads": "as torch chooses", "memory_budget": "60 % of what is free"}[name]
    return f"{value:g}" if isinstance(value, float) else str(value)
