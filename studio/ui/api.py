"""The studio's services for programs: typed endpoints beside the page, for gradio_client and anything that speaks HTTP.

Nothing here waits: work is queued and asked after, so no number of clients can take the page's threads from it.
docs/api.md shows how they are used.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin
from urllib.parse import quote

from pydantic import BaseModel, Field

from studio.core.recipe import Recipe
from studio.preference.campaign import CHECKS_SHARE, MAX_ARMS, MAX_ITEMS
from studio.services.checks import MAX_IMAGES
from studio.services.dropped import read_dropped
from studio.services.edits.peft_zip import opened
from studio.services.history import MAX_ID, MAX_PAGE
from studio.services.jobs import MAX_JOBS_LISTED
from studio.services.labels.design import CampaignDesign, base_recipe
from studio.services.labels.plan import MAX_NAME_CHARS, CampaignPlan
from studio.services.ledger import listed, plain
from studio.services.replay import compare, threads_of
from studio.storage.png import read_png
from studio.storage.search import HistoryFilter
from studio.ui.api_comparisons import ComparisonApi
from studio.ui.api_values import Plain, edit_values, event_values, picture_values, time_of
from studio.ui.endpoint import Declared, Upload, expose
from studio.ui.exports import export

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

JobName = Annotated[str, Field(max_length=100)]
PictureCount = Annotated[int, Field(ge=1, le=MAX_IMAGES)]
PictureId = Annotated[int, Field(ge=1, le=MAX_ID)]
NumberBelow = Annotated[int | None, Field(ge=0, le=MAX_ID)]  # of a page: everything in it is older
ModelName = Annotated[str, Field(max_length=500)]
SamplerName = Annotated[str, Field(max_length=100)]
MethodName = Annotated[str, Field(max_length=100)]
EditName = Annotated[str, Field(max_length=200)]
ExportStyle = Annotated[str, Field(max_length=40)]
SearchWords = Annotated[str, Field(max_length=1000)]
Seed = Annotated[int | None, Field(ge=0, le=2**64 - 1)]
CampaignName = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Moment = Annotated[str | None, Field(max_length=40)]  # ISO 8601, with its zone
Priority = Literal["interactive", "background"]
# Fields of a recipe that are the model's own where they are null.
MODELS_OWN: dict[str, Any] = {"width": int | None, "height": int | None, "sampler": str | None}


class Api:
    """The endpoints, as methods of an open studio. Each raises StudioError, whose sentence the client gets."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    # -- making pictures --------------------------------------------------------------------------------------------

    def generate(
        self,
        count: PictureCount = 1,
        priority: Priority = "interactive",
        **recipe: Any,
    ) -> Plain:
        """Queue a job that makes `count` pictures of one recipe, with seeds rising by 1; gives the job.

        recipe: its fields; a width, height or sampler of null is the model's own.
        """
        self._studio.warm()  # while the recipe is checked; without a page being painted, nobody else has done it yet
        values = {name: value for name, value in recipe.items() if name not in MODELS_OWN or value is not None}
        first = Recipe.load({"width": 64, "height": 64, **values})  # sizes are checked here, and chosen below
        card = self._studio.sources.card(first.model)
        model_defaults = {"width": card.default_size_px, "height": card.default_size_px, "sampler": card.sampler}
        recipes = [Recipe.load({**model_defaults, **values, "seed": first.seed + n}) for n in range(count)]
        return self.job(self._studio.pictures.submit(recipes, priority))

    def job(self, job: JobName) -> Plain:
        """Tell how a job is, by its id or number: status, what was made, progress (0 to 1), seconds left, its error."""
        return self._job_values(self._studio.jobs.find(job))

    def jobs(
        self,
        limit: Annotated[int, Field(ge=1, le=MAX_JOBS_LISTED)] = 50,
        before: NumberBelow = None,
    ) -> list[Plain]:
        """List jobs, newest first. before: only those with a lower number. One that cannot be read has that status."""
        return listed(*self._studio.jobs.page(limit, before))

    def job_events(self, job: JobName, since: Annotated[int, Field(ge=0, le=MAX_ID)] = 0) -> list[Plain]:
        """Give a job's events numbered above `since`; the last of a job is final. Preview images are base64 PNGs."""
        return [event_values(event) for event in self._studio.jobs.events(self._studio.jobs.find(job).id, since)]

    def stop(self, job: JobName, keep: bool = True) -> Plain:
        """Ask a job to stop, which it does within one step; keep=false moves its pictures into the bin."""
        id = self._studio.jobs.find(job).id
        self._studio.jobs.stop(id, keep)
        return self.job(id)

    def replay(self, picture: PictureId, priority: Priority = "interactive") -> Plain:
        """Queue a job that makes a picture of the history again from its recipe; gives the job. See `compare`."""
        original = self._studio.history.get(picture)
        return self.job(self._studio.pictures.submit([original.recipe], priority, threads=threads_of(original.made_by)))

    def compare(self, first: PictureId, second: PictureId) -> Plain:
        """Compare two pictures of the history pixel by pixel; max_difference is of any channel, 0 to 255."""
        images = [read_png(self._studio.history.get(id).image_path).image for id in (first, second)]
        different, largest = compare(*images)
        pixels = images[1].width * images[1].height
        return {
            "identical": different == 0,
            "pixels": pixels,
            "different_pixels": different,
            "max_difference": largest,
        }

    # -- the history ------------------------------------------------------------------------------------------------

    def history(
        self,
        search: SearchWords = "",
        limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 24,
        before: NumberBelow = None,
        favourites: bool = False,
        deleted: bool = False,
        model: ModelName | None = None,
        sampler: SamplerName | None = None,
        method: MethodName | None = None,
        seed: Seed = None,
        made_from: Moment = None,
        made_until: Moment = None,
    ) -> Plain:
        """Search the history, newest first: words of the prompts, marks, fields of the recipe, times with their zone.

        before: only pictures with a lower id. Gives {"total": how many match, "pictures": [...], "unreadable": [...]},
        the last of them rows that cannot be read, each with its id and its problem; they count in the total.
        """
        since, until = time_of(made_from, "made_from"), time_of(made_until, "made_until")
        only = HistoryFilter(favourites, deleted, model, sampler, method, seed, made_from=since, made_until=until)
        pictures, unreadable = self._studio.history.page(limit, search=search, only=only, before_id=before)
        return {
            "total": self._studio.history.count(search, only),
            "pictures": [picture_values(picture) for picture in pictures],
            "unreadable": [{"id": row.number, "problem": row.problem} for row in unreadable],
        }

    def picture(self, picture: PictureId) -> Plain:
        """Tell all of one picture: its recipe, what made it, and the path its PNG is served at."""
        return picture_values(self._studio.history.get(picture))

    def recipe_of(self, file: Upload) -> Plain:
        """Read the recipe out of an uploaded picture, ours or another program's; its fields are those of `generate`.

        Gives {"recipe": ..., "ours": whether the picture was made from it, "left_out": what could not be taken over}.
        """
        try:
            usable = [model.name for model in self._studio.sources.listing() if not model.problem]
            dropped = read_dropped(file, usable)
            dropped = dropped.sized(self._studio.sources.card(dropped.recipe.model).default_size_px)
            return {
                "recipe": dropped.recipe.model_dump(mode="json"),
                "ours": dropped.ours,
                "left_out": list(dropped.left_out),
            }
        finally:
            _forget(file)

    # -- campaigns -------------------------------------------------------------------------------------------------

    def campaigns(self, archived: bool = False) -> list[Plain]:
        """List the campaigns of labels, newest first: how far each is drawn and answered. archived: those as well."""
        return [self._studio.campaigns.facts(campaign) for campaign in self._studio.labels.campaigns(archived)]

    def campaign(self, campaign: CampaignName) -> Plain:
        """Tell how a campaign stands, by its name or number."""
        return self._studio.campaigns.facts(self._studio.labels.find(campaign))

    def make_campaign(
        self,
        name: CampaignName,
        count: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 30,
        mode: Literal["pair", "best", "best_worst", "ranking", "thumb"] = "pair",
        questions: Annotated[list[Literal["overall", "prompt", "look"]] | None, Field(max_length=3)] = None,
        prompts: Annotated[list[str] | None, Field(max_length=1000)] = None,
        hidden_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
        hidden_words: Annotated[list[list[str]] | None, Field(max_length=4)] = None,
        recipes: Annotated[list[dict[str, Any]] | None, Field(max_length=MAX_ARMS)] = None,
        same_seed: bool = True,
        seed: Seed = None,
        guideline: Annotated[str, Field(max_length=20_000)] = "",
        people: Annotated[int, Field(ge=1, le=100)] = 1,
        checks: bool = True,
        reveal: Literal["never", "after", "end"] = "never",
    ) -> Plain:
        """Make a campaign and have its pictures drawn, ahead of whoever labels; gives how it stands.

        prompts: null draws open ones of Stencil's world. recipes: those that are compared, as of `generate`; null: one
        of Stencil's. hidden_words: groups of words that pictures are drawn with and prompts do not say.
        reveal: when it is told what each picture was.
        """
        base = base_recipe(self._studio.sources)
        arms = [{"recipe": recipe} for recipe in recipes or [base.model_dump(mode="json")]]
        design = CampaignDesign.load(
            {
                "count": count,
                "prompts": prompts or [],
                "hidden_share": hidden_share,
                "hidden_words": hidden_words or [],
                "same_seed": same_seed,
                "seed": seed,
                "arms": arms,
                **({} if checks else {"checks": 0.0}),
            }
        )
        plan = CampaignPlan(
            name,
            source="planned",
            mode=mode,
            questions=tuple(questions or ("overall",)),
            guideline=guideline,
            target_per_item=people,
            check_share=CHECKS_SHARE if checks else 0.0,
            reveal=reveal,
        )
        return self._studio.campaigns.facts(self._studio.campaigns.make(plan, design))

    def draw_campaign(self, campaign: CampaignName, on: bool = True) -> Plain:
        """Draw what is missing of a campaign, or (on=false) stop drawing; what is drawn is kept."""
        id = self._studio.labels.find(campaign).id
        if on:
            self._studio.campaigns.resume(id)
        else:
            self._studio.campaigns.drawing.stop(id)
        return self.campaign(campaign)

    # -- edits, models ----------------------------------------------------------------------------------------------

    def edits(self) -> list[Plain]:
        """List the workspace's edits; one that cannot be used has a problem."""
        return [edit_values(entry) for entry in self._studio.edits.list()]

    def import_edit(
        self,
        file: Upload,
        name: EditName | None = None,
        model: ModelName = "stencil",
        partial: bool = False,
    ) -> Plain:
        """Take an uploaded LoRA, zipped peft folder, erased weights or edit of ours in; gives the edit."""
        try:
            with opened(file, self._studio.archive.workspace.scratch) as edit_file:
                return edit_values(self._studio.edits.import_file(edit_file, name, model, partial=partial))
        finally:
            _forget(file)

    def export_edit(
        self,
        edit: EditName,
        style: ExportStyle = "diffusers",
    ) -> Plain:
        """Export an edit for other programs (diffusers, kohya, comfyui, peft, palimpsest); gives where it is served."""
        id = self._studio.edits.show(edit).id
        folder = self._studio.archive.workspace.scratch()
        try:
            file = export(self._studio, id, style, folder)  # made here too: who cannot have it is told now
            return {"file": file.name, "bytes": file.stat().st_size, "url": f"/edits/{quote(id)}/{quote(style)}"}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def models(self) -> list[Plain]:
        """List the models; one that cannot be used has a problem."""
        hidden = ("place", "parts")
        models = [{**vars(model), "parts": dict(model.parts)} for model in self._studio.sources.listing()]
        return [{name: value for name, value in model.items() if name not in hidden} for model in models]

    def status(self) -> Plain:
        """Tell how the engine is: its state, what it runs, how many jobs wait, versions and device."""
        return asdict(self._studio.status())

    # -- inside -----------------------------------------------------------------------------------------------------

    def _job_values(self, job: JobRecord) -> Plain:
        standing = None if job.over else self._studio.jobs.standing(job.id)
        return {
            **plain(job),
            "pictures": self._studio.archive.generations.numbers_of_job(job.id),
            "progress": standing.progress if standing else None,
            "left_s": standing.left_s if standing else None,
            "position": standing.position if standing else None,
            "trouble": "" if job.over else self._studio.status().trouble,
        }


