"""Tunings of an open studio: started from a recipe, asked on as votes come in, taken over as a preset and a stack."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from collections.abc import Sequence
from itertools import islice

import numpy as np

from studio.core.errors import BadInput, StudioError
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.preference.prompt_list import MAX_PROMPTS
from studio.services.checks import check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.labels.campaigns import CampaignService
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.services.presets import GuidancePresets
from studio.services.sources import Sources
from studio.services.tunings.plan import OPEN_PROMPTS, QUESTIONS, Form, TuningPlan
from studio.services.tunings.reading import Reading, question, read, with_question
from studio.services.tunings.sliders import Slider, check_sliders
from studio.services.tunings.tuning import Accepted, Tuning
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign
from studio.world.open_prompts import open_prompts

AHEAD = 3  # questions without an answer, that on the screen among them: further ones know the answers to these
KEY = "tuning"  # of the stored design
GUIDELINE = "Which do you prefer? If you see no difference worth a choice, say so."


class TuningService:
    """The tunings of an open studio. Every method may be called from any thread."""

    def __init__(
        self, archive: Archive, labels: LabelService, campaigns: CampaignService, edits: EditLibrary, sources: Sources
    ) -> None:
        self._archive = archive
        self._labels = labels
        self._campaigns = campaigns
        self._edits = edits
        self._sources = sources
        self._turn = threading.Lock()  # two at once would plan a question twice
        self._plans: dict[int, TuningPlan | None] = {}
        self._readings: dict[int, tuple[object, Reading]] = {}
        labels.prepare = self.prepare

    def start(
        self,
        recipe: Recipe,
        sliders: Sequence[Slider],
        *,
        name: str = "",
        prompts: Sequence[str] = (),
        form: Form = "pair",
        most: int = QUESTIONS,
        seed: int | None = None,
        draws: bool = True,
    ) -> Tuning:
        """Make a tuning, whose first pictures are drawn ahead of whoever answers.

        recipe: where it starts; prompt and seed do not count.
        prompts: what is drawn; none: from the grammar of Stencil's world, of a model of it.
        name: of its campaign; "" is taken from what is tuned.
        seed: None takes one that nobody chose.
        Raises BadInput or NotFound before anything is written: for nothing to tune, an empty range, what no engine can
        draw, no prompts, or a name that is taken.
        """
        base = recipe.model_copy(update={"prompt": "", "seed": 0, "variation_seed": None, "variation_strength": 0.0})
        check_recipes([base], self._sources, self._edits)
        base = settled(base)
        seed = secrets.randbits(63) if seed is None else seed
        values = {"form": form, "most": most, "seed": seed, "recipe": base.model_dump(mode="json")}
        # Read twice: what is wrong with form and number has its sentence before the sliders are looked at.
        rough = TuningPlan.read({**values, "sliders": [_ANY], "prompts": ["any"]})
        checked = check_sliders(base, sliders, self._sources, self._edits, rough.size)
        texts = self._prompts(prompts, base, seed)
        plan = TuningPlan.read({**values, "sliders": [slider.model_dump() for slider in checked], "prompts": texts})
        probes = [plan.recipes(number, plan.probe(number)) for number in range(len(plan.sliders))]
        check_recipes([recipe for _, recipes in probes for recipe in recipes], self._sources, self._edits)
        campaign = self._labels.create(
            CampaignPlan(
                name or self._free_name(plan),
                source="planned",
                mode=form,
                purpose="eval",
                guideline=GUIDELINE,
                overlap_share=0.0,
                repeat_share=0.0,
                check_share=0.0,
            )
        )
        rows = [(prompt, tuple(range(plan.size)), None, recipes) for prompt, recipes in probes]
        self._archive.planned.add(campaign.id, rows, {KEY: plan.model_dump(mode="json")})
        self._plans[campaign.id] = plan
        if draws:
            self._ask_on(campaign.id)
            self._campaigns.drawing.draw(campaign.id)
        return self.get(campaign.id)

    def get(self, campaign: int) -> Tuning:
        """Give a tuning as it stands. Raises NotFound, and BadInput for a campaign that is none."""
        record = self._labels.campaign(campaign)
        plan = self._plan(record.id)
        if plan is None:
            raise BadInput(f"The campaign {shown(record.name)} is no tuning.")
        standing = self._campaigns.standing(record.id)
        return Tuning(record, plan, self._reading(record.id, plan), standing.counts.missing, standing.trouble)

    def find(self, name: str) -> Tuning:
        """Give a tuning by the name or number of its campaign. Raises as `get`."""
        return self.get(self._labels.find(name).id)

    def list(self, archived: bool = False) -> list[Campaign]:
        """The campaigns of all tunings, newest first; with `archived`, those as well."""
        return [record for record in self._labels.campaigns(archived) if self._plan(record.id) is not None]

    def is_over(self, campaign: int) -> bool:
        """Whether a campaign is a tuning that asks nothing further. Raises NotFound."""
        return self._plan(campaign) is not None and self.get(campaign).is_over

    def prepare(self, campaign: int) -> None:
        """Have questions ready for whoever labels (`LabelService.prepare`); of a tuning, plan what to ask next.

        Raises no StudioError: what cannot be drawn is said where the tuning is looked at.
        """
        self._campaigns.drawing.keep_ahead(campaign)
        with contextlib.suppress(StudioError):
            if self._plan(campaign) is None or not self._ask_on(campaign):
                return
            # Whoever else is drawing just now is waited for: `keep_ahead` would leave it to the next who asks.
            if not self._campaigns.standing(campaign).is_held_up:
                self._campaigns.drawing.draw(campaign)

    def accept(self, campaign: int, presets: GuidancePresets, name: str = "") -> Accepted:
        """Take over what people prefer so far: its guidance is saved as a preset, its edits are given as a stack.

        name: of the preset; "" is that of the tuning. Raises BadInput before the first vote, where nothing is preferred
        to the start, or for a name that is taken; NotFound, WorkspaceError.
        """
        tuning = self.get(campaign)
        best, standing = tuning.best, tuning.reading.standing
        if best is None or standing is None:
            raise BadInput(tuning.verdict, "Answer some of its questions first.")
        if standing.best == standing.start:
            raise BadInput(
                "Nothing is preferred to where the tuning started so far: there is nothing to take over.",
                "Answer more of its questions.",
            )
        against = standing.against_start
        caveat = ""
        if not standing.is_better:
            caveat = (
                f"That it is better than the start is not certain: it would win {against.expected:.0%} of the votes "
                f"({against.low:.0%} to {against.high:.0%})."
            )
        preset = ""
        if any(slider.path.startswith("guidance") for slider in tuning.plan.sliders):
            note = f"Tuned by {standing.votes} votes: {tuning.campaign.name}"
            preset = presets.save(name.strip() or _preset_name(tuning.campaign.name), best.guidance, note).name
        return Accepted(best, preset, best.edits, caveat)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _ask_on(self, campaign: int) -> bool:
        """Plan questions until enough are without an answer; say whether any was."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            plan = self._plan(campaign)
            assert plan is not None, "asked of tunings alone"
            reading = self._reading(campaign, plan)
            self._retire(campaign, reading)
            is_more = False
            while (
                reading.standing is not None
                and not reading.standing.is_enough
                and reading.questions < plan.most
                and len(reading.pending) < AHEAD
            ):
                points = question(plan, reading)
                prompt, recipes = plan.recipes(reading.questions, points)
                row = (prompt, tuple(range(plan.size)), None, recipes)
                self._archive.planned.add(campaign, [row], {KEY: plan.model_dump(mode="json")})
                reading = with_question(plan, reading, points)
                is_more = True
            return is_more
        finally:
            self._turn.release()

    def _reading(self, campaign: int, plan: TuningPlan) -> Reading:
        labels = list(self._labels.labels([campaign]))
        records = self._archive.planned.every(campaign)
        key = (tuple(label.id for label in labels), tuple(record.images for record in records))
        known = self._readings.get(campaign)
        if known is not None and known[0] == key:
            return known[1]
        reading = read(plan, labels, records, self._archive.images.find)
        self._readings[campaign] = (key, reading)
        return reading

    def _retire(self, campaign: int, reading: Reading) -> None:
        """Ask nothing about sliders that change no picture, and nothing at all where none does."""
        if not reading.idle:
            return
        records = self._archive.planned.every(campaign)
        idle_images = {record.images for record in records if record.number in reading.idle or not reading.live}
        queued = self._labels.queued(campaign)
        self._labels.retire([item for item in queued if self._labels.item(item).images in idle_images])

    def _plan(self, campaign: int) -> TuningPlan | None:
        if campaign in self._plans:
            return self._plans[campaign]
        stored = self._archive.planned.design(campaign)
        if stored is None:
            return None  # not kept: what is just being made gets its design in a moment
        plan = TuningPlan.read(stored[KEY]) if KEY in stored else None
        self._plans[campaign] = plan
        return plan

    def _prompts(self, prompts: Sequence[str], base: Recipe, seed: int) -> list[str]:
        texts = [text.strip() for text in prompts if text.strip()]
        if texts:
            return list(dict.fromkeys(islice(texts, MAX_PROMPTS)))
        if not self._sources.is_of_world(base.model):
            message = f"{base.model} does not draw Stencil's world, whose grammar the prompts come from."
            raise BadInput(message, "Write prompts of your own.", field="prompts")
        return [prompt.text for prompt in open_prompts(np.random.default_rng(seed), OPEN_PROMPTS, 0.5)]

    def _free_name(self, plan: TuningPlan) -> str:
        taken = {record.name for record in self._labels.campaigns(archived=True)}
        first = f"Tuning of {plan.sliders[0].label[:1].lower()}{plan.sliders[0].label[1:]}"[:60]
        many = f" and {len(plan.sliders) - 1} more" if len(plan.sliders) > 1 else ""
        names = (first + many + ending for ending in ("", *(f" ({k})" for k in range(2, 10_000))))
        return next(name for name in names if name not in taken)


_ANY = {"path": "any", "low": 0.0, "high": 1.0, "step": 1.0}


def _preset_name(campaign: str) -> str:
    """The name of a campaign with what a preset's name allows."""
    plain = re.sub(r"[^A-Za-z0-9 _.-]+", " ", campaign)
    return re.sub(r"\s+", " ", plain).strip(" .-_")[:60].strip(" .-_") or "tuned by votes"
