// Several pictures at once: where the host is `selecting`, a click marks a picture (or all of a batch) instead of
// showing it. Shift marks all between; Ctrl begins. The host hears of it by `chosen(ids)`.
const selection = new Set();
const tiles = () => [...element.querySelectorAll('.thumb[data-ids]')];
const idsOf = (tile) => tile.dataset.ids.split(',').map(Number);
let anchor = null;
function mark() {
  const {selecting} = element.dataset;
  for (const tile of tiles()) {
    const on = selecting !== undefined && idsOf(tile).every((id) => selection.has(id));
    tile.classList.toggle('marked', on);
    if (selecting === undefined) tile.removeAttribute('aria-pressed');
    else tile.setAttribute('aria-pressed', String(on));
  }
}
function select(tile, through) {
  const all = tiles(), from = anchor ? all.findIndex((other) => other.dataset.ids === anchor) : -1;
  const to = all.indexOf(tile);
  const on = !idsOf(tile).every((id) => selection.has(id));
  const span = through && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [tile];
  for (const id of span.flatMap(idsOf)) selection[on || span.length > 1 ? 'add' : 'delete'](id);
  anchor = tile.dataset.ids;
  mark();
  chosen([...selection]);
}
function selecting(on) {
  element.toggleAttribute('data-selecting', on);
  if (!on) selection.clear();
  mark();
  chosen([...selection]);
}
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.thumb[data-ids]');
  if (!tile) return;
  if (element.dataset.selecting === undefined && !(event.ctrlKey || event.metaKey)) return;
  event.stopImmediatePropagation();
  if (element.dataset.selecting === undefined) selecting(true);
  select(tile, event.shiftKey);
});
