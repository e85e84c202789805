"""What the labels of each annotator look like: statistics, and flags in a sentence. Nothing is dropped for a flag.

All of it is counted of labels that stand, with the order on the screen undone where pictures are compared. A flag is
where the numbers are unlikely for somebody who looks and answers; limits without a source are this program's own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from statistics import median

import numpy as np
import numpy.typing as npt

from studio.preference.agreement import NO_OVERLAP, Agreement, cohen, fleiss, krippendorff
from studio.preference.answer import Answer
from studio.preference.label import Label, standing
from studio.preference.tallies import (
    LEFT,
    TIE_SIDE,
    ItemKey,
    Share,
    chosen_side,
    cycle_share,
    failure_share,
    item_key,
    longest_run,
    ordered_decision,
    repeat_share,
    tie_share,
)

SIDE_BIAS_P = 0.01
FAST_MS, FEWEST_TIMES = 400, 5
LONGEST_RUN = 8
UNLIKELY = 0.05  # tail probability beyond which repeats, checks and cycles are flagged
USUAL_CONSISTENCY, USUAL_FAILURES, USUAL_CYCLES = 0.7, 0.1, 0.1
TIE_RATE_SD, FEWEST_ANSWERS, FEWEST_OTHERS = 3.0, 10, 3
FEWEST_FOR_FLEISS = 3  # annotators of an item: of two, Cohen's kappa tells
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Flag:
    """Something to look at.

    name: of the statistic.
    sentence: for whoever runs the campaign.
    n: how many labels it is counted of.
    """

    name: str
    sentence: str
    n: int


@dataclass(frozen=True)
class Quality:
    """Of one annotator.

    annotator: who.
    labels: that stand, skipped ones among them.
    skipped: of them.
    left: answers for the picture on the left, of all pairs decided one way whose order is known.
    side_p: how likely a side was chosen at least so much more often by a fair coin; nan of none.
    consistent: repeated pairs that were answered as before.
    failed: attention checks that were answered wrong.
    ties: of pairs answered.
    median_ms: of the times to an answer; nan where none is known.
    longest_run: answers in a row for one side.
    cycles: of three pictures all compared with each other, those where each beats the next.
    flags: what stands out.
    """

    annotator: str
    labels: int
    skipped: int
    left: Share
    side_p: float
    consistent: Share
    failed: Share
    ties: Share
    median_ms: float
    longest_run: int
    cycles: Share
    flags: tuple[Flag, ...] = ()


def report(labels: Sequence[Label], checks: Mapping[int, Answer] | None = None) -> list[Quality]:
    """Quality of each annotator, in order of name.

    labels: of one campaign, in any order; those that another takes back do not count.
    checks: item of each attention check -> the answer that shows attention.
    """
    by_annotator: dict[str, list[Label]] = defaultdict(list)
    for label in sorted(standing(list(labels)), key=lambda label: label.answered_at or _EARLIEST):
        by_annotator[label.annotator].append(label)
    ties = {name: tie_share(own_labels) for name, own_labels in by_annotator.items()}
    return [
        _quality(name, own_labels, checks or {}, [share for annotator, share in ties.items() if annotator != name])
        for name, own_labels in sorted(by_annotator.items())
    ]


@dataclass(frozen=True)
class PairAgreement:
    """Of two annotators. annotators: who. kappa: Cohen's."""

    annotators: tuple[str, str]
    kappa: Agreement


@dataclass(frozen=True)
class SharedAgreement:
    """How far annotators agree about pairs of pictures that several answered: first, tie or second.

    alpha: Krippendorff's, of all answers.
    fleiss: Fleiss' kappa, of the pairs with as many answers as most have that three or more answered.
    answers: how many each of those has; 0 where there are none.
    pairs: of every two annotators who answered a pair of pictures both, by name.
    """

    alpha: Agreement
    fleiss: Agreement
    answers: int
    pairs: tuple[PairAgreement, ...]


def shared_agreement(labels: Sequence[Label]) -> SharedAgreement:
    """Agreement of all, of those whom most answered with, and of every two.

    An annotator's first answer to a pair counts; the sides they stood on are undone. Which of two pictures is the
    first is by their files, as good as drawn.
    """
    annotators, table = _shared_answers(labels)  # [annotators, items]
    is_answered = ~np.isnan(table)
    outcomes = np.unique(table[is_answered])
    codes = np.searchsorted(outcomes, table)  # len(outcomes) where nothing was answered
    counts = np.stack([(codes == code).sum(0) for code in range(max(1, len(outcomes)))], 1)  # [items, outcomes]
    pairs: list[PairAgreement] = []
    for (first, first_name), (second, second_name) in combinations(enumerate(annotators), 2):
        both = is_answered[first] & is_answered[second]
        if both.any():
            tally = np.zeros((len(outcomes), len(outcomes)))
            np.add.at(tally, (codes[first, both], codes[second, both]), 1)
            pairs.append(PairAgreement((first_name, second_name), cohen(tally)))
    answers, kappa = 0, Agreement(math.nan, 0, NO_OVERLAP)
    sizes = is_answered.sum(0)
    if (sizes >= FEWEST_FOR_FLEISS).any():
        answers = int(np.bincount(sizes[sizes >= FEWEST_FOR_FLEISS]).argmax())
        kappa = fleiss(counts[sizes == answers])
    return SharedAgreement(krippendorff(table), kappa, answers, tuple(pairs))


