"""Pictures, for programs: made, followed, drawn again, compared, and looked up in the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

from pydantic import BaseModel, Field

from studio.core.recipe import Recipe
from studio.services.checks import MAX_IMAGES
from studio.services.dropped import read_dropped
from studio.services.history import MAX_ID, MAX_PAGE
from studio.services.jobs import MAX_JOBS_LISTED
from studio.services.ledger import listed, plain
from studio.services.replay import compare, threads_of
from studio.storage.png import read_png
from studio.storage.search import HistoryFilter
from studio.ui.api.endpoint import Declared, Upload
from studio.ui.api.values import ModelName, Plain, Seed, event_values, picture_values, time_of

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

JobName = Annotated[str, Field(max_length=100)]
PictureCount = Annotated[int, Field(ge=1, le=MAX_IMAGES)]
PictureId = Annotated[int, Field(ge=1, le=MAX_ID)]
NumberBelow = Annotated[int | None, Field(ge=0, le=MAX_ID)]  # of a page: everything in it is older
SamplerName = Annotated[str, Field(max_length=100)]
MethodName = Annotated[str, Field(max_length=100)]
SearchWords = Annotated[str, Field(max_length=1000)]
Moment = Annotated[str | None, Field(max_length=40)]  # ISO 8601, with its zone
Priority = Literal["interactive", "background"]
# Fields of a recipe that are the model's own where they are null.
MODELS_OWN: dict[str, Any] = {"width": int | None, "height": int | None, "sampler": str | None}


class PictureApi:
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
        below_number: NumberBelow = None,
    ) -> list[Plain]:
        """List jobs, newest first. below_number: of those with a lower one. What cannot be read has that status."""
        return listed(*self._studio.jobs.page(limit, below_number))

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
        below_number: NumberBelow = None,
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

        below_number: of pictures with a lower id. Gives {"total": how many match, "pictures": [...],
        "unreadable": [...]}, the last of them rows that cannot be read, each with its id and its problem; they count in
        the total.
        """
        since, until = time_of(made_from, "made_from"), time_of(made_until, "made_until")
        only = HistoryFilter(favourites, deleted, model, sampler, method, seed, made_from=since, made_until=until)
        pictures, unreadable = self._studio.history.page(limit, search=search, only=only, before_id=below_number)
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
        usable = [model.name for model in self._studio.sources.listing() if not model.problem]
        dropped = read_dropped(file, usable)
        dropped = dropped.sized(self._studio.sources.card(dropped.recipe.model).default_size_px)
        return {
            "recipe": dropped.recipe.model_dump(mode="json"),
            "ours": dropped.ours,
            "left_out": list(dropped.left_out),
        }

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """What is exposed, each under its own name."""
        return (
            self.job,
            self.jobs,
            self.job_events,
            self.stop,
            self.replay,
            self.compare,
            self.history,
            self.picture,
            self.recipe_of,
        )

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


def recipe_fields() -> Declared:
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
