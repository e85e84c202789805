"""A balance as it runs: prepared, opened again, and what was measured of it so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, NotFound, StudioError
from studio.training.balance.outcome import OF_BASE, Outcome, outcome
from studio.training.balance.plan import METHOD, BalancePlan, read_plan
from studio.ui.erase.balance import plan as plans
from studio.ui.erase.board import Board, Trial

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio


@dataclass(frozen=True)
class Measured:
    """What was measured of a balance.

    plan: it is by.
    looks: measures of each look, the first of the base.
    check: of the check, the base's beside the edit's; empty before it.
    outcome: what the whole came to, None before the check.
    """

    plan: BalancePlan
    looks: Sequence[Mapping[str, float]] = ()
    check: Mapping[str, float] | None = None
    outcome: Outcome | None = None


def prepared(studio: Studio, board: Board, fields: Mapping[str, Any], model: str) -> tuple[Trial, Callable[[], str]]:
    """What a balance will be looked at by, and how it is started, which gives its job. Raises BadInput, NotFound."""
    plan = plans.check(studio, board.wishes, fields, model)
    return opened(studio, plan), lambda: studio.balances.start(plan)


def opened(studio: Studio, plan: Mapping[str, Any], edit: str = "") -> Trial:
    """What a balance is looked at by. edit: id of one that was made before. Raises BadInput, NotFound."""
    checked = studio.balances.check(plan)
    return Trial(
        model=checked.model,
        method=METHOD,
        concepts=((checked.concept, ""),),
        shares=_shares(checked),
        sights=studio.balances.sights(plan),
        seed=checked.seed,
        edit=edit,
    )


def shares_in(entry: EditEntry) -> tuple[str, tuple[tuple[str, float], ...]]:
    """What an edit balances, and the share that each attribute was to have, by its provenance, which may be somebody
    else's; ("", ()) of one that is no balance.
    """
    plan = _plan_in(entry)
    return ("", ()) if plan is None else (plan.concept, _shares(plan))


def outcome_of(entry: EditEntry) -> Outcome | None:
    """What an edit's balance came to; None where that was not told, and of one that is no balance."""
    plan = _plan_in(entry)
    return None if plan is None else _judged(plan, *_measures_in(entry), entry.provenance.get("gammas"))


def measured_of(studio: Studio, trial: Trial, entry: EditEntry | None) -> Measured | None:
    """What was measured of the balance that is looked at; None where nothing was yet, or nothing is known any more."""
    if entry is not None:
        plan = _plan_in(entry)
        looks, check = _measures_in(entry)
        return plan and Measured(plan, looks, check, _judged(plan, looks, check, entry.provenance.get("gammas")))
    try:
        plan = read_plan(studio.jobs.get(trial.job).payload["plan"])
        events = studio.jobs.events(trial.job)
    except (StudioError, KeyError, TypeError):
        return None
    measures = [event.data["values"] for event in events if event.kind == "measure"]
    looks = [values for values in measures if not any(name.endswith(OF_BASE) for name in values)]
    check = next((values for values in measures if any(name.endswith(OF_BASE) for name in values)), None)
    return Measured(plan, looks, check) if measures else None


def _shares(plan: BalancePlan) -> tuple[tuple[str, float], ...]:
    return tuple((attribute.words, share) for attribute, share in zip(plan.attributes, plan.targets, strict=True))


def _plan_in(entry: EditEntry) -> BalancePlan | None:
    plain = entry.provenance.get("balance")
    if not isinstance(plain, Mapping):
        return None
    try:
        return read_plan({str(name): value for name, value in plain.items()})
    except (BadInput, NotFound):
        return None


def _measures_in(entry: EditEntry) -> tuple[Sequence[Mapping[str, float]], Mapping[str, float] | None]:
    looks, check = entry.provenance.get("looks"), entry.provenance.get("measures")
    read_looks = [look for look in looks if isinstance(look, dict)] if isinstance(looks, list) else []
    return read_looks, check if isinstance(check, dict) and check else None


def _judged(
    plan: BalancePlan, looks: Sequence[Mapping[str, float]], check: Mapping[str, float] | None, gammas: Any
) -> Outcome | None:
    if check is None or not isinstance(gammas, Mapping):
        return None
    try:
        return outcome(plan, looks, gammas, check)
    except (KeyError, TypeError):  # somebody else's
        return None