def _shared_answers(labels: Sequence[Label]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Annotators by name, and what each answered [annotators, items], nan where nothing."""
    answers: dict[ItemKey, dict[str, float]] = defaultdict(dict)
    for label in sorted(standing(list(labels)), key=lambda label: label.answered_at or _EARLIEST):
        if (outcome := ordered_decision(label)) is not None:
            answers[item_key(label)].setdefault(label.annotator, outcome)
    annotators = sorted({name for row in answers.values() for name in row})
    table = np.full((len(annotators), len(answers)), math.nan)
    for column, row in enumerate(answers.values()):
        for name, outcome in row.items():
            table[annotators.index(name), column] = outcome
    return annotators, table


def at_least(hits: int, n: int, share: float) -> float:
    """Probability of `hits` or more of n independent trials, each with the probability `share`."""
    logs = (math.log(share), math.log1p(-share))
    return min(1.0, sum(math.exp(_log_choose(n, k) + k * logs[0] + (n - k) * logs[1]) for k in range(hits, n + 1)))


def two_sided(hits: int, n: int) -> float:
    """Probability of a fair coin's n throws to be at least as uneven as `hits` of n."""
    return min(1.0, 2 * at_least(max(hits, n - hits), n, 0.5))


# -- of one annotator ------------------------------------------------------------------------------------------------


def _quality(name: str, labels: Sequence[Label], checks: Mapping[int, Answer], rest: Sequence[Share]) -> Quality:
    sides = [side for label in labels if (side := chosen_side(label)) is not None]
    left = Share.of([side == LEFT for side in sides if side != TIE_SIDE])
    times = [label.latency_ms for label in labels if label.latency_ms is not None]
    quality = Quality(
        annotator=name,
        labels=len(labels),
        skipped=sum(label.answer.skipped for label in labels),
        left=left,
        side_p=two_sided(left.hits, left.n) if left.n else math.nan,
        consistent=repeat_share(labels),
        failed=failure_share(labels, checks),
        ties=tie_share(labels),
        median_ms=median(times) if times else math.nan,
        longest_run=longest_run(sides),
        cycles=cycle_share(labels),
    )
    return replace(quality, flags=tuple(_flags(quality, len(times), rest)))


def _flags(quality: Quality, times: int, rest: Sequence[Share]) -> Iterator[Flag]:
    left, consistent, failed, cycles = quality.left, quality.consistent, quality.failed, quality.cycles
    if quality.side_p < SIDE_BIAS_P:
        side, hits = ("left", left.hits) if 2 * left.hits > left.n else ("right", left.n - left.hits)
        sentence = (
            f"Chose the {side} picture {hits} of {left.n} times; a fair coin does so once in {_odds(quality.side_p)}."
        )
        yield Flag("side bias", sentence, left.n)
    if consistent.n and at_least(consistent.n - consistent.hits, consistent.n, 1 - USUAL_CONSISTENCY) < UNLIKELY:
        sentence = f"Answered {consistent.hits} of {consistent.n} repeated pairs as before."
        yield Flag("repeats", sentence, consistent.n)
    if failed.n and at_least(failed.hits, failed.n, USUAL_FAILURES) < UNLIKELY:
        yield Flag("checks", f"Answered {failed.hits} of {failed.n} attention checks wrong.", failed.n)
    if times >= FEWEST_TIMES and quality.median_ms < FAST_MS:
        sentence = f"Half of the answers took less than {quality.median_ms:.0f} ms, which is too fast to look at both."
        yield Flag("speed", sentence, times)
    if quality.longest_run > LONGEST_RUN:
        sentence = f"Chose one side {quality.longest_run} times in a row."
        yield Flag("one side in a row", sentence, quality.labels)
    if (sentence := _tie_outlier(quality.ties, rest)) is not None:
        yield Flag("ties", sentence, quality.ties.n)
    if cycles.hits and at_least(cycles.hits, cycles.n, USUAL_CYCLES) < UNLIKELY:
        sentence = f"In {cycles.hits} of {cycles.n} sets of three pictures each was preferred to the next, in a circle."
        yield Flag("cycles", sentence, cycles.n)


def _odds(p: float) -> str:
    return f"{1 / p:,.0f}" if p > 1e-6 else "more than a million"


def _tie_outlier(ties: Share, rest: Sequence[Share]) -> str | None:
    """Compared with how the others' rates spread, and with how far so few answers spread by chance."""
    rates = [share.value for share in rest if share.n >= FEWEST_ANSWERS]
    if len(rates) < FEWEST_OTHERS or ties.n < FEWEST_ANSWERS:
        return None
    usual = float(np.mean(rates))
    sd = math.sqrt(float(np.var(rates, ddof=1)) + usual * (1 - usual) / ties.n)
    if abs(ties.value - usual) <= TIE_RATE_SD * sd:
        return None
    return f"Answered {ties.hits} of {ties.n} pairs with a tie, where others do so {usual:.0%} of the time."


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
