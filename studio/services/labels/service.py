"""Labels: campaigns are set up, questions given out, answers taken in and never lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.answer import Answer, Question
from studio.preference.label import Label
from studio.services.labels.assignment import Assignment
from studio.services.labels.checking import (
    check_words,
    checked_circumstances,
    checked_id,
    checked_name,
    checked_number,
    checked_token,
)
from studio.services.labels.plan import CampaignPlan
from studio.storage.archive import Archive
from studio.storage.labels.annotators import Annotator
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.counts import Counts, Progress
from studio.storage.labels.items import Item, NewItem
from studio.storage.labels.log import Circumstances, Receipt
from studio.storage.labels.snapshots import Snapshot

MAX_AT_ONCE = 50  # questions a page asks for
MAX_HOLDING = 200  # tokens a page says it has
UNKNOWN = Circumstances()


class LabelService:
    """The labels of a workspace. Every method may be called from any thread.

    Campaigns go by their number, annotators by their alias, labels by the id they were sent under.

    prepare: called with a campaign's number before questions are given out, to have some ready; raises nothing.
    """

    def __init__(self, archive: Archive) -> None:
        self.prepare: Callable[[int], None] = lambda campaign: None
        self._archive = archive
        self._store = archive.labels

    # -- campaigns ---------------------------------------------------------------------------------------------------

    def create(self, plan: CampaignPlan) -> Campaign:
        """Write a campaign down; its items are added with `add_items`. Raises BadInput where the name is taken."""
        return self._store.campaigns.add(
            plan.name,
            plan.as_json(),
            mode=plan.mode,
            questions=plan.questions,
            purpose=plan.purpose,
            guideline=plan.guideline,
            target_per_item=plan.target_per_item,
            overlap_share=float(plan.overlap_share),
            repeat_share=float(plan.repeat_share),
            check_share=float(plan.check_share),
            reveal=plan.reveal,
        )

    def campaigns(self, archived: bool = False) -> list[Campaign]:
        """Give the campaigns, newest first; with `archived`, those as well."""
        return self._store.campaigns.list(archived)

    def campaign(self, id: int) -> Campaign:
        """Give one campaign. Raises NotFound."""
        return self._store.campaigns.get(checked_number(id, "campaign"))

    def find(self, name: str) -> Campaign:
        """Give a campaign by its name, or its number as text. Raises NotFound."""
        return self._store.campaigns.find(name)

    def pause(self, campaign: int, on: bool = True) -> Campaign:
        """Give nothing of it out any more, or go on. What was given out may still be answered. Raises NotFound."""
        return self._store.campaigns.change(checked_number(campaign, "campaign"), paused=bool(on))

    def archive(self, campaign: int, on: bool = True) -> Campaign:
        """Put it out of sight, or back. Its labels stay, and are still learned from. Raises NotFound."""
        return self._store.campaigns.change(checked_number(campaign, "campaign"), archived=bool(on))

    def set_guideline(self, campaign: int, guideline: str) -> Campaign:
        """Put another guideline in place; answers say by which version they were given. Raises NotFound, BadInput."""
        check_words("A guideline", guideline, 20_000, "guideline")
        return self._store.campaigns.change(checked_number(campaign, "campaign"), guideline=guideline)

    # -- items -------------------------------------------------------------------------------------------------------

    def add_items(self, campaign: int, new: Sequence[NewItem]) -> list[int]:
        """Write items down, all or none, behind those in the queue; give their numbers.

        Their pictures are held: no purge removes them. Raises NotFound for a picture that is not there, BadInput for
        pictures the campaign's mode does not ask about.
        """
        return self._store.items.add(checked_number(campaign, "campaign"), new)

    def item(self, id: int) -> Item:
        """Give one item, with all that no annotator is to know. Raises NotFound."""
        return self._store.items.get(checked_number(id, "item"))

    def queued(self, campaign: int, limit: int = 100, after: int = 0) -> list[int]:
        """Give numbers of items still to be asked, in the order of the queue: how much there is in store."""
        return self._store.items.queued(checked_number(campaign, "campaign"), limit, after)

    def retire(self, items: Collection[int]) -> int:
        """Ask these items no more; their answers stay. Gives how many were still asked."""
        return self._store.items.retire([checked_number(item, "item") for item in items])

    # -- annotators --------------------------------------------------------------------------------------------------

    def annotator(self, alias: str) -> Annotator:
        """Give the annotator of that name, who is written down if new. Raises BadInput for what is no name."""
        return self._store.annotators.ensure(alias)

    def annotators(self) -> list[Annotator]:
        """Give everybody, in the order they came."""
        return self._store.annotators.list()

    def set_keys(self, alias: str, key_set: Mapping[str, str]) -> Annotator:
        """Keep somebody's own keys, action -> key. Raises NotFound, BadInput."""
        return self._store.annotators.set_keys(checked_name(alias), key_set)

    # -- asking ------------------------------------------------------------------------------------------------------

    def lease(
        self, campaign: int, annotator: str, count: int = 4, *, holding: Collection[str] = ()
    ) -> list[Assignment]:
        """Give somebody the next questions, up to `count`; theirs alone for ten minutes. Empty: there is nothing more.

        What they were given before and have not answered comes first, as it stood, but for `holding`: tokens the page
        has, which are prolonged. So a page that is loaded again asks without, and goes on where it was.
        Raises NotFound for a campaign or annotator that is not there; BadInput for one that is paused.
        """
        if type(count) is not int or not 1 <= count <= MAX_AT_ONCE:
            raise BadInput(f"1 to {MAX_AT_ONCE} questions are given at once, not {shown(count)}.", field="count")
        if len(holding) > MAX_HOLDING:
            raise BadInput(f"A page holds at most {MAX_HOLDING} questions, not {len(holding)}.", field="holding")
        self.prepare(checked_number(campaign, "campaign"))
        leases = self._store.lease(checked_number(campaign, "campaign"), checked_name(annotator), count, set(holding))
        return [Assignment.of(lease) for lease in leases]

    def assignment(self, token: str) -> Assignment:
        """Give the question of a token, answered or not. Raises NotFound."""
        return Assignment.of(self._store.lease_of(checked_token(token)))

    def picture(self, token: str, position: int) -> Path:
        """Give the file of a question's picture.

        position: on the screen, from the left, from 0.
        Raises NotFound for a token nobody was given, or no such position.
        """
        lease = self._store.lease_of(checked_token(token))
        if type(position) is not int or not 0 <= position < len(lease.order):
            raise NotFound(f"The question has {len(lease.order)} pictures, and none at {shown(position)}.")
        path = self._archive.images.find(lease.images[lease.order[position]])
        if path is None:
            raise NotFound("The file of this picture is gone.", "Skip the question.")
        return path

    # -- answers -----------------------------------------------------------------------------------------------------

    def vote(
        self,
        id: str,
        token: str,
        answer: Answer,
        question: Question = "overall",
        circumstances: Circumstances = UNKNOWN,
    ) -> Receipt:
        """Take an answer in. It is on disk when this returns, and was not taken in if this raises.

        id: chosen by who sends it, unique. The same id again gives the same receipt and changes nothing: a page that
        got no reply sends once more.
        token: of the assignment; one that has expired is as good.
        answer: in the item's own order (`Assignment.answer_of_item`).
        Raises NotFound for a token nobody was given; AlreadyAnswered; BadInput for other content under that id, a
        question that is not asked or an answer of another shape; WorkspaceError.
        """
        return self._store.log.vote(
            checked_id(id), checked_token(token), question, answer, checked_circumstances(circumstances)
        )

    def undo(self, id: str, campaign: int, annotator: str, label: str | None = None) -> tuple[Receipt, Assignment]:
        """Take back somebody's newest answer of a campaign, at most 20 in a row, and give the question again.

        Both stay in the log. id: as of `vote`, of the undoing itself.
        label: id of the answer that is meant, in place of the newest: a page that undoes what never arrived must not
        take back what did.
        Raises NotFound, also where that answer does not stand; BadInput where there is none; WorkspaceError.
        """
        receipt, lease = self._store.log.undo(
            checked_id(id), checked_number(campaign, "campaign"), checked_name(annotator), label
        )
        return receipt, Assignment.of(lease)

    def record(self, campaign: int, brought: Sequence[Label]) -> int:
        """Take in labels that were given elsewhere, all or none, up to some hundreds at once; give how many are new.

        brought: their `item` is the number of one of the campaign's items, their answers are in its order; what a label
        supersedes stands before it. Ids that are there with the same content are passed over.
        Raises NotFound, BadInput, AlreadyAnswered, WorkspaceError; then nothing was taken in.
        """
        for label in brought:
            checked_id(label.id)
            checked_circumstances(
                Circumstances(latency_ms=label.latency_ms, confidence=label.confidence, comment=label.comment)
            )
        return self._store.log.record(brought, checked_number(campaign, "campaign"))

    # -- reading -----------------------------------------------------------------------------------------------------

    def progress(self, campaign: int, annotator: str) -> Progress:
        """Say how far a campaign and somebody in it are. Raises NotFound."""
        return self._store.progress(checked_number(campaign, "campaign"), checked_name(annotator))

    def counts(self, campaign: int) -> Counts:
        """Say what a campaign has. Raises NotFound."""
        return self._store.counts(checked_number(campaign, "campaign"))

    def labels(
        self, campaigns: Collection[int] | None = None, *, only_standing: bool = True, with_recipes: bool = True
    ) -> Iterator[Label]:
        """Give labels one by one, in the order they came, without loading them all.

        campaigns: numbers; None for all.
        only_standing: without those that were taken back or changed, and the rows that did so.
        with_recipes: False leaves out how the pictures were made, which is much quicker.
        """
        chosen = None if campaigns is None else [checked_number(campaign, "campaign") for campaign in campaigns]
        return self._store.reader.read(chosen, only_standing=only_standing, with_recipes=with_recipes)

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def snapshot(
        self,
        name: str,
        campaigns: Collection[int] | None = None,
        *,
        seed: int = 0,
        held_out_share: float = 0.2,
        revealed: bool = False,
    ) -> Snapshot:
        """Freeze what may be learned from: labels that stand, without checks, repeats, blind tests, what was not blind,
        and skips.

        campaigns: numbers; None for all.
        seed: of the split: a share of the prompts is held out, with all of their labels.
        held_out_share: 0 to 0.9.
        revealed: also answers that were not blind, because somebody was told what pictures were.
        Raises BadInput where there is nothing to learn from, or the name is taken; NotFound.
        """
        check_words("A snapshot's name", name, 80, "name")
        if not name.strip():
            raise BadInput("A snapshot has a name.", field="name")
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise BadInput(f"The seed of a split is a whole number from 0 on, not {shown(seed)}.", field="seed")
        if type(held_out_share) not in (int, float) or not 0 <= held_out_share <= 0.9:
            message = f"The share that is held out is from 0 to 0.9, not {shown(held_out_share)}."
            raise BadInput(message, field="held_out_share")
        chosen = self.campaigns(archived=True) if campaigns is None else [self.campaign(id) for id in campaigns]
        labels = self.labels(campaigns, with_recipes=False)
        trainable = (label for label in labels if label.trainable or (revealed and label.sighted))
        names = [campaign.name for campaign in chosen]
        return self._store.snapshots.take(name, names, trainable, seed, float(held_out_share))

    def snapshots(self) -> list[Snapshot]:
        """Give all snapshots, newest first."""
        return self._store.snapshots.list()

    def snapshot_labels(self, name: str) -> tuple[Iterator[Label], Iterator[Label]]:
        """Give the labels of a snapshot as they were given: to learn from, and held out. Raises NotFound."""
        snapshot = self._store.snapshots.get(name)
        reader = self._store.reader
        return reader.by_numbers(snapshot.training), reader.by_numbers(snapshot.held_out)
