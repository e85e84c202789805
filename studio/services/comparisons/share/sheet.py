"""A comparison as one picture, or as pages to print: pictures with the names of their rows and columns."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from studio.services.comparisons.comparison import Column
from studio.services.comparisons.share.contents import Contents, Report
from studio.services.grids.sheet import BLANK, GAP_PX, INK, LINE_PX, MARGIN_PX, MAX_PIXELS, PAPER, fit, font
from studio.storage.png import open_png

KEY = "palimpsest-comparison"  # JSON of the comparison; no recipe of its own, for no recipe makes this picture
NAME_PX = 220  # width of the names of the rows
PAGE_ROWS, PAGE_COLUMNS = 6, 8  # of a page to print
PAGE_CELL_PX = 256  # at most, on a page
DPI = 150


def sheet_png(report: Report) -> bytes:
    """One PNG of all cells, with the comparison itself as metadata. The same report gives the same bytes.

    Pictures are reduced where there are many, to 12 million pixels in all. Cells without a picture are left blank.
    """
    contents = report.contents
    rows, columns = range(len(contents.cells)), range(len(contents.comparison.columns))
    side = max(1, int((MAX_PIXELS / max(1, len(rows) * len(columns))) ** 0.5))
    sheet = _drawn(report, rows, columns, side)
    buffer, info = io.BytesIO(), PngInfo()
    info.add_itxt(KEY, contents.comparison.to_json(), zip=True)
    sheet.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def sheet_pdf(report: Report) -> bytes:
    """Pages of up to 6 rows by 8 columns each, to print; the reference stands at the head of every page of rows."""
    contents = report.contents
    columns = list(range(len(contents.comparison.columns)))
    reference = contents.comparison.reference
    others = [row for row in range(len(contents.cells)) if row != reference]
    step = PAGE_ROWS - 1
    blocks = [[reference, *others[at : at + step]] for at in range(0, max(1, len(others)), step)]
    pages = [
        _drawn(report, block, columns[at : at + PAGE_COLUMNS], PAGE_CELL_PX)
        for block in blocks
        for at in range(0, len(columns), PAGE_COLUMNS)
    ]
    buffer = io.BytesIO()
    title = contents.comparison.name or "Comparison"
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:], resolution=DPI, title=title)
    return buffer.getvalue()


def _drawn(report: Report, rows: Sequence[int], columns: Sequence[int], side: int) -> Image.Image:
    """Some rows and columns. side: of a picture at most, in pixels."""
    contents = report.contents
    pictures = {(i, j): _picture(report, i, j, side) for i in rows for j in columns}
    sizes = [picture.size for picture in pictures.values() if picture is not None] or [(side, side)]
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    labels = [_labels(contents.comparison.columns[column]) for column in columns]
    left, top = MARGIN_PX + NAME_PX, MARGIN_PX + max(map(len, labels)) * LINE_PX + GAP_PX
    size = (left + len(columns) * (width + GAP_PX) + MARGIN_PX, top + len(rows) * (height + GAP_PX) + MARGIN_PX)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for j, lines in enumerate(labels):
        for k, line in enumerate(lines):
            pen.text((left + j * (width + GAP_PX), MARGIN_PX + k * LINE_PX), fit(line, width), INK, font())
    for i, row in enumerate(rows):
        y = top + i * (height + GAP_PX)
        pen.text((MARGIN_PX, y + (height - LINE_PX) // 2), fit(_name(contents, row), NAME_PX - GAP_PX), INK, font())
        for j, column in enumerate(columns):
            place = Image.new("RGB", (width, height), BLANK)
            picture = pictures[row, column]
            if picture is not None:
                place.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
            sheet.paste(place, (left + j * (width + GAP_PX), y))
    return sheet


def _labels(column: Column) -> list[str]:
    """A line each for its prompt and its seed, for a prompt may not fit."""
    both = column.prompt is not None and column.seed is not None
    return [column.prompt or "no prompt", f"seed {column.seed}"] if both else [column.label]


def _picture(report: Report, row: int, column: int, side: int) -> Image.Image | None:
    cell = report.contents.cells[row][column]
    if cell is None:
        return None
    picture = open_png(report.pictures[cell.image], "A picture of the comparison").convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)  # never enlarged
    return picture


def _name(contents: Contents, row: int) -> str:
    rows = contents.facts.get("rows")
    facts = rows[row] if isinstance(rows, list) and row < len(rows) else {}
    name = facts.get("name") if isinstance(facts, Mapping) else None
    mark = " (reference)" if row == contents.comparison.reference else ""
    return f"{name or contents.comparison.rows[row].name or f'row {row + 1}'}{mark}"
