"""A grid as one picture, with its axes written beside it and the whole grid in its metadata."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from studio.services.grids.grid import Grid, GridCell
from studio.storage.png import program

GRID_KEY = "palimpsest-grid"  # JSON; no recipe of its own, for no recipe makes this picture
MAX_PIXELS = 12_000_000  # of the pictures together; larger ones are reduced, and opened by every viewer
GAP_PX, MARGIN_PX, FONT_PX, LINE_PX = 4, 12, 14, 18
LABEL_PX = 160  # width of the labels of the rows
PAPER, INK, BLANK = (255, 255, 255), (20, 20, 20), (228, 228, 228)


def sheet_png(grid: Grid) -> bytes:
    """Draw the sheet: x to the right, y downward, a block for each z. The same grid gives the same bytes.

    Raises OSError if a picture's file cannot be read.
    """
    x, y, z = grid.shape
    width, height, scale = cell_size(grid)
    names = [axis.labels() for axis in grid.axes] + [("",)] * (3 - len(grid.axes))
    left = MARGIN_PX + (LABEL_PX if len(grid.axes) > 1 else 0)
    head = LINE_PX * 2
    title = LINE_PX * 2 if len(grid.axes) > 2 else 0
    block = title + head + y * (height + GAP_PX)
    sheet = Image.new("RGB", (left + x * (width + GAP_PX) + MARGIN_PX, z * block + 2 * MARGIN_PX), PAPER)
    pen = ImageDraw.Draw(sheet)
    for k in range(z):
        top = MARGIN_PX + k * block
        if title:
            pen.text((MARGIN_PX, top), fit(names[2][k], sheet.width - 2 * MARGIN_PX), INK, font())
        for i in range(x):
            pen.text((left + i * (width + GAP_PX), top + title + LINE_PX // 2), fit(names[0][i], width), INK, font())
        for j in range(y if len(grid.axes) > 1 else 0):
            middle = top + title + head + j * (height + GAP_PX) + (height - LINE_PX) // 2
            pen.text((MARGIN_PX, middle), fit(names[1][j], LABEL_PX - MARGIN_PX), INK, font())
    for cell in grid.cells:
        i, j, k = cell.place
        corner = (left + i * (width + GAP_PX), MARGIN_PX + k * block + title + head + j * (height + GAP_PX))
        sheet.paste(_picture(cell, width, height, scale), corner)
    buffer, info = io.BytesIO(), PngInfo()
    info.add_itxt(GRID_KEY, json.dumps(metadata(grid, scale), sort_keys=True, ensure_ascii=False), zip=True)
    sheet.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def metadata(grid: Grid, scale: float) -> dict[str, object]:
    """What is stored in the sheet: enough to make the grid again.

    scale: of the pictures in it.
    """
    return {
        "base": grid.base.model_dump(mode="json"),
        "axes": [{"path": axis.path, "values": list(axis.values)} for axis in grid.axes],
        "images": [cell.image_path.stem if cell.image_path else None for cell in grid.cells],
        "scale": round(scale, 6),
        "program": program(),
    }


def cell_size(grid: Grid) -> tuple[int, int, float]:
    """Give width and height of a cell in the sheet, and how much its pictures are reduced (1: not at all)."""
    width = max(cell.recipe.width for cell in grid.cells)
    height = max(cell.recipe.height for cell in grid.cells)
    scale = min(1.0, (MAX_PIXELS / (len(grid.cells) * width * height)) ** 0.5)
    return max(1, int(width * scale)), max(1, int(height * scale)), scale


def _picture(cell: GridCell, width: int, height: int, scale: float) -> Image.Image:
    """The cell's picture in the middle of its place; the place alone if there is none."""
    place = Image.new("RGB", (width, height), BLANK)
    if cell.image_path is not None:
        with Image.open(cell.image_path) as opened:
            picture = opened.convert("RGB")
        if scale < 1:
            size = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        place.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return place


@cache
def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu, which has Latin, Greek, Cyrillic, Hebrew and Arabic letters, and comes with matplotlib everywhere."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT_PX)


def fit(text: str, width_px: int) -> str:
    """Shorten a label until it fits."""
    text = " ".join(text.split())[:500]
    if font().getlength(text) <= width_px:
        return text
    while text and font().getlength(text + "...") > width_px:
        text = text[:-1]
    return text + "..."
