"""From what is typed to the plan of a balance, and what can be said of it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, StudioError
from studio.training.balance.plan import kind_of, object_named, usual_name
from studio.ui.components import progress
from studio.ui.components.seeds import parse_training_seed
from studio.ui.errors import sentence

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.ui.erase.balance.form import Share, Wishes


@dataclass(frozen=True)
class Problems:
    """What is wrong, each a sentence, "" where nothing is.

    concept: of what is balanced.
    rows: of its attributes, by row.
    rest: of anything else, where these are right.
    """

    concept: str = ""
    rows: Mapping[int, str] = field(default_factory=dict[int, str])
    rest: str = ""

    @property
    def any(self) -> bool:
        """Whether there is something."""
        return bool(self.concept or self.rows or self.rest)


def plan_of(wishes: Wishes, fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The plan of a balance as plain values; none of it is checked but the seed, which is text. Raises BadInput."""
    return {
        "name": str(fields["edit_name"] or "").strip() or usual_name(wishes.concept),
        "model": model,
        "concept": wishes.concept,
        "attributes": [{"words": row.value.words, "weight": row.value.parts} for row in wishes.shares],
        "preserves": [line.strip() for line in str(fields["preserve"] or "").splitlines() if line.strip()],
        "protect": fields["protect"],
        "completeness": fields["completeness"],
        "seed": parse_training_seed(fields["seed"]),
        **wishes.options,
    }


def check(studio: Studio, wishes: Wishes, fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The plan as it would be run, as plain values. Raises BadInput, NotFound, AssetError."""
    for row in wishes.shares:
        _check_share(row.value)
    if not wishes.concept:
        raise BadInput("Say what is balanced: an object, as prompts name it.", field="concept")
    return studio.balances.check(plan_of(wishes, fields, model)).model_dump(mode="json")


def problems(studio: Studio, wishes: Wishes, fields: Mapping[str, Any], model: str) -> Problems:
    """What is wrong, before anything runs."""
    try:
        check(studio, wishes, fields, model)
        return Problems()
    except StudioError as error:
        refusal = sentence(error)
    try:
        if not studio.sources.is_of_world(model):
            return Problems(rest=refusal)
    except StudioError as error:
        return Problems(rest=sentence(error))
    concept, rows = "", dict[int, str]()
    try:
        object_named(wishes.concept or " ")
    except BadInput as error:
        concept = sentence(error) if wishes.concept else "Say what is balanced: an object, as prompts name it."
    for row in wishes.shares:
        try:
            _check_share(row.value)
        except BadInput as error:
            rows[row.id] = sentence(error)
    return Problems(concept, rows, "" if concept or rows else refusal)


def outlook_words(studio: Studio, wishes: Wishes, fields: Mapping[str, Any], model: str) -> str:
    """What the balance takes, under the button, before it is started. Raises as `check`."""
    pictures, seconds = studio.balances.outlook(check(studio, wishes, fields, model))
    time = f", {progress.seconds(seconds)} here" if seconds is not None else ""
    return f"Draws {pictures:,} pictures at most, and reads them{time}. It ends as soon as the shares are near enough."


def _check_share(share: Share) -> None:
    if not share.words:
        raise BadInput("Name a colour or a style.", field="attributes")
    kind_of(share.words)
    if not share.parts > 0:
        raise BadInput(f"Parts are a number above 0, not {share.parts:g}.", field="attributes")
