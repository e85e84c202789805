"""Past pictures, from the database, so a reload finds them again; of which several can be marked and dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.ui.components.query import Query
from studio.ui.components.tiles import Batch, tiles_html
from studio.ui.markup import tag, text

SCRIPT = (
    Path(__file__).with_name("picker.js").read_text(encoding="utf-8")
    + """
const bar = () => element.querySelector('.marked-bar');
function chosen(ids) {
  if (!bar()) return;
  const on = element.dataset.selecting !== undefined;
  element.querySelector('[data-select]').hidden = on;
  bar().hidden = !on;
  bar().querySelector('.count').textContent = ids.length ? `${ids.length} marked` : 'Click pictures to mark them';
  for (const part of bar().querySelectorAll('[data-marked]')) part.disabled = !ids.length;
  const file = bar().querySelector('a');
  file.href = `/pictures.zip?ids=${ids.join()}`;
  file.toggleAttribute('hidden', !ids.length);
}
// Written anew, the history may have lost some of them.
watch('value', () => setTimeout(() => {
  const there = new Set(tiles().flatMap(idsOf));
  for (const id of selection) if (!there.has(id)) selection.delete(id);
  mark();
  chosen([...selection]);
}));
element.addEventListener('click', (event) => {
  const at = (name) => event.target.closest(`[data-${name}]`);
  if (at('select')) selecting(true);
  else if (at('unselect')) selecting(false);
  else if (at('marked')) {
    const ids = [...selection];
    const {marked, to} = at('marked').dataset;
    if (marked === 'send') trigger('send', {ids, to});
    else if (marked === 'bin') trigger('bin', {ids});
    else trigger('unbin', {ids});
    selecting(false);
  } else if (at('pick')) trigger('pick', {id: Number(at('pick').dataset.pick)});
  else if (at('all')) trigger('all', {ids: at('all').dataset.all.split(',').map(Number)});
  else if (at('more')) trigger('more', {last: Number(at('more').dataset.more)});
  else if (at('newest')) trigger('newest', {});
  else if (at('purge')) trigger('purge', {sure: at('purge').dataset.purge === 'sure'});
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && element.dataset.selecting !== undefined) selecting(false);
});
"""
)


def gallery_html(tiles: Sequence[Batch], total: int, query: Query, has_more: bool = False, sure: bool = False) -> str:
    """Tiles, newest first. total: how many pictures there are. sure: whether to ask before the bin is emptied."""
    parts: list[str] = []
    if query.in_bin:
        parts.append(_bin(total, sure))
    if not tiles:
        parts.append(tag("p", text(_nothing(query)), class_="empty-line"))
        return "".join(parts)
    if query.is_narrow or query.in_bin:
        parts.append(tag("p", f"{total} picture{'s' * (total != 1)}", class_="empty-line found", role="status"))
    if query.before_id is not None:
        parts.append(_button("Back to the newest", data_newest=True))
    parts += [_marking(query.in_bin), tiles_html(tiles)]
    if has_more:
        parts.append(_button("Show more", data_more=str(tiles[-1].pictures[-1].id)))
    return "".join(parts)


def _marking(in_bin: bool) -> str:
    """What can be done to several pictures at once."""
    undo = ("unbin", "Take out of the bin", "Put them back into the history")
    into = ("bin", "Delete", "Move them into the bin; this can be undone there")
    name, label, title = undo if in_bin else into
    inner = (
        tag("span", "", class_="count", role="status")
        + tag(
            "a",
            "Download (ZIP)",
            href="#",
            download="palimpsest-pictures.zip",
            class_="action",
            hidden=True,
            title="The original PNG files, with their recipes inside",
        )
        + ("" if in_bin else _sending())
        + tag("button", label, type="button", class_="action", data_marked=name, title=title, disabled=True)
        + tag("button", "Done", type="button", class_="action", data_unselect=True)
    )
    start = tag(
        "button",
        "Mark several",
        type="button",
        class_="small",
        data_select=True,
        title="To download, send or delete several at once; or click with Ctrl",
    )
    return tag("div", start + tag("div", inner, class_="marked-bar", hidden=True), class_="marking")


def _sending() -> str:
    """A button for each tab that takes pictures."""
    from studio.ui.handover import targets  # which imports tabs, and these this module

    title = "Put them on that tab, with their recipes"
    return "".join(
        tag(
            "button",
            text(f"Send to {name}"),
            type="button",
            class_="action",
            data_marked="send",
            data_to=tab,
            title=title,
            disabled=True,
        )
        for tab, name in targets().items()
    )


def _nothing(query: Query) -> str:
    if query.in_bin and not query.is_narrow:
        return "The bin is empty."
    if query.search and not (query.favourites or query.model or query.sampler or query.origin):
        return f"No picture's prompt has “{query.search}” in it."
    return "No picture is like that." if query.is_narrow else "Pictures you make are kept here."


def _bin(total: int, sure: bool) -> str:
    if not total:
        return ""
    if not sure:
        return tag(
            "p",
            "Deleted pictures wait here until the bin is emptied. " + _button("Empty the bin", data_purge="ask"),
            class_="bin",
        )
    count = f"{total} picture{'s' * (total != 1)}"
    return tag(
        "p",
        f"{count} and their files will be gone for good. "
        + _button("Yes, empty the bin", data_purge="sure")
        + _button("Keep them", data_newest=True),
        class_="bin",
        role="alert",
    )


def _button(label: str, **data: str | bool) -> str:
    return tag("button", label, type="button", class_="action quiet", **data)
