"""What stands in the fields of a new campaign, read as what is asked and what is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import EditRef
from studio.preference import prompt_list
from studio.preference.answer import MODES, Mode
from studio.preference.campaign import CHECKS_SHARE
from studio.services.labels.design import Arm, CampaignDesign, Choices, arms_of
from studio.services.labels.plan import CampaignPlan
from studio.ui.components.seeds import MAX_SEED
from studio.ui.values import is_number

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio

SOURCES = (("Drawn here", "drawn"), ("Files you have", "files"), ("The history", "history"))
PROMPTS = (("Open prompts of Stencil's world", "world"), ("Prompts of your own", "own"))
HIDDEN = (("None", 0.0), ("Half of the items", 0.5), ("All", 1.0))
STACKS = (("None", "none"), ("The one in the sidebar", "stack"), ("With it and without it", "both"))
MODE_CHOICES: tuple[tuple[str, Mode], ...] = (
    ("Pairs: which is better", "pair"),
    ("Four: the best", "best"),
    ("Four: the best and the worst", "best_worst"),
    ("Four: from best to worst", "ranking"),
    ("One by one: good or bad", "thumb"),
)
QUESTION_CHOICES = (
    ("Which one is preferred", "overall"),
    ("Which one follows the prompt", "prompt"),
    ("Which one looks better", "look"),
)
REVEAL_CHOICES = (("Never", "never"), ("After each answer", "after"), ("At the end", "end"))
ITEMS: dict[Mode, str] = {"pair": "pairs", "thumb": "pictures"}
# What is kept in the browser; not files and pictures that were chosen, nor models and presets, which may be gone.
KEPT = (
    "name",
    "source",
    "prompts_from",
    "prompts",
    "count",
    "hidden",
    "hidden_words",
    "stacks",
    "steps",
    "same_seed",
    "mode",
    "questions",
    "guideline",
    "target",
    "overlap",
    "checks",
    "repeats",
    "reveal",
    "seed",
)
DRAWING = ("prompts_from", "prompts", "prompt_file", "count", "hidden", "hidden_words", "models", "presets", "stacks")
FIELDS = (*KEPT, "models", "presets", "prompt_file")
REPEATS_SHARE = 0.05
MAX_TEXT = 200_000
MOST_ITEMS = 500  # of the slider; the command line takes more


def plan_of(fields: Mapping[str, Any], source: str, present_names: Sequence[str], noun: str) -> CampaignPlan:
    """What is asked, and of whom. source: of a `CampaignPlan`. present_names: of campaigns. noun: in place of a name.

    Raises BadInput.
    """
    return CampaignPlan(
        name=" ".join(str(fields["name"] or "").split()) or free_name(noun, present_names),
        source=source,  # type: ignore[arg-type]
        mode=mode_of(fields),
        questions=tuple(fields["questions"] or ()),
        guideline=str(fields["guideline"] or "").strip(),
        target_per_item=whole(fields["target"]) or 1,
        overlap_share=float(fields["overlap"] or 0) / 100,
        repeat_share=REPEATS_SHARE if fields["repeats"] else 0.0,
        check_share=CHECKS_SHARE if fields["checks"] and source == "planned" else 0.0,
        reveal=fields["reveal"] or "never",
    )


def design_of(
    studio: Studio, presets: GuidancePresets, fields: Mapping[str, Any], refs: tuple[EditRef, ...]
) -> CampaignDesign:
    """What is drawn. refs: the edit stack of the sidebar. Raises BadInput, NotFound, AssetError."""
    is_own = fields["prompts_from"] == "own"
    hidden = fields["hidden"]
    return CampaignDesign.load(
        {
            "count": whole(fields["count"]),
            "prompts": own_prompts(fields) if is_own else (),
            "hidden_share": hidden if isinstance(hidden, int | float) else 0.0,
            "hidden_words": hidden_words(str(fields["hidden_words"] or "")) if is_own else (),
            "same_seed": bool(fields["same_seed"]),
            "checks": CHECKS_SHARE if fields["checks"] else 0.0,
            "seed": seed_of(str(fields["seed"] or "")),
            "arms": [
                {"name": arm.name, "recipe": arm.recipe.model_dump(mode="json")}
                for arm in arms(studio, presets, fields, refs)
            ],
        }
    )


def arms(
    studio: Studio, presets: GuidancePresets, fields: Mapping[str, Any], refs: tuple[EditRef, ...]
) -> tuple[Arm, ...]:
    """The recipes that are compared. Raises BadInput, NotFound, AssetError."""
    stacks = fields["stacks"]
    if stacks in ("stack", "both") and not refs:
        raise BadInput(
            "The edit stack in the sidebar is empty, so there is nothing to draw with.",
            "Switch an edit on, or take no edits.",
            field="stacks",
        )
    choices = Choices(
        models=tuple(fields["models"] or ()),
        presets=tuple(fields["presets"] or ()),
        stacks={"stack": (refs,), "both": ((), refs)}.get(str(stacks), ()),
        steps=whole(fields["steps"]),
    )
    return arms_of(choices, studio.sources, presets)


def lacks_prompts(fields: Mapping[str, Any]) -> bool:
    """Whether there are to be prompts of one's own, and nobody has written one yet."""
    return (
        fields["prompts_from"] == "own" and not fields.get("prompt_file") and not str(fields["prompts"] or "").strip()
    )


