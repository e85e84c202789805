"""Features of a campaign's pictures: which ones suit them, and computed by the engine where they are missing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from studio.core.errors import AssetError, BadInput, EngineError, NotFound
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.storage.labels.pool import Pool
from studio.training.features import store
from studio.training.features.extractors import OWN_CLIP, names, own_clips

KIND = "features"
POLL_S = 0.2


class CampaignFeatures:
    """Features of the pictures of campaigns. Every method may be called from any thread.

    closing: set where waiting is to end.
    """

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, closing: threading.Event) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._closing = closing

    def suiting(self, pool: Pool) -> Sequence[str]:
        """Names of the extractors that can read a pool's pictures, the best first."""
        models = {picture.model for picture in pool.pictures}
        is_foreign = any(picture.is_foreign for picture in pool.pictures)
        of_world = bool(models) and not is_foreign and all(self._is_of_world(model) for model in models)
        return names(of_world, self._sources.settings.models_dir)

    def present(self, pool: Pool, extractor: str) -> dict[str, store.Features]:
        """sha256 of a picture -> its features, as far as they are there."""
        path = store.newest(self._folder, extractor)
        rows = {} if path is None else store.read(path)
        return {picture.sha256: rows[picture.sha256] for picture in pool.pictures if picture.sha256 in rows}

    def computed(self, campaign: int, pool: Pool, extractor: str) -> dict[str, store.Features]:
        """The same, waiting for a job in the background that computes what is missing.

        Pictures whose files are gone have none. Raises EngineError where the job failed or was stopped, or the studio
        is closed.
        """
        if not self._missing(pool, extractor):
            return self.present(pool, extractor)
        job = self._submit(campaign, pool, extractor)
        while not (record := self._jobs.get(job)).over:
            if self._closing.wait(POLL_S):
                raise EngineError("The studio was closed.")
        if record.status != "done":
            raise EngineError(f"The features of the pictures were not computed: {record.error or 'it was stopped.'}")
        return self.present(pool, extractor)

    def retry(self, job: JobRecord) -> str:
        """Compute what is missing by now; give the new job's id. Raises BadInput where nothing is."""
        campaign, extractor = int(job.payload["campaign"]), str(job.payload["extractor"])
        pool = self._archive.labels.pools.of(campaign)
        if not self._missing(pool, extractor):
            raise BadInput("All pictures of the campaign have these features by now.")
        return self._submit(campaign, pool, extractor, retry_of=job.id)

    def _missing(self, pool: Pool, extractor: str) -> dict[str, str]:
        """sha256 -> file of the pictures that have a file and no features."""
        missing = {picture.sha256 for picture in pool.pictures} - set(self.present(pool, extractor))
        files = ((sha256, self._archive.images.find(sha256)) for sha256 in sorted(missing))
        return {sha256: str(path) for sha256, path in files if path is not None}

    def _submit(self, campaign: int, pool: Pool, extractor: str, retry_of: str | None = None) -> str:
        files = self._missing(pool, extractor)
        clips = own_clips(self._sources.settings.models_dir)
        payload = {
            "kind": KIND,
            "campaign": campaign,
            "extractor": extractor,
            "pictures": len(files),
            "what": f"features of {len(files)} pictures",
        }
        places = {
            "pictures": files,
            "folder": str(self._folder),
            "clip": str(clips[0].absolute()) if extractor == OWN_CLIP and clips else None,
        }
        return self._jobs.submit(payload, "background", retry_of=retry_of, places=places)

    @property
    def _folder(self) -> Path:
        return self._archive.workspace.root / "features"

    def _is_of_world(self, model: str) -> bool:
        try:
            return self._sources.is_of_world(model)
        except (NotFound, AssetError):
            return False  # it is gone, and so is what it could be told by
