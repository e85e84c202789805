"""Drawing what campaigns ask about: ahead of whoever labels, in shared batches, and on where it stopped.

Which pictures are missing follows from the tables; a job is only ever queued for those. What is drawn whole becomes an
item of the campaign: a thread follows the jobs, and whoever looks at a campaign makes up for what it missed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from PIL import Image

from studio.core.errors import BadInput, NotFound, StudioError, WorkspaceError
from studio.core.recipe import Recipe
from studio.preference.answer import FIRST, SECOND, Answer
from studio.preference.campaign import MAX_ITEMS, PlannedItem, again
from studio.services.checks import check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.jobs import JobService
from studio.services.labels.alikeness import Look, are_alike, look_of
from studio.services.labels.service import LabelService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.storage.labels.items import NewItem
from studio.storage.planned.records import ALIKE, ASKED, PlannedCounts, PlannedRecord
from studio.storage.workspace import workspace_error

KIND, ORIGIN = "generate", "campaign"
AHEAD = 20  # items that are to be ready for whoever labels
PER_JOB = 128  # pictures, so that the first job's pairs are there while others wait, and a Stop stops little
MAX_ATTEMPTS = 3  # at pictures that are not alike
AT_ONCE = 16  # items looked at while somebody waits for a question


@dataclass(frozen=True)
class Standing:
    """How far a campaign is drawn.

    counts: of its pictures and items.
    jobs: ids of those under way, the first of them in hand or next.
    ended: the last job that left something undrawn, where none is under way; None where nothing was tried.
    """

    counts: PlannedCounts
    jobs: tuple[str, ...] = ()
    ended: JobRecord | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether nothing more is drawn until somebody says so: it was stopped, or failed."""
        return self.ended is not None and self.ended.status in ("cancelled", "failed")

    @property
    def is_untried(self) -> bool:
        """Whether what is missing was left to no job so far, as what is to be drawn again."""
        return self.counts.missing > 0 and not self.jobs and self.ended is None

    @property
    def trouble(self) -> str:
        """Why something is missing and not being drawn, a sentence; "" where nothing is, or something is under way."""
        if not self.counts.missing or self.jobs:
            return ""
        if self.ended is None:
            return "Some pictures are not drawn yet."
        reason = {"cancelled": "stopped", "failed": "given up", "interrupted": "interrupted"}.get(self.ended.status)
        error = f": {self.ended.error}" if self.ended.status == "failed" and self.ended.error else "."
        return (
            f"Drawing was {reason}{error}" if reason else "Some pictures were thrown away before they were asked about."
        )