def own_prompts(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of the file, where there is one, and those that are typed. Raises BadInput for neither."""
    of_file = prompt_list.read_prompts(Path(fields["prompt_file"])) if fields.get("prompt_file") else ()
    text = str(fields["prompts"] or "")
    typed = prompt_list.typed(text) if text.strip() or not of_file else ()
    return tuple(dict.fromkeys((*of_file, *typed)))


def hidden_words(text: str) -> tuple[tuple[str, ...], ...]:
    """Groups of hidden words, one a line, the words between commas."""
    groups = (tuple(word.strip() for word in re.split(r"[,;]", line) if word.strip()) for line in text.splitlines())
    return tuple(group for group in groups if group)


def seed_of(text: str) -> int | None:
    """A seed as it is typed; None for none. Raises BadInput."""
    if not text.strip():
        return None
    if not text.strip().isascii() or not text.strip().isdecimal() or int(text.strip()[:30]) > MAX_SEED:
        raise BadInput(f"A seed is a whole number from 0 to {MAX_SEED}, not {shown(text)}.", field="seed")
    return int(text)


def whole(value: Any) -> int | None:
    """A whole number of a field; None for an empty one. Raises BadInput."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise BadInput(f"Here a whole number is needed, not {shown(value)}.")
    return int(value)


def mode_of(fields: Mapping[str, Any]) -> Mode:
    """How items are asked. Raises BadInput."""
    mode = fields["mode"]
    if mode not in MODES:
        raise BadInput(f"Items are asked as {', '.join(MODES)}, not {shown(mode)}.", field="mode")
    return mode


def free_name(noun: str, present_names: Sequence[str]) -> str:
    """A name that no campaign has."""
    names = {name.casefold() for name in present_names}
    if noun.casefold() not in names:
        return noun
    return next(name for k in range(2, len(names) + 3) if (name := f"{noun}, {k}").casefold() not in names)


def noun_of(fields: Mapping[str, Any], models: Sequence[str]) -> str:
    """What a campaign is called where nobody names it: "30 pairs of Stencil"."""
    mode = mode_of(fields)
    items = ITEMS.get(mode, "lists")
    if fields["source"] != "drawn":
        place = "of the history" if fields["source"] == "history" else "from elsewhere"
        return f"Pictures {place}" if mode == "thumb" else f"{items.capitalize()} of pictures {place}"
    names = " and ".join(model.capitalize() if model == "stencil" else model for model in models) or "Stencil"
    return f"{whole(fields['count'])} {items} of {names[:50]}"


def stored(draft: Any) -> dict[str, Any]:
    """Of a browser's copy of the fields, whatever that is, what they can hold."""
    if not isinstance(draft, dict):
        return {}
    copy: dict[str, Any] = draft
    return {name: copy[name] for name in KEPT if name in copy and _fits(name, copy[name])}


def _fits(name: str, value: Any) -> bool:
    match name:
        case "count" | "target" | "overlap":
            low, high = {"count": (10, MOST_ITEMS), "target": (1, 10), "overlap": (0, 100)}[name]
            return is_number(value) and low <= value <= high
        case "steps":
            return value is None or is_number(value)
        case "same_seed" | "checks" | "repeats":
            return isinstance(value, bool)
        case "questions":
            return isinstance(value, list) and all(entry in dict(QUESTION_CHOICES).values() for entry in value)
        case "source" | "prompts_from" | "hidden" | "stacks" | "mode" | "reveal":
            choices = {
                "source": SOURCES,
                "prompts_from": PROMPTS,
                "hidden": HIDDEN,
                "stacks": STACKS,
                "mode": MODE_CHOICES,
                "reveal": REVEAL_CHOICES,
            }
            return any(value == entry for _, entry in choices[name])
        case _:
            return isinstance(value, str) and len(value) <= MAX_TEXT
