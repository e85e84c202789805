"""What published scorers say of a campaign's pictures, and how often each agrees with who labelled them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound
from studio.services.jobs import JobService
from studio.services.labels.service import LabelService
from studio.services.labels.taste_line import accuracy_of
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.storage.labels.pool import Pool

if TYPE_CHECKING:
    from studio.metrics.intervals import Interval
    from studio.training.scorers.base import Kind

KIND = "score"


@dataclass(frozen=True)
class ScorerAgreement:
    """How often a scorer prefers the picture that was preferred.

    accuracy, interval: of preferences in pairs chosen at random; of equal scores half.
    n: how many.
    """

    accuracy: float
    interval: Interval
    n: int


class ScoreService:
    """Scores of an open studio's campaigns. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, labels: LabelService) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._labels = labels

    def scorers(self) -> list[tuple[Kind, str]]:
        """All there are, and of each why it cannot be loaded, "" where it can. Brings torch and transformers."""
        from studio.training.scorers.base import KINDS

        return [(scorer, scorer.missing(self._sources.settings.models_dir)) for scorer in KINDS]

    def start(self, campaign: int, scorer: str, retry_of: str | None = None) -> str:
        """Queue the scoring of a campaign's pictures in the background; give the job's id.

        Raises NotFound for a campaign, a scorer, or weights that are not there; BadInput where all is scored.
        """
        self._labels.campaign(campaign)
        rows = self._missing(campaign, scorer)
        if not rows:
            raise BadInput("All pictures of the campaign are scored by it.")
        payload = {"kind": KIND, "campaign": campaign, "scorer": scorer, "what": f"scores of {len(rows)} pictures"}
        models_dir = self._sources.settings.models_dir
        places = {
            "pictures": rows,
            "folder": str(self._folder),
            "models_dir": None if models_dir is None else str(models_dir.absolute()),
        }
        return self._jobs.submit(payload, "background", retry_of=retry_of, places=places)

    def under_way(self, campaign: int, scorer: str) -> str | None:
        """The job that scores a campaign's pictures, waiting or in hand; None where none does."""
        for job in self._jobs.unfinished():
            if job.kind == KIND and (job.payload.get("campaign"), job.payload.get("scorer")) == (campaign, scorer):
                return job.id
        return None

    def retry(self, job: JobRecord) -> str:
        """See JobService.retries."""
        return self.start(int(job.payload["campaign"]), str(job.payload["scorer"]), retry_of=job.id)

    def scores(self, campaign: int, scorer: str) -> dict[tuple[str, str], float]:
        """(prompt, sha256 of a picture) -> score, as far as they are there. Raises NotFound."""
        self._labels.campaign(campaign)
        return self._scores(self._archive.labels.pools.of(campaign), scorer)

    def agreement(self, campaign: int, scorer: str, annotator: str | None = None) -> ScorerAgreement | None:
        """How often it agrees with the labels; None before it scored what was labelled. Raises NotFound.

        annotator: whose labels; None for all.
        """
        scores = self.scores(campaign, scorer)
        tally: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        for label in self._labels.labels([campaign], with_recipes=False):
            if not label.trainable or label.chosen_by != "random" or annotator not in (None, label.annotator):
                continue
            for comparison in label.answer.comparisons():
                names = [label.pictures[place].sha256 for place in comparison[:2]]
                if all((label.prompt, name) in scores for name in names):
                    winner, loser = (scores[label.prompt, name] for name in names)
                    hits, n = tally[label.prompt]
                    tally[label.prompt] = (hits + (0.5 if winner == loser else float(winner > loser)), n + 1)
        if not tally:
            return None
        return ScorerAgreement(*accuracy_of(dict(enumerate(tally.values()))))

    def _scores(self, pool: Pool, scorer: str) -> dict[tuple[str, str], float]:
        from studio.training.features import store
        from studio.training.scorers.job import file_name, score_key

        path = store.newest(self._folder, file_name(scorer))
        rows = {} if path is None else store.read(path)
        keys = {
            (picture.prompt, picture.sha256): score_key(picture.sha256, picture.prompt) for picture in pool.pictures
        }
        return {picture: float(rows[key][0]) for picture, key in keys.items() if key in rows}

    def _missing(self, campaign: int, scorer: str) -> list[list[str]]:
        from studio.training.scorers.base import kind

        if why := kind(scorer).missing(self._sources.settings.models_dir):
            raise NotFound(why)
        pool = self._archive.labels.pools.of(campaign)
        present = self._scores(pool, scorer)
        rows: list[list[str]] = []
        for picture in pool.pictures:
            path = self._archive.images.find(picture.sha256)
            if (picture.prompt, picture.sha256) not in present and path is not None:
                rows.append([picture.sha256, str(path), picture.prompt])
        return rows

    @property
    def _folder(self) -> Path:
        return self._archive.workspace.root / "features"
