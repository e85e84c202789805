"""The HTML file of a report: written, and read back. What it holds stands in it twice: to look at, and as data.

The data are a script of a type that no browser runs. In it "<" is written \\u003c, so that no text of a user's can end
it; everywhere else texts are escaped. The page asks for nothing: its policy forbids scripts and addresses of any kind.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.markup import tag, text
from studio.services.cards.page import PAGE_CSS
from studio.services.comparisons.share.contents import Contents, Report
from studio.services.comparisons.share.page import body

MAX_REPORT_BYTES = 200_000_000
REPORT_CSS = Path(__file__).with_name("report.css")
GENERATOR, END = "palimpsest-comparison", "</html>"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_DATA = re.compile(r'<script type="application/json" id="palimpsest-comparison">([^<]*)</script>')
_PICTURE = re.compile(r'<img src="data:image/png;base64,([A-Za-z0-9+/=]*)" alt="[^"]*" data-image="([0-9a-f]{64})"')


def written(report: Report) -> bytes:
    """Give the file. Raises BadInput for one of more than 200 MB."""
    contents = report.contents
    styles = "".join(path.read_text(encoding="utf-8") for path in (PAGE_CSS, REPORT_CSS))
    title = f"Comparison: {contents.comparison.name or f'{len(contents.comparison.rows)} recipes'}"
    head = (
        f'<meta charset="utf-8"><meta name="generator" content="{GENERATOR}">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">' + tag("title", text(title)) + f"<style>{styles}</style>"
    )
    data = f'<script type="application/json" id="{GENERATOR}">{_script(contents)}</script>'
    page = f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body(report)}{data}</body>{END}\n'.encode()
    if len(page) > MAX_REPORT_BYTES:
        message = f"The report would have {len(page) / 1e6:.0f} MB, and has at most {MAX_REPORT_BYTES // 1_000_000}."
        raise BadInput(message, "Share fewer rows or columns, or the contact sheet.")
    return page


def read_file(path: Path) -> Report:
    """Read a report. Untrusted: nothing of it is acted on here. Raises BadInput, one sentence with the file's name."""
    name = f"The file {path.name[:80]}"
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise BadInput(f"{name} is larger than {MAX_REPORT_BYTES // 1_000_000} MB.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{name} cannot be read: {reason}.") from None
    return read(data, name)


def read(data: bytes, name: str = "The report") -> Report:
    """The same of a file's bytes. name: begins sentences."""
    try:
        page = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{name} holds no comparison of ours.", "Take a report that Palimpsest has written.") from None
    if f'content="{GENERATOR}"' not in page[:2000]:
        raise BadInput(f"{name} holds no comparison of ours.", "Take a report that Palimpsest has written.")
    if not page.rstrip().endswith(END):
        raise BadInput(f"{name} was cut short: its end is missing.", "Copy or download it once more.")
    blocks = _DATA.findall(page)
    if len(blocks) != 1:
        raise BadInput(f"{name} is damaged: what it says of the comparison is not in it.")
    contents = Contents.read(blocks[0], name)
    pictures: dict[str, bytes] = {}
    for encoded, image in _PICTURE.findall(page):
        try:
            pictures[image] = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput(f"{name} is damaged: one of its pictures is not the one that was drawn.") from None
    report = Report(contents, pictures)
    report.check(name)
    return report


def _script(contents: Contents) -> str:
    """JSON in ASCII without "<", "&" or anything else that means something in HTML."""
    plain = json.dumps(contents.plain(), sort_keys=True)
    for sign in "<>&":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return plain
