"""What the Align part's fields say, checked; and what is in the labels that they name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.services.alignments import HELD_OUT, Contents, contents_of
from studio.training.align.objectives import OBJECTIVES
from studio.training.align.plan import MAX_NAME_CHARS
from studio.training.align.trained import AUTO
from studio.training.lora.pace import seconds_of
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign

FIELDS = ("labels", "objective", "align_name", "align_minutes", "align_seed", "align_beta", "model")
SEEDS = 3  # trainings that are begun together
RECOMMENDED = ""


def objective_choices() -> list[tuple[str, str]]:
    """Words and values of the menu; what fits the labels first."""
    by_name = [(f"{objective.name}: from {objective.takes}", name) for name, objective in OBJECTIVES.items()]
    return [("What fits the labels", RECOMMENDED), *by_name]


def campaign_choices(studio: Studio) -> list[tuple[str, int]]:
    """Campaigns that have answers to learn from, newest first."""
    campaigns = [campaign for campaign in studio.labels.campaigns() if campaign.purpose == "train"]
    counts = {campaign.id: studio.labels.counts(campaign.id).labels for campaign in campaigns}
    return [(f"{campaign.name} ({counts[campaign.id]})", campaign.id) for campaign in campaigns if counts[campaign.id]]


def chosen_campaigns(studio: Studio, value: Any) -> list[Campaign]:
    """The campaigns of the field; all of those with answers where it is empty. Raises BadInput, NotFound."""
    ids = value if isinstance(value, list) and value else [id for _, id in campaign_choices(studio)]
    if not ids:
        raise BadInput(
            "There is no answer to learn from yet.", "Make a campaign, and answer it under Collect.", field="labels"
        )
    return [studio.labels.campaign(id) for id in ids]


def contents(studio: Studio, value: Any) -> Contents:
    """What the labels of the field come to. Raises BadInput, NotFound."""
    campaigns = chosen_campaigns(studio, value)
    labels = studio.labels.labels([campaign.id for campaign in campaigns], with_recipes=False)
    learning = [label for label in labels if label.trainable]
    return contents_of(learning, round(HELD_OUT * len(learning)))


def contents_html(contents: Contents, model: str) -> str:
    """What is in the labels, which objective fits, and what is to be known before."""
    objective = OBJECTIVES.get(contents.objective)
    fits = tag("b", text(objective.name)) + text(f" fits them. {contents.why}")
    return counted_html(contents, model, tag("p", fits))


def counted_html(contents: Contents, model: str, beneath: str = "") -> str:
    """What is in the labels, and what is to be known of them. beneath: HTML between the two."""
    kinds = [
        (contents.decided, "pair with a winner", "pairs with a winner"),
        (contents.ties, "tie", "ties"),
        (contents.thumbs, "picture judged alone", "pictures judged alone"),
        (contents.lists, "ranked list", "ranked lists"),
    ]
    counted = [f"{count} {singular if count == 1 else plural}" for count, singular, plural in kinds if count]
    prompts = f"{contents.prompts} prompt{'s' * (contents.prompts != 1)}"
    held = f"{contents.held_out} answer{'s are' if contents.held_out != 1 else ' is'}"
    summary = f"{', '.join(counted) or 'No answer'}, about {prompts}; {held} held out."
    warnings = "".join(tag("p", text(sentence), class_="hint warning") for sentence in contents.warnings(model))
    return tag("p", text(summary)) + beneath + warnings


def objective_html(name: str) -> str:
    """A sentence about an objective, and what is to be known of it."""
    if name == RECOMMENDED:
        return ""
    objective = OBJECTIVES.get(name)
    caveat = tag("p", text(objective.caveat), class_="hint warning") if objective.caveat else ""
    return tag("p", text(f"{objective.about} ({objective.source})"), class_="hint") + caveat


def plan_of(fields: Mapping[str, Any], snapshot: str, recommended: str) -> dict[str, Any]:
    """Plain values of an AlignPlan. Raises BadInput for a seed or a beta that is none."""
    seed = str(fields["align_seed"] or "0").strip()
    if not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63:
        raise BadInput(f"A seed is a whole number from 0 on, not {shown(seed)}.", field="seed")
    name = str(fields["align_name"] or "").strip() or f"taste of {snapshot}"
    return {
        "name": name[:MAX_NAME_CHARS],
        "model": str(fields["model"]),
        "method": str(fields["objective"] or recommended),
        "snapshot": snapshot,
        "seed": int(seed),
        **beta_of(fields["align_beta"]),
    }


def beta_of(value: Any) -> dict[str, Any]:
    """What the field of beta says in a plan: nothing where it is empty. Raises BadInput."""
    words = str(value or "").strip()
    if not words:
        return {}
    if words.casefold() == AUTO:
        return {"params": {"beta": AUTO}}
    try:
        number = float(words)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise BadInput(f"Beta is a number above 0, or {AUTO}, not {shown(words)}.", field="beta")
    return {"params": {"beta": number}}


def seeds_of(plan: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """So many plans that differ in their seed, and in the name that says it."""
    if count == 1:
        return [dict(plan)]
    name = str(plan["name"])[: MAX_NAME_CHARS - 30]
    seeds = range(plan["seed"], plan["seed"] + count)
    return [{**plan, "seed": seed, "name": f"{name}, seed {seed}"} for seed in seeds]


def limit_s(value: Any) -> float | None:
    """What the field of minutes allows; None where it is empty. Raises BadInput."""
    is_empty = value is None or (value == 0 and not isinstance(value, bool))  # what one says once it was unfolded
    return None if is_empty else seconds_of(value)


def snapshot_name(present_names: Sequence[str], campaigns: Sequence[Campaign]) -> str:
    """A name for the labels as they are now, that no snapshot has."""
    first = campaigns[0].name if len(campaigns) == 1 else f"{len(campaigns)} campaigns"
    return next(name for k in range(1, len(present_names) + 2) if (name := f"{first[:60]}, {k}") not in present_names)
