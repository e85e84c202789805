"""What came of picture files: groups that can be compared, copies, and what was not taken, each with its reason."""

from __future__ import annotations

import base64

from studio.preference.answer import Mode
from studio.preference.arranging import alone
from studio.services.labels.design import FORMS
from studio.services.labels.incoming import Collection, Group, Incoming
from studio.ui.markup import counted, image, tag, text

SHOWN_GROUPS, SHOWN_PICTURES, SHOWN_NAMES = 12, 12, 40


def files_html(collection: Collection, mode: Mode) -> str:
    """All of it. mode: how its pictures will be asked about."""
    pictures = collection.pictures
    if not pictures:
        return tag("section", tag("h3", "None of these files can be used") + _refused(collection), class_="files")
    sizes = [len(group.pictures) for group in collection.groups]
    with_prompt = sum(bool(picture.prompt) for picture in pictures)
    lines = [
        f"{counted(len(pictures), 'picture')} in {counted(len(sizes), 'group')} of one prompt and size",
        f"{with_prompt} with a prompt" if with_prompt < len(pictures) else "each with its prompt",
    ]
    if lonely := alone(sizes, FORMS[mode]):
        verb = (
            "has no other of its prompt and size, and is" if lonely == 1 else "have no other of their prompt, and are"
        )
        lines.append(f"{lonely} {verb} left out unless asked about one by one")
    note = tag("p", text("; ".join(lines) + "."), role="status")
    groups = "".join(_group(group) for group in collection.groups[:SHOWN_GROUPS])
    if len(sizes) > SHOWN_GROUPS:
        groups += tag("p", text(f"And {counted(len(sizes) - SHOWN_GROUPS, 'further group')}."), class_="hint")
    inner = tag("h3", "Files you have") + note + groups + _copies(collection) + _refused(collection)
    foreign = "These pictures are stored in the workspace when the campaign is made, without their metadata."
    return tag("section", inner + tag("p", text(foreign), class_="hint"), class_="files", aria_label="Files you have")


def _group(group: Group) -> str:
    size = f"{group.width} × {group.height}"
    head = tag("p", tag("b", text(group.prompt or "Without a prompt")) + text(f" {len(group.pictures)}, {size}"))
    thumbs = "".join(_thumb(picture) for picture in group.pictures[:SHOWN_PICTURES])
    if (rest := len(group.pictures) - SHOWN_PICTURES) > 0:
        thumbs += tag("span", text(f"+ {rest}"), class_="rest")
    return tag("div", head + tag("div", thumbs, class_="files-thumbs"), class_="files-group")


def _thumb(picture: Incoming) -> str:
    about = [picture.source, picture.model and f"by {picture.model}", *picture.remarks]
    src = f"data:image/webp;base64,{base64.b64encode(picture.thumbnail).decode()}"
    alt = picture.prompt or picture.source
    remark = tag("span", "↻", class_="turned", aria_hidden="true") if picture.remarks else ""
    return tag("span", image(src, alt) + remark, class_="files-thumb", title=", ".join(part for part in about if part))


def _copies(collection: Collection) -> str:
    if not collection.duplicates:
        return ""
    rows = "".join(
        tag("li", _thumb(copy) + _thumb(first) + tag("span", text(f"{copy.source} is nearly equal to {first.source}")))
        for copy, first in collection.duplicates[:SHOWN_NAMES]
    )
    summary = tag("summary", text(f"Left out: {counted(len(collection.duplicates), 'near-duplicate')}"))
    return tag("details", summary + tag("ul", rows), class_="files-copies", data_keep="files-copies")


def _refused(collection: Collection) -> str:
    if not collection.refused:
        return ""
    rows = "".join(
        tag("li", tag("b", text(refused.source)) + " " + text(refused.reason))
        for refused in collection.refused[:SHOWN_NAMES]
    )
    if (rest := len(collection.refused) - SHOWN_NAMES) > 0:
        rows += tag("li", text(f"and {counted(rest, 'further file')}"))
    summary = tag("summary", text(f"Not taken: {counted(len(collection.refused), 'file')}"))
    return tag("details", summary + tag("ul", rows), class_="files-refused", open=True, data_keep="files-refused")
