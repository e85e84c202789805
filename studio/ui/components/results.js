// What is done with pictures side by side. The host says PICKED: the event that tells which one was picked.
const lens = new pictures.Lens(element), reference = new pictures.Reference(element);
const frames = () => [...element.querySelectorAll('.frame.done[data-picture]')];
const picked = () => element.querySelector('.frame.done[aria-pressed="true"]')
  || (element.contains(document.activeElement) && document.activeElement.closest('.frame.done')) || frames()[0];
const tool = (name) => element.querySelector(`[data-tool="${name}"]`);

// The page writes results anew while they are drawn: what was pinned and zoomed stays.
function settle() {
  reference.mark();
  const pinned = Boolean(reference.name), {row} = reference;
  for (const bar of element.querySelectorAll('.result-tools .tools')) bar.hidden = !frames().length;
  for (const name of ['flip', 'difference']) if (tool(name)) tool(name).hidden = !pinned;
  if (!tool('pin')) return;
  tool('pin').hidden = frames().length < 2 && !pinned;
  tool('pin').textContent = row ? 'Pin its row' : pinned ? 'Unpin' : 'Pin';
  tool('pin').ariaPressed = String(pinned && !row);
  tool('difference').ariaPressed = String(element.hasAttribute('data-difference'));
  tool('fit').textContent = `${Math.round(100 * lens.zoom)} %`;
  element.querySelector('.result-tools .reference').textContent = pinned ? `Reference: ${reference.name}` : '';
}
// A picture of a batch that stands alone has the others beside it in `data-batch`. The one that was looked at last is
// picked then.
const open = (frame) => {
  if (!frame) return;
  const batch = element.querySelector('[data-batch]'), {picture} = frame.dataset;
  const all = frames(), beside = reference.row ? (one) => ({against: reference.against(one)}) : () => ({});
  const list = batch ? JSON.parse(batch.dataset.batch) : all.map((one) => ({...pictures.of(one), ...beside(one)}));
  const at = batch ? list.findIndex(({id}) => id === picture) : all.indexOf(frame);
  pictures.show(list, at, reference.against(frame), ({id}) => {
    if (batch && id !== picture) trigger(PICKED, {id: Number(id)});
  });
};
// Where rows are compared it is a row that is pinned, and the page has to know of it: what differs is told by it.
function pin() {
  if (!reference.row) return reference.pin(reference.pinned || !picked() ? null : pictures.of(picked()));
  const row = picked()?.closest('tr[data-row]');
  if (row) trigger('refer', {row: Number(row.dataset.row)});
}
const TOOLS = {
  full: () => open(picked()),
  in: () => lens.by(1.5), out: () => lens.by(1 / 1.5), fit: () => lens.reset(),
  pin: pin, difference: () => reference.difference(),
};
lens.listen(settle);
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-tool]');
  if (button) { TOOLS[button.dataset.tool]?.(); settle(); return; }
  const frame = event.target.closest('[data-pick]');
  if (frame) trigger(PICKED, {id: Number(frame.dataset.pick)});
});
element.addEventListener('dblclick', (event) => open(event.target.closest('.frame.done[data-picture]')));
for (const [name, on] of [['pointerdown', true], ['pointerup', false], ['pointerout', false], ['pointercancel', false]]) {
  element.addEventListener(name, (event) => { if (event.target.closest('[data-tool="flip"]')) reference.flip(on); });
}

// Arrows go from picture to picture, by where they are.
function neighbour(frame, key) {
  const from = frame.getBoundingClientRect();
  const sideways = key === 'ArrowLeft' || key === 'ArrowRight', forward = key === 'ArrowRight' || key === 'ArrowDown';
  let best = null, least = Infinity;
  for (const other of frames()) {
    const to = other.getBoundingClientRect();
    const along = (sideways ? to.left - from.left : to.top - from.top) * (forward ? 1 : -1);
    const across = Math.abs(sideways ? to.top - from.top : to.left - from.left);
    if (other === frame || along < 4) continue;
    if (along + 3 * across < least) [best, least] = [other, along + 3 * across];
  }
  return best;
}
// Keys that are letters count where the pictures are seen and nothing is being written.
const KEYS = {'+': 'in', '=': 'in', '-': 'out', 0: 'fit', p: 'pin', d: 'difference', v: 'full'};
const within = (event) => element.contains(event.target);
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || element.offsetParent === null) return;
  if (pictures.isWriting(event) || document.querySelector('dialog[open]')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === 'r') reference.flip(true);
  if (!within(event)) return;
  const walk = key === 'ArrowLeft' ? '-1' : key === 'ArrowRight' ? '1' : '';
  const step = walk && element.querySelector(`[data-walk="${walk}"]`);
  if (step) { step.click(); event.preventDefault(); return; }
  const frame = event.target.closest('.frame.done');
  const next = frame && key.startsWith('Arrow') ? neighbour(frame, key) : null;
  if (next) next.focus();
  else if (KEYS[key] && !(key === 'd' && !reference.name)) { TOOLS[KEYS[key]](); settle(); }
  else return;
  event.preventDefault();
});
document.addEventListener('keyup', (event) => { if (event.key.toLowerCase() === 'r') reference.flip(false); });
window.addEventListener('blur', () => reference.flip(false));
watch('value', () => setTimeout(settle));
settle();
