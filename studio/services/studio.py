"""The studio object that the page and the command line hold: one workspace, one engine, and the services on them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Literal

from studio.core.settings import Settings
from studio.engine.backend import Backend, EngineStatus, InlineBackend
from studio.engine.process import ProcessBackend
from studio.services.alignments import AlignmentService
from studio.services.assembly import Services, assemble
from studio.services.balances import BalanceService
from studio.services.cards import CardService
from studio.services.comparisons.service import ComparisonService
from studio.services.comparisons.share.service import ShareService
from studio.services.drifts import DriftService
from studio.services.edits.library import EditLibrary
from studio.services.engine import NOT_STARTED
from studio.services.erasures import ErasureService
from studio.services.evaluations import EvaluationService
from studio.services.grids.service import GridService
from studio.services.history import History
from studio.services.jobs import JobService
from studio.services.labels.asking import FurtherQuestions
from studio.services.labels.blind_tests import BlindTestService
from studio.services.labels.campaigns import CampaignService
from studio.services.labels.exchange import LabelExchange
from studio.services.labels.exchange_runs import ExchangeRuns
from studio.services.labels.looking_back import LookingBack
from studio.services.labels.picture_campaigns import PictureCampaigns
from studio.services.labels.reveal import RevealService
from studio.services.labels.scoring import ScoreService
from studio.services.labels.service import LabelService
from studio.services.labels.taste import TasteService
from studio.services.pictures import PictureService
from studio.services.queue import CLOSED_QUEUED, CLOSED_RUNNING
from studio.services.recording import Recorder
from studio.services.sliders import SliderService
from studio.services.sources import Sources
from studio.services.together import TogetherService
from studio.services.trainings import TrainingService
from studio.services.tunings.service import TuningService
from studio.storage.archive import Archive


class Studio:
    """One workspace and one engine; a context manager, or `open` and `close`.

    Every method may be called from any thread. backend: "process" keeps the models in a child process, started with
    the first call of `warm` or the first job; "inline" in this one. What it does is its services' to say; each raises
    RuntimeError while the studio is not open.
    """

    def __init__(self, settings: Settings, backend: Literal["process", "inline"] = "process") -> None:
        self.settings = settings
        self.sources = Sources(settings)
        self._kind = backend
        self._services: Services | None = None
        self._lock = threading.Lock()

    def open(self) -> Studio:
        """Take the workspace. Raises WorkspaceError if it is locked, read-only, corrupt or newer than this program."""
        if self._services is None:
            archive = Archive.open(self.settings.workspace)
            try:
                # What a killed app left as running is not running any more. What waited does not go on by itself
                # either: it may be what killed it, and nobody expects an idle studio to start computing. It is offered
                # again.
                archive.jobs.interrupt_unfinished(CLOSED_RUNNING, CLOSED_QUEUED)
            except BaseException:
                archive.close()
                raise
            self._services = assemble(archive, self.sources, lambda recorder: self._backend(archive, recorder))
        return self

    def close(self) -> None:
        """Stop the engine and let go of the workspace. May be called twice."""
        with self._lock:
            services, self._services = self._services, None
        if services is not None:
            services.campaigns.drawing.begin_closing()
            services.tastes.close()
            services.exchange_runs.close()
            services.engine.close()  # while the archive is open: how the job in hand ended is still written down
            services.campaigns.drawing.close()
            services.archive.close()

    def __enter__(self) -> Studio:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Start the engine and let it load its model in the background; returns at once."""
        self._opened.engine.warm()

    def status(self) -> EngineStatus:
        """Say how the engine is, also of a studio that is not open."""
        services = self._services
        return NOT_STARTED if services is None else services.engine.status()

    @property
    def archive(self) -> Archive:
        """What the workspace keeps: for the services beside this one."""
        return self._opened.archive

    @property
    def jobs(self) -> JobService:
        """The queue and the ledger."""
        return self._opened.jobs

    @property
    def history(self) -> History:
        """The pictures there are."""
        return self._opened.history

    @property
    def edits(self) -> EditLibrary:
        """The workspace's edits."""
        return self._opened.edits

    @property
    def pictures(self) -> PictureService:
        """Pictures to be made."""
        return self._opened.pictures

    @property
    def grids(self) -> GridService:
        """Grids of pictures."""
        return self._opened.grids

    @property
    def trainings(self) -> TrainingService:
        """Edits to be trained."""
        return self._opened.trainings

    @property
    def evaluations(self) -> EvaluationService:
        """What models draw, measured."""
        return self._opened.evaluations

    @property
    def erasures(self) -> ErasureService:
        """Concepts to be erased."""
        return self._opened.erasures

    @property
    def sliders(self) -> SliderService:
        """Concept sliders to be trained."""
        return self._opened.sliders

    @property
    def together(self) -> TogetherService:
        """Erasures that act together."""
        return self._opened.together

    @property
    def balances(self) -> BalanceService:
        """Attributes of concepts in wanted proportions."""
        return self._opened.balances

    @property
    def drifts(self) -> DriftService:
        """How far models under edits are from each other."""
        return self._opened.drifts

    @property
    def cards(self) -> CardService:
        """Report cards of erasures."""
        return self._opened.cards

    @property
    def labels(self) -> LabelService:
        """Campaigns, and what people answered."""
        return self._opened.labels

    @property
    def campaigns(self) -> CampaignService:
        """Campaigns made, and drawn."""
        return self._opened.campaigns

    @property
    def tastes(self) -> TasteService:
        """What somebody likes, learned from labels."""
        return self._opened.tastes

    @property
    def further_questions(self) -> FurtherQuestions:
        """What else to ask about the pictures that a campaign has."""
        return FurtherQuestions(self._opened.archive, self._opened.labels, self._opened.tastes)

    @property
    def looking_back(self) -> LookingBack:
        """Answers to be looked at again."""
        return LookingBack(self._opened.archive)

    @property
    def scores(self) -> ScoreService:
        """What published scorers say of pictures that are labelled."""
        return self._opened.scores

    @property
    def label_exchange(self) -> LabelExchange:
        """What people answered, out in the formats of others and in from them."""
        return LabelExchange(self._opened.archive)

    @property
    def picture_campaigns(self) -> PictureCampaigns:
        """Campaigns made of pictures that are there."""
        return PictureCampaigns(self._opened.archive, self._opened.history, self._opened.labels)

    @property
    def reveals(self) -> RevealService:
        """What pictures were, told to who has answered."""
        return RevealService(self._opened.archive, self._opened.edits)

    @property
    def exchange_runs(self) -> ExchangeRuns:
        """The same in the background, while a page shows how far it is."""
        return self._opened.exchange_runs

    @property
    def alignments(self) -> AlignmentService:
        """Labels to be trained from."""
        return self._opened.alignments

    @property
    def blind_tests(self) -> BlindTestService:
        """Edits tested blind."""
        return self._opened.blind_tests

    @property
    def tunings(self) -> TuningService:
        """Settings found by votes."""
        return self._opened.tunings

    @property
    def comparisons(self) -> ComparisonService:
        """Recipes side by side."""
        return self._opened.comparisons

    @property
    def shares(self) -> ShareService:
        """Comparisons given away and taken in."""
        return self._opened.shares

    @property
    def _opened(self) -> Services:
        if self._services is None:
            raise RuntimeError("the studio is not open")
        return self._services

    def _backend(self, archive: Archive, recorder: Recorder) -> Backend:
        config = self.sources.engine_config(log=archive.logs / "engine.log", previews=self._kind == "process")
        if self._kind == "process":
            return ProcessBackend(config, recorder, archive.jobs.worker_deaths())
        return InlineBackend(config, recorder)
