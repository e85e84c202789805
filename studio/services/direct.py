"""Making pictures on this thread, with no ledger and no history; of a workspace, only its edits are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.checks import check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.sources import Sources
from studio.storage.edits import EditStore
from studio.storage.png import encode_png


@dataclass(frozen=True)
class Picture:
    """A picture that nobody has written down."""

    image: Image.Image
    recipe: Recipe
    made_by: dict[str, Any]

    def png(self) -> bytes:
        """Give the file: the same bytes the studio would store."""
        return encode_png(self.image, self.recipe, self.made_by)


def generate_unrecorded(
    settings: Settings, recipes: Sequence[Recipe], on_event: Callable[[str, dict[str, Any]], None] | None = None
) -> list[Picture]:
    """Make one picture per recipe.

    on_event: called with (kind, data) of each engine event.
    Raises what `PictureService.submit` does, and EngineError.
    """
    sources = Sources(settings)
    files = check_recipes(recipes, sources, edits_of(settings, sources))
    recipes = [settled(recipe) for recipe in recipes]
    from studio.engine.runner import Engine  # torch: only once the recipes are known to be good

    pictures: dict[int, Picture] = {}

    def tell(kind: str, data: dict[str, Any]) -> None:
        if kind == "image":
            index = data["image"]
            image = Image.frombytes("RGB", (data["width"], data["height"]), data["rgb"])
            pictures[index] = Picture(image, recipes[index], data["made_by"])
        if on_event is not None:
            on_event(kind, data)

    plain = [recipe.model_dump(mode="json") for recipe in recipes]
    job = {"kind": "generate", "recipes": plain, "edits": files}
    Engine(sources.engine_config(previews=False)).run(job, tell, lambda: False)
    return [pictures[index] for index in range(len(recipes))]


def edits_of(settings: Settings, sources: Sources) -> EditLibrary | None:
    """The edits of the workspace, which is not taken for it: its files are only read. None if it has none."""
    folder = settings.workspace / "edits"
    return EditLibrary(EditStore(folder), sources) if folder.is_dir() else None
