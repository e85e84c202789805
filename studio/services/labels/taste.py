"""Taste models of campaigns: learned in the background as labels come in, and asked what to ask next.

Features are computed by the engine, as a job; learning takes about a second, and is done here, on a thread of its own,
after every REFIT_AFTER further labels. Nothing of a taste is kept but the features: each session learns it anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.preference.answer import Question
from studio.services.jobs import JobService
from studio.services.labels.features import KIND, CampaignFeatures
from studio.services.labels.service import LabelService
from studio.services.labels.taste_curve import CurvePoint, curve_of
from studio.services.labels.taste_line import FEWEST, TasteLine, before, learning, line_of
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.features.extractors import EXTRACTORS
from studio.training.features.store import Features

if TYPE_CHECKING:
    from torch import Tensor

    from studio.preference.taste.answers import Answers
    from studio.preference.taste.assessment import Assessment

__all__ = ["KIND", "TasteLine", "TasteService"]

REFIT_AFTER = 10

log = logging.getLogger(__name__)
Key = tuple[int, Question]
Task = tuple[int, Question, bool]  # the last: whether its learning curve is wanted


@dataclass(frozen=True)
class _Learned:
    """at: how many labels the campaign had then. assessment: None where `why` says why there is none.

    lines: what was told of it, by annotator: an interval takes some milliseconds, and a page asks after every answer.
    curve: how it was learned; None while nobody has asked.
    """

    at: int
    extractor: str
    assessment: Assessment | None
    why: str = ""
    lines: dict[str | None, TasteLine] = field(default_factory=dict[str | None, TasteLine])
    curve: list[CurvePoint] | None = None


class TasteService:
    """The taste models of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, labels: LabelService) -> None:
        self._pools = archive.labels.pools
        self._labels = labels
        self._closing = threading.Event()
        self._features = CampaignFeatures(archive, jobs, sources, self._closing)
        self._learned: dict[Key, _Learned] = {}
        self._chosen: dict[int, str] = {}  # campaign -> extractor somebody chose
        self._queue: list[Task] = []
        self._lock = threading.Lock()  # of the three above and the thread
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Let the thread end, and wait until it has; what it is at is given up. May be called twice."""
        self._closing.set()
        if (thread := self._thread) is not None:
            thread.join()

    def retry(self, job: JobRecord) -> str:
        """See JobService.retries."""
        return self._features.retry(job)

    # -- how right it is ---------------------------------------------------------------------------------------------

    def line(self, campaign: int, annotator: str | None = None, question: Question = "overall") -> TasteLine:
        """What to say of a campaign's taste model; cheap, and may be asked after every answer.

        annotator: whose preferences count; None for all. Where labels came in since it was learned, it is learned anew
        in the background, and until then the earlier one is told. Raises NotFound.
        """
        count = self._labels.counts(campaign).labels
        with self._lock:
            learned = self._learned.get((campaign, question))
        if count >= FEWEST and (learned is None or not 0 <= count - learned.at < REFIT_AFTER):
            self._ask_for((campaign, question, False))
        if learned is None:
            return before(count) if count < FEWEST else learning(count)
        if learned.assessment is None:
            return TasteLine(learned.why, "failed")
        if annotator not in learned.lines:
            learned.lines[annotator] = line_of(learned.assessment, annotator)
        return learned.lines[annotator]

    def curve(self, campaign: int, question: Question = "overall") -> list[CurvePoint] | None:
        """How right a campaign's taste model is after so many answers; None while that is not known.

        It is computed in the background, once somebody asks, of the taste that was learned last; [] where nothing is
        claimed of that. Raises NotFound.
        """
        self._labels.campaign(campaign)
        with self._lock:
            learned = self._learned.get((campaign, question))
        if learned is None:
            return None
        if learned.assessment is None or learned.assessment.why:
            return []
        if learned.curve is None:
            self._ask_for((campaign, question, True))
        return learned.curve

    def learn(self, campaign: int, question: Question = "overall") -> Assessment:
        """Learn now, and wait for it: a second, and before it as long as features take.

        Raises NotFound, BadInput for no labels or where no taste can be told from them, EngineError.
        """
        self._labels.campaign(campaign)
        learned = self._learn(campaign, question)
        with self._lock:
            self._learned[campaign, question] = learned
        if learned.assessment is None:
            raise BadInput(learned.why)
        return learned.assessment

    def use(self, campaign: int, extractor: str) -> None:
        """Learn a campaign's taste on other features from now on. Raises NotFound, BadInput."""
        if extractor not in EXTRACTORS:
            raise NotFound(f"There are no features named {shown(extractor)}.", f"There are {', '.join(EXTRACTORS)}.")
        choices = self.extractors(campaign)
        if extractor not in choices:
            message = f"The features {extractor} do not suit the pictures of this campaign."
            raise BadInput(message, f"Take {' or '.join(choices)}.", field="extractor")
        with self._lock:
            self._chosen[campaign] = extractor
            for key in [key for key in self._learned if key[0] == campaign]:
                del self._learned[key]

    def extractors(self, campaign: int) -> Sequence[str]:
        """Names of the features that suit a campaign's pictures, the best first. Raises NotFound."""
        self._labels.campaign(campaign)
        return self._features.suiting(self._pools.of(campaign))

    def extractor(self, campaign: int) -> str:
        """Name of the features that a campaign's taste is learned on."""
        with self._lock:
            chosen = self._chosen.get(campaign)
        return chosen or self._features.suiting(self._pools.of(campaign))[0]

    def newest(self, campaign: int) -> tuple[Assessment | None, Mapping[str, Features]]:
        """What was learned last of a campaign's preferences, None before that; and its pictures' features on which it
        was, by their sha256, as far as they are there. Raises NotFound.
        """
        with self._lock:
            learned = self._learned.get((campaign, "overall"))
        extractor = learned.extractor if learned else self.extractor(campaign)
        features = self._features.present(self._pools.of(campaign), extractor)
        return (None if learned is None else learned.assessment), features

    # -- in the background -------------------------------------------------------------------------------------------

    def _ask_for(self, task: Task) -> None:
        with self._lock:
            if task in self._queue or self._closing.is_set():
                return
            self._queue.append(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="taste", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue or self._closing.is_set():
                    self._thread = None
                    return
                campaign, question, wants_curve = task = self._queue[0]
                learned = self._learned.get((campaign, question))
            if not wants_curve or learned is None:
                learned = self._tried((campaign, question))
            else:
                learned = replace(learned, curve=self._curve((campaign, question), learned))
            with self._lock:
                self._queue.remove(task)
                self._learned[campaign, question] = learned

    def _tried(self, key: Key) -> _Learned:
        """Learn; of what goes wrong the sentence, which is told until further labels let it be tried again."""
        count = 0
        try:
            count = self._labels.counts(key[0]).labels
            return self._learn(*key)
        except StudioError as error:
            return _Learned(count, "", None, str(error))
        except Exception:  # a thread has nobody to raise to
            log.exception("learning the taste of campaign %d", key[0])
            return _Learned(count, "", None, "The taste model could not be learned; the log says why.")

    def _curve(self, key: Key, learned: _Learned) -> list[CurvePoint]:
        """The curve of what was learned; [] of what goes wrong, which learning itself has told."""
        if learned.assessment is None:
            return []
        try:
            features, answers = self._answers(*key, learned.extractor)
            return curve_of(features, answers, learned.assessment)
        except StudioError:
            return []
        except Exception:  # a thread has nobody to raise to
            log.exception("the learning curve of campaign %d", key[0])
            return []

    def _learn(self, campaign: int, question: Question) -> _Learned:
        from studio.preference.taste.assessment import assess

        at = self._labels.counts(campaign).labels
        extractor = self.extractor(campaign)
        features, answers = self._answers(campaign, question, extractor)
        if len(features) < 2:
            return _Learned(at, extractor, None, "No picture of this campaign can be read: the files are gone.")
        return _Learned(at, extractor, assess(features, answers))

    def _answers(self, campaign: int, question: Question, extractor: str) -> tuple[Tensor, Answers]:
        """Features of a campaign's pictures, [N, F], and the answers about them. Raises as `computed`."""
        import torch

        from studio.preference.taste.answers import read

        features = self._features.computed(campaign, self._pools.of(campaign), extractor)
        rows = {sha256: number for number, sha256 in enumerate(features)}
        labels = list(self._labels.labels([campaign], with_recipes=False))
        table = torch.from_numpy(np.stack(list(features.values()))) if features else torch.zeros(0, 1)
        return table, read(labels, rows, question)
