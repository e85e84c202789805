"""Picture files from anywhere, read for the settings in them: ours whole, others' as far as a recipe holds them.

Untrusted: see studio.storage.picture_texts for what a file may cost. No pixel is decoded, so a picture that unpacks to
gigabytes costs nothing. It is refused all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.infotext import Infotext
from studio.prompts.programs import parse_settings
from studio.storage.picture_texts import PictureTexts, read_texts
from studio.storage.png import INFOTEXT_KEY, RECIPE_KEY

# Where programs keep settings, the surest first. But for the first, anything else may be there as well.
_PLACES = (
    INFOTEXT_KEY,
    "invokeai_metadata",
    "sd-metadata",
    "usercomment",
    "comment",
    "prompt",
    "workflow",
    "imagedescription",
    "description",
    "xmp",
    "xpcomment",
    "make",
    "model",
)
# Keywords under which a program keeps settings in a form of its own that is not read.
_NOT_READ = {
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "workflow": "ComfyUI",
    "prompt": "a program that is not known here",
}
_HINT = "Take a picture as this program, A1111's web UI, ComfyUI, InvokeAI or SwarmUI writes it."


@dataclass(frozen=True)
class Dropped:
    """What a file says.

    recipe: settings it does not name have our defaults.
    left_out: what could not be taken over.
    ours: whether the recipe is the very one the picture was made with.
    of_another: whether a model that is not at hand drew it, or one that it does not name.
    """

    recipe: Recipe
    left_out: tuple[str, ...] = ()
    ours: bool = False
    of_another: bool = False

    def sized(self, side_px: int) -> Dropped:
        """The same in the size of the model that will draw, where another drew: at a foreign size a model scatters
        shapes, and takes long. side_px: of the square that it was trained on.
        """
        size = (self.recipe.width, self.recipe.height)
        if not self.of_another or size == (side_px, side_px):
            return self
        recipe = self.recipe.model_copy(update={"width": side_px, "height": side_px})
        sentence = f"size: {size[0]} × {size[1]} (another model's; {recipe.model} draws {side_px} × {side_px})"
        return replace(self, recipe=recipe, left_out=(*self.left_out, sentence))


def read_dropped(path: Path, models: Collection[str] | None, fallback: Recipe | None = None) -> Dropped:
    """Read a picture's settings.

    models: those at hand; with None any that a file names is taken over.
    fallback: gives what the file does not say.
    Of several texts the first that can be read counts; one that cannot, and should have, is named as left out.
    Raises BadInput: not a PNG, JPEG or WebP, too large, damaged, without settings, or with none that can be read.
    """
    name = f"The file {path.name[:80]}"
    picture = read_texts(path, name, {RECIPE_KEY, *_PLACES, *_NOT_READ})
    refusals: list[BadInput] = []
    if RECIPE_KEY in picture.texts:
        try:
            return _ours(Recipe.from_json(picture.texts[RECIPE_KEY]), models, fallback or Recipe(), picture.problems)
        except BadInput as error:
            refusals.append(error)
            picture.miss(RECIPE_KEY, error.message.rstrip("."))
    for place in _PLACES:
        try:
            infotext = _settings(picture.texts.get(place, ""), models, remark=place != INFOTEXT_KEY)
        except BadInput as error:
            refusals.append(_of_file(error, name))
            continue
        if infotext is not None:
            return _theirs(infotext, fallback or Recipe(), picture.problems)
    raise refusals[0] if refusals else _without_settings(picture, name)


def _ours(recipe: Recipe, models: Collection[str] | None, fallback: Recipe, problems: list[str]) -> Dropped:
    left_out = tuple(problems)
    if models is None or recipe.model in models:
        return Dropped(recipe, left_out, ours=not left_out)
    left_out += (f"model: {recipe.model} (there is no such model here)",)
    return Dropped(recipe.model_copy(update={"model": fallback.model}), left_out, of_another=True)


def _settings(text: str, models: Collection[str] | None, *, remark: bool) -> Infotext | None:
    """What a text says; None where there is none, or one about something else."""
    # ComfyUI's graphs in EXIF are named within the text.
    for head in ("prompt:", "workflow:"):
        if remark and text[: len(head)].lower() == head:
            text = text[len(head) :]
    return parse_settings(text, models, remark=remark) if text.strip() else None


def _theirs(infotext: Infotext, fallback: Recipe, problems: list[str]) -> Dropped:
    # What the file does not say stays as the fallback has it; its edits are no part of another program's picture, and
    # nor is the language of its prompts.
    base = fallback.model_dump(mode="json") | {"edits": [], "more_negatives": [], "syntax": "a1111"}
    left_out = (*problems, *map(str, infotext.left_out))
    return Dropped(Recipe.load(base | infotext.values), left_out, of_another="model" not in infotext.values)


def _of_file(error: BadInput, name: str) -> BadInput:
    return BadInput(f"{name} holds settings, but {error.message[:1].lower()}{error.message[1:]}", error.hint)


def _without_settings(picture: PictureTexts, name: str) -> BadInput:
    program = next((program for key, program in _NOT_READ.items() if key in picture.texts), None)
    if picture.problems:
        return BadInput(f"{name} holds no settings that can be read ({'; '.join(picture.problems)}).", _HINT)
    if program is not None:
        return BadInput(f"{name} holds settings of {program}, which are not read.", _HINT)
    return BadInput(f"{name} holds no settings.", _HINT)
