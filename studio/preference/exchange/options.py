"""How labels are written: what a person chooses of it."""

from __future__ import annotations

from typing import Literal

from studio.core.params import Params, param
from studio.preference.answer import Question

Ties = Literal["half", "drop", "both"]
Rows = Literal["each", "majority", "mean"]


class ExportOptions(Params):
    """What is written, and as what. Build it from untrusted values with `studio.core.params.load`."""

    ties: Ties = param(
        "half",
        help="equal pictures: as 0.5 where the format has it, not at all, or in two rows, each picture chosen once",
    )
    rows: Rows = param(
        "each",
        help="a row for each answer, or one for each pair: what most said, or the share that preferred the first",
    )
    question: Question = param("overall", help="which question's answers, where the format has no place to say")
    checks: bool = param(False, help="also attention checks, repeats, blind tests and answers that were not blind")
    superseded: bool = param(False, help="also answers that were changed or taken back later")
    anonymise: bool = param(True, help="names of annotators as salted hashes")
    limit: int = param(0, low=0, high=100_000_000, step=1, help="at most so many answers, the first ones; 0 is all")
    validation: float = param(
        0.1, low=0, high=0.5, step=0.05, help="share of the prompts that is set apart for validation, in whole prompts"
    )
    salt: str = param("", help="what names are hashed with; empty draws one for this export alone")