class CampaignDrawing:
    """The pictures of campaigns. Every method may be called from any thread."""

    def __init__(
        self, archive: Archive, jobs: JobService, sources: Sources, edits: EditLibrary, labels: LabelService
    ) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._edits = edits
        self._labels = labels
        self._turn = threading.RLock()  # two at once would draw, or ask, the same twice
        self._followers: dict[int, threading.Thread] = {}  # by campaign
        self._closing = threading.Event()

    def draw(self, campaign: int, retry_of: str | None = None) -> list[str]:
        """Queue jobs for every picture that is missing and that no job is about to draw; give their ids.

        Raises BadInput or NotFound for a recipe that no engine can run any more; those before it are queued.
        """
        with self._turn:
            missing = self._missing(campaign)
            name = self._labels.campaign(campaign).name
            job_ids: list[str] = []
            for start in range(0, len(missing), PER_JOB):
                part = missing[start : start + PER_JOB]
                recipes = [recipe for _, _, recipe in part]
                files = check_recipes(recipes, self._sources, self._edits)
                payload = {
                    "kind": KIND,
                    "recipes": [settled(recipe).model_dump(mode="json") for recipe in recipes],
                    "what": f"To be labelled, {name}: {len(part)} pictures",
                    "origin": ORIGIN,
                    "latents": True,
                    "previews": False,
                }
                places = [(number, place) for number, place, _ in part]

                def assign(job_id: str, places: Sequence[tuple[int, int]] = places) -> None:
                    self._archive.planned.assign(campaign, job_id, places)

                # The pictures are the job's before it can tell of its first.
                job_id = self._jobs.submit(payload, "ahead", retry_of=retry_of, edits=files, written=assign)
                job_ids.append(job_id)
                retry_of = None
            if job_ids:
                self._follow(campaign)
            return job_ids

    def stop(self, campaign: int) -> None:
        """Stop drawing for a campaign; what is drawn is kept. `draw` goes on."""
        for job in self._standing(campaign).jobs:
            self._jobs.stop(job)

    def hand_over(self, campaign: int, most: int = MAX_ITEMS) -> int:
        """Make items of what is drawn whole; give how many. Pictures that came out alike are planned anew.

        most: items to look at.
        Near-duplicates are drawn again at other seeds, and left out the third time, but for those of a test.
        Raises WorkspaceError.
        """
        with self._turn:
            drawn = self._archive.planned.drawn(campaign, most)
            pictures = {number for record in drawn for number in record.generations if number is not None}
            asked_pictures = self._archive.planned_progress.asked(campaign, pictures)
            settled_numbers, left_out, new = list[int](), list[int](), list[NewItem]()
            # In a blind test they are asked as they are: that a recipe changes little is what it is to find out.
            is_test = self._labels.campaign(campaign).purpose == "eval"
            for record in drawn:
                if set(record.generations) & asked_pictures:
                    settled_numbers.append(record.number)
                elif record.wrong is None and not is_test and self._has_alike(record):
                    if record.attempt + 1 < MAX_ATTEMPTS:
                        self._archive.planned.redraw(campaign, record.number, _other_recipes(record))
                    else:
                        left_out.append(record.number)
                else:
                    new.append(_item_of(record))
                    settled_numbers.append(record.number)
            if new:
                self._labels.add_items(campaign, new)
            if settled_numbers:
                self._archive.planned.settle(campaign, settled_numbers, ASKED)
            if left_out:
                self._archive.planned.settle(campaign, left_out, ALIKE)
            if drawn and not self._closing.is_set() and self._standing(campaign).is_untried:
                with contextlib.suppress(BadInput, NotFound):  # which `standing` shows, and `draw` says why
                    self.draw(campaign)  # all at once what came out alike, when the rest is drawn
            return len(new)

    def keep_ahead(self, campaign: int) -> None:
        """Have questions ready for whoever labels; called when some are given out. Raises no StudioError.

        What a killed program left is drawn on; what somebody stopped, or what failed, is not. Where another thread is
        at it already, that will do.
        """
        if not self._turn.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(StudioError):
                if self._archive.planned_progress.counts(campaign).is_settled:
                    return
                self.hand_over(campaign, AT_ONCE)
                is_short = len(self._labels.queued(campaign, AHEAD)) < AHEAD
                if is_short and not self._standing(campaign).is_held_up:
                    self.draw(campaign)
        finally:
            self._turn.release()

    def standing(self, campaign: int) -> Standing:
        """Say how far a campaign is drawn, once what is drawn whole was handed over. Raises WorkspaceError."""
        self.hand_over(campaign)
        return self._standing(campaign)

    def is_coming(self, campaign: int) -> bool:
        """Whether something is still to be asked that nobody can answer yet: it is being drawn, or about to be."""
        return (
            not self._archive.planned_progress.counts(campaign).is_settled and not self._standing(campaign).is_held_up
        )

    def begin_closing(self) -> None:
        """Queue nothing more: called before the engine is closed."""
        self._closing.set()

    def close(self) -> None:
        """Let go of the campaigns: called when no job runs any more, and before the archive is closed."""
        self.begin_closing()
        for follower in list(self._followers.values()):
            follower.join()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _follow(self, campaign: int) -> None:
        """Have what is drawn handed over as it comes."""
        follower = self._followers.get(campaign)
        if follower is None or not follower.is_alive():
            follower = threading.Thread(target=self._hand_over_as_drawn, args=(campaign,), name="campaign", daemon=True)
            self._followers[campaign] = follower
            follower.start()

    def _hand_over_as_drawn(self, campaign: int) -> None:
        """Until nothing is under way. Tells nobody of trouble: whoever looks at the campaign meets the same."""
        try:
            while not self._closing.is_set() and (jobs := self._standing(campaign).jobs):
                since, is_over = 0, False
                while not is_over and not self._closing.is_set():
                    events = self._jobs.events(jobs[0], since, wait_s=1.0)
                    since = events[-1].seq if events else since
                    is_over = any(event.final for event in events)
                    if is_over or any(event.kind == "image" for event in events):
                        self.hand_over(campaign)
        except StudioError:
            pass
        except Exception:
            if not self._closing.is_set():  # else the studio was closed in the middle of it
                logging.getLogger(__name__).exception("what is drawn for campaign %s is not handed over", campaign)

    def _standing(self, campaign: int) -> Standing:
        counts = self._archive.planned_progress.counts(campaign)
        jobs = [self._job(id) for id in self._archive.planned_progress.jobs(campaign)] if counts.missing else []
        under_way = tuple(job.id for job in jobs if job is not None and not job.over)
        ended = [job for job in jobs if job is not None and job.over]
        return Standing(counts, under_way, ended[-1] if ended and not under_way else None)

    def _missing(self, campaign: int) -> list[tuple[int, int, Recipe]]:
        """(number, place, recipe) of each picture that is missing and that no job is about to draw."""
        under_way = set(self._standing(campaign).jobs)
        return [
            (record.number, place, recipe)
            for record in self._archive.planned.open(campaign)
            for place, recipe in enumerate(record.recipes)
            if record.generations[place] is None and record.jobs[place] not in under_way
        ]

    def _has_alike(self, record: PlannedRecord) -> bool:
        looks = [self._look(image) for image in record.images]
        return any(are_alike(first, second) for first, second in combinations(looks, 2))

    def _look(self, image: str) -> Look:
        try:
            with Image.open(self._archive.images.path(image), formats=["PNG"]) as opened:
                return look_of(opened)
        except OSError as error:
            raise workspace_error(error, "A picture to be labelled") from None

    def _job(self, id: str) -> JobRecord | None:
        """A row of the ledger; None of one that cannot be read, for no engine has that."""
        try:
            return self._jobs.get(id)
        except (WorkspaceError, NotFound):
            return None


def _other_recipes(record: PlannedRecord) -> tuple[Recipe, ...]:
    """The same pictures at other seeds, which follow from what they were and how often that was tried."""
    text = f"{record.attempt}:{record.recipes[0].digest()}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return again(PlannedItem(record.prompt, record.recipes, record.arms, record.wrong), seed).recipes


def _item_of(record: PlannedRecord) -> NewItem:
    pictures = tuple(number for number in record.generations if number is not None)
    if record.wrong is None:
        return NewItem(record.prompt, pictures, source="campaign")
    expected = Answer.thumb(False) if len(pictures) == 1 else Answer.pair(SECOND if record.wrong == 0 else FIRST)
    return NewItem(record.prompt, pictures, purpose="check", expected=expected, source="campaign")
