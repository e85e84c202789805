"""Contact sheets: what the model draws, on cards fit to be shown.

Every sheet is a white card: a title, a line that says how its pictures were made, then pictures in a grid with quiet
grey labels. Seeds are fixed and nothing is chosen by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from studio.models.bundle import ModelBundle
from studio.training.embedded.data import Pictures
from studio.training.embedded.gates import DEFAULT_SCALE, protocol_of
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_bundle
from studio.training.evaluate.suites.held_out import prompt_scenes
from studio.world.caption import canonical
from studio.world.scene import COLOUR_NAMES, OBJECTS, STYLE_NAMES, one_object

CELL_PX, GAP_PX, MARGIN_PX = 128, 10, 32
TITLE_PX, NOTE_PX, LABEL_PX, LINE_PX = 22, 13, 13, 17
PAPER, INK, QUIET, EDGE = "#ffffff", "#1f2328", "#6e7681", "#e4e7eb"
SCALES = (1.0, 2.0, 4.0, 8.0, 15.0)
SEED = 7
# A ground for each style, so that one sheet shows all of both.
GROUNDS = dict(zip(STYLE_NAMES, ("white", "meadow", "grey", "white", "sunset", "night", "black", "white"), strict=True))
GUIDANCE_PROMPTS = (
    "a flat red star on a grey background",
    "a striped blue fish on a meadow background",
    "a glossy green tree on a sunset background",
    "a neon pink heart on a night background",
    "a dotted purple flower on a grey background",
)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def wrap(text: str, width_px: int, size_px: int = LABEL_PX) -> list[str]:
    """Break a text into lines that fit a width; a single word that does not keeps its own line."""
    font = _font(size_px)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def card(
    pictures: Pictures,
    columns: int,
    title: str,
    note: str,
    *,
    top: Sequence[str] = (),
    side: Sequence[str] = (),
    below: Sequence[str] = (),
) -> Image.Image:
    """A grid of pictures, [N, H, W, 3] uint8 row by row, on a white card; each is shown 128 px wide.

    top: a label per column.
    side: a label per row.
    below: a caption per picture, wrapped to its width.
    """
    rows = -(-len(pictures) // columns)
    captions = [wrap(text, CELL_PX) for text in below]
    gutter = max((round(_font(LABEL_PX).getlength(text)) for text in side), default=-2 * GAP_PX) + 2 * GAP_PX
    under = max(map(len, captions), default=0) * LINE_PX + (GAP_PX if below else 0)
    step_x, step_y = CELL_PX + GAP_PX, CELL_PX + GAP_PX + under
    left = MARGIN_PX + gutter
    width = max(left + columns * step_x - GAP_PX, MARGIN_PX + 420) + MARGIN_PX
    notes = wrap(note, width - 2 * MARGIN_PX, NOTE_PX)
    head = MARGIN_PX + TITLE_PX + 10 + len(notes) * LINE_PX + 14
    first = head + (LINE_PX + 6 if top else 0)
    image = Image.new("RGB", (width, first + rows * step_y - GAP_PX + MARGIN_PX), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((MARGIN_PX, MARGIN_PX), title, fill=INK, font=_font(TITLE_PX), anchor="lt")
    for i, line in enumerate(notes):
        pen.text((MARGIN_PX, MARGIN_PX + TITLE_PX + 10 + i * LINE_PX), line, fill=QUIET, font=_font(NOTE_PX))
    for column, text in enumerate(top):
        x = left + column * step_x + CELL_PX // 2
        pen.text((x, head + LINE_PX), text, fill=QUIET, font=_font(LABEL_PX), anchor="ms")
    for row, text in enumerate(side):
        y = first + row * step_y + CELL_PX // 2
        pen.text((MARGIN_PX, y), text, fill=QUIET, font=_font(LABEL_PX), anchor="lm")
    for i, picture in enumerate(pictures):
        x, y = left + i % columns * step_x, first + i // columns * step_y
        cell = Image.fromarray(picture)
        if cell.size != (CELL_PX, CELL_PX):
            cell = cell.resize((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
        image.paste(cell, (x, y))
        pen.rectangle((x - 1, y - 1, x + CELL_PX, y + CELL_PX), outline=EDGE)  # where a white picture ends
        for number, line in enumerate(captions[i] if captions else ()):
            at = (x + CELL_PX // 2, y + CELL_PX + GAP_PX // 2 + number * LINE_PX + LINE_PX - 4)
            pen.text(at, line, fill=QUIET, font=_font(LABEL_PX), anchor="ms")
    return image


def draw(
    bundle: ModelBundle, prompts: Sequence[str], seeds: Sequence[int], *, guidance_scale: float = DEFAULT_SCALE
) -> Pictures:
    """A picture per prompt and its seed, [N, H, W, 3] uint8 at the model's own size; classifier-free guidance."""
    protocol, side = protocol_of(guidance_scale), bundle.default_size_px
    recipes = [
        protocol.recipe(Case(prompt, seed), bundle.name, side) for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    by_number = dict(turn for turn in by_bundle(bundle)(recipes) if turn is not None)
    return np.stack([by_number[i] for i in range(len(recipes))])


def objects_and_styles(bundle: ModelBundle) -> Image.Image:
    """All objects by all styles: a colour for each object, a ground for each style, one seed for all."""
    prompts = [
        canonical(one_object(name, COLOUR_NAMES[i % len(COLOUR_NAMES)], style=style, background=GROUNDS[style]))
        for style in STYLE_NAMES
        for i, name in enumerate(OBJECTS)
    ]
    pictures = draw(bundle, prompts, [SEED] * len(prompts))
    note = (
        f'Prompts such as "{prompts[0]}". Every picture has seed {SEED}, guidance {DEFAULT_SCALE:g} and 20 steps; '
        "colours go with objects, backgrounds with styles."
    )
    colours = [COLOUR_NAMES[i % len(COLOUR_NAMES)] for i in range(len(OBJECTS))]
    top = [f"{colour} {name}" for colour, name in zip(colours, OBJECTS, strict=True)]
    return card(pictures, len(OBJECTS), "Objects and styles", note, top=top, side=STYLE_NAMES)


def two_object_scenes(bundle: ModelBundle) -> Image.Image:
    """Twenty-four held-out combinations of two objects."""
    prompts = [canonical(scene) for scene in prompt_scenes(24, 2, seed=SEED)]
    unseen = "Combinations of objects and colours never seen in training."
    note = f"{unseen} Seeds 0 to 23, guidance {DEFAULT_SCALE:g}, 20 steps."
    return card(draw(bundle, prompts, range(24)), 8, "Two objects", note, below=prompts)


def guidance_scales(bundle: ModelBundle) -> Image.Image:
    """The same prompts and seed from no guidance to far too much."""
    seeds = [SEED] * len(GUIDANCE_PROMPTS)
    by_scale = [draw(bundle, GUIDANCE_PROMPTS, seeds, guidance_scale=scale) for scale in SCALES]
    pictures = np.stack(by_scale, 1).reshape(-1, *by_scale[0].shape[1:])  # a row per prompt
    note = f"Classifier-free guidance from 1 (none) to 15 (far too much): colours saturate. Seed {SEED}, 20 steps."
    side = [
        prompt.removeprefix("a ").removesuffix(" background").replace(" on a ", ", ") for prompt in GUIDANCE_PROMPTS
    ]
    return card(pictures, len(SCALES), "Guidance scale", note, top=[f"{s:g}" for s in SCALES], side=side)


def unconditional(bundle: ModelBundle) -> Image.Image:
    """Thirty-two pictures of the empty prompt."""
    note = "The empty prompt, which says nothing: what the model takes its world to be. Seeds 0 to 31, 20 steps."
    return card(draw(bundle, [""] * 32, range(32), guidance_scale=1.0), 8, "Unconditional", note)


SHEETS: dict[str, Callable[[ModelBundle], Image.Image]] = {
    "objects-and-styles": objects_and_styles,
    "two-objects": two_object_scenes,
    "guidance-scales": guidance_scales,
    "unconditional": unconditional,
}


def all_sheets(bundle: ModelBundle, folder: Path) -> list[Path]:
    """Draw every sheet into `folder` as <name>.png; gives the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in SHEETS]
    for path, make in zip(paths, SHEETS.values(), strict=True):
        make(bundle).save(path, optimize=True)
    return paths
