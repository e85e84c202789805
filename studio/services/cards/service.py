"""Report cards of erasures: started, counted when their pictures are drawn, and kept by the edit's hash."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from studio.core.errors import BadInput
from studio.services.cards import page as pages
from studio.services.cards.counting import counted
from studio.services.cards.request import Sight, for_card, picture_count, recipes_of, request_of, sights_of
from studio.services.cards.sights import numbered, pictures_in, row_key
from studio.services.drifts import DriftService
from studio.services.edits.library import EditEntry, EditLibrary
from studio.services.estimate import seconds_for
from studio.services.evaluations import EvaluationService
from studio.services.history import History
from studio.services.jobs import MAX_JOBS_LISTED, JobService
from studio.services.runs import new_run
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.storage.reports import ReportKey
from studio.training.erase.card.budget import BUDGETS, Budget, budget_named
from studio.training.erase.card.inverting import ARMS
from studio.training.erase.card.inverting import WORLD_S as INVERTING_S
from studio.training.erase.card.relearning import WORLD_S
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.protocol import Protocol

KIND = "card"
USUAL = "standard"
WORLD_PACE_S = 0.3  # of a picture of the world with 12 steps, where none was drawn in this run: measured at 0.2 to 0.4
DRIFT_LEVELS = 8  # of noise, of each picture of a divergence
FORMAT = 1  # of what is kept; a card of another is drawn anew

Card = dict[str, Any]


class CardService:
    """The report cards of an open studio. Every method may be called from any thread."""

    def __init__(
        self,
        archive: Archive,
        jobs: JobService,
        history: History,
        sources: Sources,
        edits: EditLibrary,
        evaluations: EvaluationService,
        drifts: DriftService,
    ) -> None:
        self._drifts = drifts
        self._archive, self._jobs, self._history = archive, jobs, history
        self._sources, self._edits, self._evaluations = sources, edits, evaluations
        self._pace_s: dict[str, float] = {}  # model -> seconds a picture took in the latest card of this run
        self._open: dict[str, list[str]] = {}  # edit's hash -> jobs whose cards are not kept yet
        self._lock = threading.Lock()

    def outlook(self, edit: str, budget: str = USUAL) -> dict[str, Any]:
        """What a card would take: "pictures" at most, and "seconds", None where no pace was measured.

        Raises as `start`.
        """
        entry, chosen = self._edits.show(edit), budget_named(budget)
        subject = self._subject(entry)
        protocol = self._protocol(subject)
        sights = self._unseen(entry, subject, chosen)
        recipes = recipes_of(sights, subject, entry.id, protocol, self._side_px(subject))
        request = request_of(subject, entry.id, chosen, protocol)
        pictures = picture_count(request, subject, chosen) + len(recipes)
        seconds, more_s = self._seconds(subject, protocol, pictures), 0.0
        if subject.in_world:
            more_s = WORLD_S * chosen.is_relearned + len(ARMS) * INVERTING_S * chosen.is_inverted
        return {"pictures": pictures, "seconds": None if seconds is None else seconds + more_s}

    def start(self, edit: str, budget: str = USUAL) -> str:
        """Queue a card in the background; give the job's id. What is known of its pictures is not drawn again.

        budget: by name (studio.training.erase.card.budget.BUDGETS).
        Raises NotFound for an edit, a budget or a model that is not there, BadInput for an edit that no erasure made or
        that cannot be used.
        """
        entry, chosen = self._edits.show(edit), budget_named(budget)
        subject = self._subject(entry)
        protocol, sights = self._protocol(subject), self._unseen(entry, subject, chosen)
        recipes = recipes_of(sights, subject, entry.id, protocol, self._side_px(subject))
        about = {
            "edit": entry.id,
            "sha256": entry.sha256,
            "budget": chosen.name,
            "subject": subject.plain(),
            "sights": [asdict(sight) for sight in sights],
        }
        job = self._evaluations.start(
            request_of(subject, entry.id, chosen, protocol),
            KIND,
            f"report card of {entry.name}",
            card=about,
            pictures=[recipe.model_dump(mode="json") for recipe in recipes],
            drift=self._divergences(subject, entry.id, chosen, protocol),
        )
        with self._lock:
            self._open.setdefault(entry.sha256, []).append(job)
        return job

    def card(self, edit: str, budget: str = "") -> Card | None:
        """The fullest card there is of an edit, or that of one budget; None before one was drawn to its end.

        Raises NotFound for an edit that is not there, AssetError for a card that is damaged.
        """
        entry = self._edits.show(edit)
        for job in self._unsettled(entry):
            self._settle(job, entry)
        cards = self._kept(entry)
        fitting = [card for card in cards if budget in ("", card["budget"])]
        if not fitting:
            return None
        best = max(fitting, key=lambda card: list(BUDGETS).index(card["budget"]))
        # The names of today: a card goes by the edit's hash.
        return {**best, "edit": {"id": entry.id, "name": entry.name, "sha256": entry.sha256}}

    def page(self, edit: str, budget: str = "") -> str:
        """The card as one HTML file with its pictures in it. Raises as `card`, BadInput where there is none."""
        return pages.page(*self._shown(edit, budget))

    def fragment(self, edit: str, budget: str = "") -> str:
        """The card as HTML to put into a page that has the style sheet (`page.CARD_CSS`). Raises as `page`."""
        return pages.fragment(*self._shown(edit, budget))

    def retry(self, job: JobRecord) -> str:
        """Queue what is left of a card; give the new job's id. Raises BadInput, NotFound."""
        again = self._evaluations.retry(job)
        with self._lock:
            self._open.setdefault(str(job.payload["card"]["sha256"]), []).append(again)
        return again

    def _shown(self, edit: str, budget: str) -> tuple[Card, dict[int, bytes]]:
        card = self.card(edit, budget)
        if card is None:
            name = self._edits.show(edit).name
            raise BadInput(f"There is no report card of {name} yet.", "Evaluate it first.", field="edit")
        return card, {id: png for id in pictures_in(card) if (png := self._png(id)) is not None}

    def _png(self, id: int) -> bytes | None:
        """None for a picture whose file is gone: the rest of the card is shown all the same."""
        try:
            return self._history.get(id).image_path.read_bytes()
        except (BadInput, OSError):
            return None

    def _subject(self, entry: EditEntry) -> Subject:
        if entry.problem:
            raise BadInput(entry.problem)
        erasure = entry.provenance.get("erasure")
        if isinstance(alignment := entry.provenance.get("alignment"), Mapping):
            model = str(alignment.get("model"))
            values = {"model": model, "concepts": (), "seed": alignment.get("seed"), "open": _open_prompts(entry)}
            return Subject.load(values, self._sources.is_of_world(model))
        if not isinstance(erasure, Mapping):
            raise BadInput(
                f"The edit {entry.name} does not say which concept it erases, so nothing can be asked of it.",
                f"Measure it with suites: evaluate one-object --edits {entry.name}.",
                field="edit",
            )
        model = erasure.get("model")
        return Subject.load(erasure, isinstance(model, str) and self._sources.is_of_world(model))

    def _protocol(self, subject: Subject) -> Protocol:
        return for_card(self._evaluations.usual_protocol(subject.model), subject.in_world)

    def _divergences(self, subject: Subject, edit: str, budget: Budget, protocol: Protocol) -> dict[str, Any] | None:
        """What is measured in nats; None of a model whose pictures take too long for it."""
        if not subject.in_world or not budget.drift:
            return None
        request = self._drifts.of_edit(
            edit, model=subject.model, pictures=budget.drift, levels=DRIFT_LEVELS, steps=protocol.steps
        )
        return {"request": request, "run": new_run()}

    def _side_px(self, subject: Subject) -> int:
        return self._sources.card(subject.model).default_size_px

    def _seconds(self, subject: Subject, protocol: Protocol, pictures: int) -> float | None:
        if pace := self._pace_s.get(subject.model):
            return round(pace * pictures, 1)
        recipe = recipes_of(sights_of(subject, BUDGETS[USUAL])[-1:], subject, "", protocol, self._side_px(subject))[0]
        picture_s = seconds_for(self._jobs, [recipe]) or (WORLD_PACE_S if subject.in_world else None)
        return None if picture_s is None else round(picture_s * pictures, 1)

    # -- kept -------------------------------------------------------------------------------------------------------

    def _kept(self, entry: EditEntry) -> list[Card]:
        keys = [key for key in self._archive.reports.of_edit(entry.sha256) if key.suite.startswith(f"{KIND}-")]
        cards = [card for key in keys if (card := self._archive.reports.get(key)) is not None]
        return [card for card in cards if card.get("format") == FORMAT]

    def _unsettled(self, entry: EditEntry) -> list[JobRecord]:
        """Jobs of cards of this edit that are over, and whose cards are not kept.

        Those of an earlier run of the studio are looked for once.
        """
        with self._lock:
            first = entry.sha256 not in self._open
            ids = self._open.setdefault(entry.sha256, [])
        if first:
            newest = self._jobs.newest(MAX_JOBS_LISTED)
            settled = {card["job"] for card in self._kept(entry)}
            mine = [job for job in newest if job.kind == KIND and job.payload["card"]["sha256"] == entry.sha256]
            ids = [job.id for job in reversed(mine) if job.id not in settled]
        records = [self._jobs.get(id) for id in ids]
        with self._lock:
            self._open[entry.sha256] = [job.id for job in records if not job.over]
        return [job for job in records if job.status == "done"]

    def _settle(self, job: JobRecord, entry: EditEntry) -> None:
        """Count what a job has drawn, and keep it."""
        about = job.payload["card"]
        subject, budget = Subject.load(about["subject"], False), budget_named(str(about["budget"]))
        sights, model_hash = self._sights(job, entry, subject, budget)
        if not model_hash:
            return  # its pictures were discarded with it: nothing says which weights drew them
        divergences = job.payload.get("drift")
        outside = self._drifts.rows(divergences) if divergences else {}
        values = counted(job, subject, budget, self._evaluations, outside)
        end = self._jobs.events(job.id)[-1].data
        if end.get("drawn"):
            self._pace_s[values["subject"]["model"]] = end["seconds"] / end["drawn"]
        values |= {
            "format": FORMAT,
            "job": job.id,
            "protocol": job.payload["request"]["protocol"],
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "model_hash": model_hash,
            "sights": sights,
            "method": entry.provenance.get("method", ""),
            "measures": entry.provenance.get("measures", {}),
        }
        key = ReportKey(entry.sha256, model_hash, f"{KIND}-{budget.name}")
        self._archive.keep_report(key, values, pictures_in(values))

    def _unseen(self, entry: EditEntry, subject: Subject, budget: Budget) -> list[Sight]:
        """The rows of pictures that a card of this budget shows, and no earlier card has."""
        seen = {row_key(row) for card in self._kept(entry) for row in card["sights"]}
        return [sight for sight in sights_of(subject, budget) if row_key(asdict(sight)) not in seen]

    def _sights(
        self, job: JobRecord, entry: EditEntry, subject: Subject, budget: Budget
    ) -> tuple[list[dict[str, Any]], str]:
        """The rows of pictures with their numbers in the history, and the hash of the model that drew them.

        Those of earlier cards where this one has not drawn its own. A picture that is missing has no number.
        """
        cards, records = self._kept(entry), self._archive.generations.of_job(job.id)
        drawn = numbered(job.payload["card"]["sights"], records)
        rows = {row_key(row): row for row in (*(row for card in cards for row in card["sights"]), *drawn)}
        keys = [row_key(asdict(sight)) for sight in sights_of(subject, budget)]
        hashes = [*(str(record.made_by["model_hash"]) for record in records), *(card["model_hash"] for card in cards)]
        return [rows[key] for key in keys if key in rows], next(iter(hashes), "")


def _open_prompts(entry: EditEntry) -> Sequence[str]:
    """Prompts as those that an alignment learned from: held-out ones, else those it learned from."""
    training = entry.provenance.get("training")
    training = training if isinstance(training, Mapping) else {}
    judged = training.get("judged")
    if isinstance(judged, Mapping) and judged.get("prompts"):
        return judged["prompts"]
    rows = training.get("prompts") or ()
    return list(dict.fromkeys(text for row in rows for text in list(row.values())[:1] if text))
