"""The services of an open studio, put together: who has whom, and who takes up which kind of job again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.engine.backend import Backend
from studio.services import drifts, evaluations, pictures, runs, trainings
from studio.services.alignments import AlignmentService
from studio.services.balances import BalanceService
from studio.services.cards import CardService
from studio.services.cards import service as cards
from studio.services.comparisons import readings
from studio.services.comparisons.blind import RowTestService
from studio.services.comparisons.readings import ReadingService
from studio.services.comparisons.service import ORIGIN, ComparisonService
from studio.services.comparisons.share.service import ShareService
from studio.services.drifts import DriftService
from studio.services.edits.library import EditLibrary
from studio.services.engine import StudioEngine
from studio.services.erasures import ErasureService
from studio.services.evaluations import EvaluationService
from studio.services.grids.service import GridService
from studio.services.history import History
from studio.services.jobs import JobService
from studio.services.labels.blind_tests import BlindTestService
from studio.services.labels.campaigns import CampaignService
from studio.services.labels.exchange import LabelExchange
from studio.services.labels.exchange_runs import ExchangeRuns
from studio.services.labels.features import KIND as FEATURES
from studio.services.labels.scoring import KIND as SCORES
from studio.services.labels.scoring import ScoreService
from studio.services.labels.service import LabelService
from studio.services.labels.taste import TasteService
from studio.services.pictures import PictureService
from studio.services.recording import Recorder
from studio.services.sliders import SliderService
from studio.services.sources import Sources
from studio.services.together import TogetherService
from studio.services.trainings import TrainingService
from studio.services.tunings.service import TuningService
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord


@dataclass(frozen=True)
class Services:
    """What there is while the workspace is open."""

    archive: Archive
    engine: StudioEngine
    jobs: JobService
    history: History
    edits: EditLibrary
    pictures: PictureService
    grids: GridService
    trainings: TrainingService
    evaluations: EvaluationService
    erasures: ErasureService
    sliders: SliderService
    together: TogetherService
    balances: BalanceService
    drifts: DriftService
    cards: CardService
    labels: LabelService
    campaigns: CampaignService
    tastes: TasteService
    alignments: AlignmentService
    blind_tests: BlindTestService
    tunings: TuningService
    scores: ScoreService
    comparisons: ComparisonService
    shares: ShareService
    exchange_runs: ExchangeRuns


def assemble(archive: Archive, sources: Sources, backend: Callable[[Recorder], Backend]) -> Services:
    """Put them together over an open workspace. backend: makes the engine, when it is first needed."""
    history, recorder = History(archive), Recorder(archive)
    edits = EditLibrary(archive.edits, sources, archive.reports)
    engine = StudioEngine(lambda: backend(recorder), recorder)
    jobs = JobService(archive.jobs, engine, recorder, history)
    drawing = PictureService(jobs, history, sources, edits)
    grids = GridService(archive, jobs, sources, edits)
    training = TrainingService(archive, jobs, sources)
    evaluating = EvaluationService(archive, jobs, sources, edits)
    erasing = ErasureService(archive, jobs, sources, training)
    drifting = DriftService(archive, jobs, sources, edits)
    labels = LabelService(archive)
    campaigns = CampaignService(archive, jobs, sources, edits, labels)
    tastes = TasteService(archive, jobs, sources, labels)
    scores = ScoreService(archive, jobs, sources, labels)
    reading = ReadingService(archive, jobs, sources)
    comparing = ComparisonService(archive, jobs, history, sources, edits, reading, RowTestService(labels, campaigns))
    reporting = CardService(archive, jobs, history, sources, edits, evaluating, drifting)

    def draw_again(job: JobRecord) -> str:
        if (grid := archive.grids.of_job(job.id)) is not None:
            return grids.resume(grid, retry_of=job.id)
        if job.payload.get("origin") == ORIGIN:
            return comparing.retry(job)
        campaign = archive.planned_progress.campaign_of(job.id)
        return drawing.retry(job) if campaign is None else campaigns.resume(campaign, retry_of=job.id)

    def submit_again(job: JobRecord) -> str:
        work, places = runs.work_of(archive.workspace.root, job.payload)
        files = edits.files_in(job.payload)
        return jobs.submit(work, job.priority, retry_of=job.id, edits=files, places=places)  # type: ignore[arg-type]

    jobs.otherwise = submit_again
    jobs.retries |= {
        pictures.KIND: draw_again,
        trainings.KIND: training.retry,
        evaluations.KIND: evaluating.retry,
        drifts.KIND: drifting.retry,
        cards.KIND: reporting.retry,
        FEATURES: tastes.retry,
        SCORES: scores.retry,
        readings.KIND: reading.retry,
    }
    return Services(
        archive,
        engine,
        jobs,
        history,
        edits,
        drawing,
        grids,
        training,
        evaluating,
        erasing,
        SliderService(sources, training),
        TogetherService(jobs, edits, erasing),
        BalanceService(archive, jobs, sources),
        drifting,
        reporting,
        labels,
        campaigns,
        tastes,
        AlignmentService(labels, sources, training),
        BlindTestService(labels, campaigns, edits, sources),
        TuningService(archive, labels, campaigns, edits, sources),
        scores,
        comparing,
        ShareService(comparing, archive, jobs, history, drawing, edits),
        ExchangeRuns(archive, LabelExchange(archive)),
    )
