"""What is known of pictures beyond their pixels: what the oracle or a CLIP reads in them, computed by the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio.core.errors import BadInput, StudioError
from studio.engine.ticket import Priority
from studio.services.history import Generation
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.features import store as feature_store
from studio.training.features.extractors import OWN_CLIP
from studio.training.features.store import Features
from studio.training.readings import store
from studio.training.readings.store import Words
from studio.training.scorers.places import clip_score

if TYPE_CHECKING:
    from studio.world.reading import Reading

KIND = "read"
ORACLE, TONES = "oracle", "tones"
FEATURES_FOLDER = "features"
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of some pictures, by the sha256 of their files.

    readings: of those of Stencil's world.
    scores: (prompt, sha256) -> CLIP score, of others.
    words: (sha256, prompt) -> what the CLIP reads of each word, of others.
    features: sha256 -> (extractor, features).
    unread: pictures of which something can be read that was not, and whose files are there.
    """

    readings: Mapping[str, Reading]
    scores: Mapping[tuple[str, str], float]
    words: Mapping[tuple[str, str], Words]
    features: Mapping[str, tuple[str, Features]]
    unread: tuple[Generation, ...]


class ReadingService:
    """Readings of an open studio's pictures. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._files = _Remembered()

    def known(self, pictures: Iterable[Generation]) -> Known:
        """What is known of pictures by now. Raises WorkspaceError."""
        pictures = list({picture.sha256: picture for picture in pictures}.values())
        readings: dict[str, Reading] = {}
        scores: dict[tuple[str, str], float] = {}
        features: dict[str, tuple[str, Features]] = {}
        unread: list[Generation] = []
        all_readings, all_scores, all_words = self._readings(), self._scores(), self._words()
        words: dict[tuple[str, str], Words] = {}
        other_extractor = OWN_CLIP if self._clip() is not None else TONES
        by_extractor = {name: self._features(name) for name in (ORACLE, other_extractor)}
        for picture in pictures:
            is_of_world = self._is_of_world(picture.recipe.model)
            extractor = ORACLE if is_of_world else other_extractor
            row = by_extractor[extractor].get(picture.sha256)
            if row is not None:
                features[picture.sha256] = (extractor, row)
            is_read = row is not None
            if is_of_world:
                is_read = is_read and picture.sha256 in all_readings
                if picture.sha256 in all_readings:
                    readings[picture.sha256] = all_readings[picture.sha256]
            elif other_extractor == OWN_CLIP:
                key, words_key = _score_key(picture), (picture.sha256, picture.recipe.prompt)
                is_read = is_read and key in all_scores and words_key in all_words
                if words_key in all_words:
                    words[words_key] = all_words[words_key]
                if key in all_scores:
                    scores[picture.recipe.prompt, picture.sha256] = float(all_scores[key][0])
            if not is_read and picture.image_path.is_file():
                unread.append(picture)
        return Known(readings, scores, words, features, tuple(unread))

    def read(self, pictures: Iterable[Generation], priority: Priority = "ahead", retry_of: str | None = None) -> str:
        """Queue a job that reads what is not read and under way nowhere; give its id, "" where nothing is."""
        unread = self.known(pictures).unread
        under_way = self._under_way()
        unread = tuple(picture for picture in unread if picture.sha256 not in under_way)
        if not unread:
            return ""
        return self._submit(
            [(picture.sha256, picture.recipe.model, picture.recipe.prompt) for picture in unread], priority, retry_of
        )

    def retry(self, job: JobRecord) -> str:
        """Read what that job was to read and is not read by now; give the new job's id. Raises BadInput."""
        rows = [(str(image), str(model), str(prompt)) for image, model, prompt in job.payload["pictures"]]
        numbers = self._archive.generations.of_images([image for image, _, _ in rows])
        if not (rows := [row for row in rows if row[0] in numbers]):
            raise BadInput("The pictures that this job was to read are gone.")
        return self._submit(rows, "ahead", job.id)

    def _submit(self, rows: Sequence[tuple[str, str, str]], priority: Priority, retry_of: str | None) -> str:
        files = {image: path for image, _, _ in rows if (path := self._archive.images.find(image)) is not None}
        world = {image: str(files[image]) for image, model, _ in rows if image in files and self._is_of_world(model)}
        unread = [
            [image, str(files[image]), prompt] for image, _, prompt in rows if image in files and image not in world
        ]
        count = len(world) + len(unread)
        payload: dict[str, Any] = {
            "kind": KIND,
            "pictures": [list(row) for row in rows],
            "what": f"what {count} picture{'s show' if count != 1 else ' shows'}",
        }
        clip, models_dir = self._clip(), self._sources.settings.models_dir
        places = {
            "world": world,
            "others": unread,
            "folder": str(self._root / store.FOLDER),
            "features": str(self._root / FEATURES_FOLDER),
            "clip": None if clip is None else str(clip.absolute()),
            "models_dir": None if models_dir is None else str(models_dir.absolute()),
        }
        return self._jobs.submit(payload, priority, retry_of=retry_of, places=places)

    def _under_way(self) -> set[str]:
        """sha256 of the pictures that an unfinished job reads."""
        images: set[str] = set()
        for job in self._jobs.unfinished():
            if job.kind == KIND:
                images |= {str(row[0]) for row in job.payload["pictures"]}
        return images

    def _readings(self) -> Mapping[str, Reading]:
        path = store.newest(self._root / store.FOLDER)
        return {} if path is None else self._files.get(path, store.read)

    def _features(self, extractor: str) -> Mapping[str, Features]:
        path = feature_store.newest(self._root / FEATURES_FOLDER, extractor)
        return {} if path is None else self._files.get(path, feature_store.read)

    def _scores(self) -> Mapping[str, Features]:
        return self._features("score_clip_score")

    def _words(self) -> Mapping[tuple[str, str], Words]:
        path = store.newest(self._root / store.FOLDER, "words-")
        return {} if path is None else self._files.get(path, store.read_words)

    def _clip(self) -> Path | None:
        """The CLIP that others than Stencil's pictures are held against: of the models folder, no other scorer's."""
        return clip_score(self._sources.settings.models_dir).path

    def _is_of_world(self, model: str) -> bool:
        try:
            return self._sources.is_of_world(model)
        except StudioError:
            return False  # it is gone, and so is what it could be told by

    @property
    def _root(self) -> Path:
        return self._archive.workspace.root


class _Remembered:
    """What files hold, read again where they have changed."""

    def __init__(self) -> None:
        self._contents: dict[Path, tuple[tuple[int, int], Any]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, read: Callable[[Path], _T]) -> _T:
        try:
            stat = path.stat()
            key = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            key = (0, 0)
        with self._lock:
            if path not in self._contents or self._contents[path][0] != key:
                self._contents[path] = (key, read(path))
            return self._contents[path][1]


def _score_key(picture: Generation) -> str:
    from studio.training.scorers.job import score_key  # brings torch

    return score_key(picture.sha256, picture.recipe.prompt)