def build(studio: Studio) -> None:
    """Add the endpoints to the Blocks being laid out."""
    api = Api(studio)
    expose(api.generate, "generate", _recipe_fields())
    methods: tuple[Callable[..., Any], ...] = (
        api.job,
        api.jobs,
        api.job_events,
        api.stop,
        api.replay,
        api.compare,
        api.history,
        api.picture,
        api.recipe_of,
        api.campaigns,
        api.campaign,
        api.make_campaign,
        api.draw_campaign,
        api.edits,
        api.import_edit,
        api.export_edit,
        api.models,
        api.status,
        *ComparisonApi(studio).methods(),
    )
    for method in methods:
        expose(method, method.__name__)


def _recipe_fields() -> Declared:
    """The recipe's fields as parameters, as JSON has them; `Recipe.load` checks what is given for them."""
    fields: dict[str, tuple[Any, Any]] = {}
    for name, default in Recipe().model_dump(mode="json").items():
        annotation = Recipe.model_fields[name].annotation
        origin = get_origin(annotation)
        if origin is tuple:
            annotation = list[dict[str, Any]]
        elif origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            annotation = dict[str, Any]
        fields[name] = (MODELS_OWN[name], None) if name in MODELS_OWN else (annotation, default)
    return fields


def _forget(file: Path) -> None:
    """Nothing of an upload is kept."""
    with contextlib.suppress(OSError):
        file.unlink()
