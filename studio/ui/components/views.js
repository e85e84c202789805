// Views of the table that lies in SOURCE. Nothing is kept of its pictures: each view is made anew of what the table shows
// by now, whenever that is written.
const stage = element.querySelector('.view-stage'), place = element.querySelector('.view-pictures');
const lens = new pictures.Lens(stage), MEMORY = `palimpsest-views ${SOURCE}`;
const NOW = 1e9; // in the place of a step: of a training under way, whatever it is at
const PAIR = ['slider', 'flick', 'difference'];
const HINTS = {
  slider: '← → column · ↑ ↓ compared row · [ ] divider, or drag it · hold R reference · S exchange · + − 0 zoom',
  flick: '← → column · ↑ ↓ compared row · hold R or the space bar: reference · S exchange · + − 0 zoom, drag to move',
  difference: '← → column · ↑ ↓ compared row · hold R reference · S exchange · + − 0 zoom, drag to move',
  large: '← → column · + − 0 zoom, drag to move all of them',
  training: '← → step · + − 0 zoom, drag to move all of them',
};
const state = {view: 'table', first: '', second: '', column: 0, training: '', step: 0, divide: 50, gain: 4};
try { Object.assign(state, JSON.parse(localStorage.getItem(MEMORY)) || {}); } catch { /* as a first visitor finds it */ }
const part = (name, value) => element.querySelector(`[data-${name}="${value}"]`);

// What the table shows: its rows, each with its pictures by column.
function read() {
  const table = document.querySelector(`${SOURCE} table[data-reference]`);
  if (!table) return {rows: [], columns: [], reference: ''};
  const rows = [...table.tBodies[0].rows].map((row) => ({
    id: row.dataset.row, name: row.dataset.name, training: row.dataset.training || '', step: Number(row.dataset.step || 0),
    pictures: [...row.cells].slice(1).map((cell) => {
      const frame = cell.querySelector('.frame.done[data-picture]');
      return frame && pictures.of(frame);
    }),
  }));
  return {
    rows: rows, columns: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent),
    reference: table.dataset.reference,
  };
}

// -- the choice ---------------------------------------------------------------------------------------------------------

function choose(view) {
  if (state.view !== view) lens.reset();
  state.view = view;
  show();
}
function remember() {
  try { localStorage.setItem(MEMORY, JSON.stringify(state)); } catch { /* it is forgotten with the page then */ }
}
function settleChoice() {
  for (const button of element.querySelectorAll('[data-view]')) {
    const isOn = button.dataset.view === state.view;
    button.setAttribute('aria-checked', String(isOn));
    button.tabIndex = isOn ? 0 : -1;
  }
  for (const one of stage.querySelectorAll('[data-for]')) one.hidden = !one.dataset.for.split(' ').includes(state.view);
  const source = document.querySelector(SOURCE);
  if (source) source.toggleAttribute('data-elsewhere', state.view !== 'table');
  stage.hidden = state.view === 'table';
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-view]');
  if (button) choose(button.dataset.view);
});
element.querySelector('[role="radiogroup"]').addEventListener('keydown', (event) => {
  const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (!by) return;
  const all = [...element.querySelectorAll('[data-view]')];
  const next = all[(all.findIndex((one) => one.dataset.view === state.view) + by + all.length) % all.length];
  choose(next.dataset.view);
  next.focus();
  event.preventDefault();
  event.stopPropagation();
});

// -- a view -------------------------------------------------------------------------------------------------------------

const made = (name, attributes = {}, ...inner) => {
  const one = Object.assign(document.createElement(name), attributes);
  one.append(...inner);
  return one;
};
const fill = (name, entries, value) => {
  const menu = part('choice', name), now = JSON.stringify(entries);
  if (menu.dataset.entries !== now) {
    menu.replaceChildren(...entries.map(([id, label]) => made('option', {value: id, textContent: label})));
    menu.dataset.entries = now;
  }
  menu.value = String(value);
};
const tell = (words) => {
  const line = stage.querySelector('.view-told');
  if (line.textContent !== words) line.textContent = words;
};
const nothing = (words) => { place.replaceChildren(made('p', {className: 'view-nothing', textContent: words})); tell(''); };
// A picture as large as its place; several lie upon each other.
function frame(picture, className = '') {
  const [width, height] = picture.size.split('x');
  const one = made('div', {className: `frame done ${className}`}, made('img', {src: picture.src, alt: picture.alt}));
  one.style.setProperty('--shape', `${width} / ${height}`);
  one.style.setProperty('--ratio', width / height);
  return one;
}
function labelled(name, picture, className) {
  const facts = made('div', {className: 'view-facts'});
  facts.innerHTML = picture ? picture.caption : '';
  return made('div', {className: `view-label ${className}`}, made('p', {className: 'card-name', textContent: name}), facts);
}

function show() {
  settleChoice();
  remember();
  place.className = `view-pictures of-${state.view}`;
  stage.querySelector('.view-keys').textContent = HINTS[state.view] || '';
  stage.querySelector('[data-do="fit"]').textContent = `${Math.round(100 * lens.zoom)} %`;
  if (state.view === 'table') return;
  const table = read();
  const top = place.getBoundingClientRect().top + window.scrollY;
  stage.style.setProperty('--high', `${Math.max(240, window.innerHeight - top - 44)}px`);
  state.column = Math.min(Math.max(0, state.column), Math.max(0, table.columns.length - 1));
  if (PAIR.includes(state.view)) showPair(table);
  else if (state.view === 'large') showLarge(table);
  else showTraining(table);
}

function showPair(table) {
  const {rows, columns} = table, ids = rows.map((row) => row.id);
  if (rows.length < 2) { nothing('Two rows are needed. Add another one.'); return; }
  if (!ids.includes(state.first)) state.first = table.reference;
  if (!ids.includes(state.second) || state.second === state.first) state.second = ids.find((id) => id !== state.first);
  const entries = rows.map((row) => [row.id, row.name]);
  fill('first', entries, state.first);
  fill('second', entries, state.second);
  fill('column', columns.map((name, at) => [at, name]), state.column);
  const [first, second] = [state.first, state.second].map((id) => rows.find((row) => row.id === id));
  const [before, after] = [first, second].map((row) => row.pictures[state.column]);
  const words = `${second.name} against ${first.name}, ${columns[state.column]}`;
  if (!before || !after) {
    nothing(`${(before ? second : first).name} is not drawn in this column.`);
    return;
  }
  if (pictures.ratio(before.size) !== pictures.ratio(after.size)) {
    place.replaceChildren(labelled(first.name, before, 'first'), frame(before), frame(after), labelled(second.name, after, 'second'));
    place.classList.add('apart');
    tell(`${words}. Their shapes differ, so they stand beside each other.`);
    return;
  }
  const both = frame(after, `both ${state.view}`);
  both.append(made('div', {className: 'over'}, made('img', {src: before.src, alt: before.alt})));
  if (state.view === 'slider') both.append(made('div', {className: 'divider'}));
  place.replaceChildren(labelled(first.name, before, 'first'), both, labelled(second.name, after, 'second'));
  part('range', 'divide').ariaLabel = `Divider, ${first.name} at its left and ${second.name} at its right`;
  settleRanges();
  tell(before.src === after.src ? `${words}: the same picture.` : `${words}.`);
}

function showLarge({rows, columns}) {
  fill('column', columns.map((name, at) => [at, name]), state.column);
  const shown = rows.filter((row) => row.pictures[state.column]);
  if (!shown.length) { nothing('Nothing is drawn in this column yet.'); return; }
  const figures = shown.map((row) => {
    const picture = row.pictures[state.column];
    return made('figure', {}, frame(picture), made('figcaption', {}, labelled(row.name, picture, '')));
  });
  place.replaceChildren(...figures);
  layOut(shown.length, 56);
  tell(`${shown.length} picture${shown.length > 1 ? 's' : ''}, ${columns[state.column]}.`);
}

function showTraining({rows, columns}) {
  const trainings = [...new Set(rows.map((row) => row.training).filter(Boolean))];
  const lists = new Map(trainings.map((id) => [id, rows.filter((row) => row.training === id).sort((a, b) => a.step - b.step)]));
  const several = [...lists].filter(([, list]) => list.length > 1);
  if (!several.length) {
    nothing('No two rows are steps of one training. Under “Add rows”, take a training and some of its steps.');
    return;
  }
  if (!several.some(([id]) => id === state.training)) state.training = several[0][0];
  fill('training', several.map(([id, list]) => [id, list[0].name]), state.training);
  part('choice', 'training').closest('label').hidden = several.length < 2;
  const list = lists.get(state.training), range = part('range', 'step');
  state.step = Math.min(Math.max(0, state.step), list.length - 1);
  const row = list[state.step];
  Object.assign(range, {max: list.length - 1, value: state.step});
  const step = row.step >= NOW ? 'As it is now' : `Step ${row.step}`;
  range.setAttribute('aria-valuetext', `${step}, ${row.name}`);
  const figures = columns.map((name, at) => {
    const picture = row.pictures[at], blank = made('div', {className: 'frame blank ruled'}, made('span', {textContent: 'not drawn'}));
    return made('figure', {}, picture ? frame(picture) : blank, made('figcaption', {}, labelled(name, picture, '')));
  });
  place.replaceChildren(...figures);
  layOut(columns.length, 56);
  tell(`${step}: ${row.name}. ${state.step + 1} of ${list.length}.`);
}

// As many beside each other as make them largest. below: pixels that each needs beneath it.
function layOut(count, below) {
  const width = place.clientWidth || 1, height = parseFloat(stage.style.getPropertyValue('--high'));
  const ratio = Number(getComputedStyle(place.querySelector('.frame')).getPropertyValue('--ratio')) || 1;
  let best = 1, largest = 0;
  for (let columns = 1; columns <= count; columns += 1) {
    const lines = Math.ceil(count / columns);
    const side = Math.min((width - 14 * (columns - 1)) / columns, (height / lines - below - 14) * ratio);
    if (side > largest) [best, largest] = [columns, side];
  }
  largest = Math.max(largest, Math.min(144, width / 2 - 14));
  place.style.setProperty('--side', `${Math.floor(largest)}px`);
}

function settleRanges() {
  for (const name of ['divide', 'gain']) {
    part('range', name).value = state[name];
    stage.style.setProperty(`--${name}`, state[name]);
  }
}

// -- what is done with it -----------------------------------------------------------------------------------------------

const flip = (on) => stage.toggleAttribute('data-held', on);
const DO = {
  swap: () => { [state.first, state.second] = [state.second, state.first]; show(); },
  before: () => step('column', -1), after: () => step('column', 1),
  in: () => lens.by(1.5), out: () => lens.by(1 / 1.5), fit: () => lens.reset(),
};
function step(what, by) {
  const count = what === 'column' ? read().columns.length : Number(part('range', 'step').max) + 1;
  if (!count) return;
  state[what] = (state[what] + by + count) % count;
  show();
}
function nextRow(by) {
  const ids = read().rows.map((row) => row.id).filter((id) => id !== state.first);
  if (!ids.length) return;
  state.second = ids[(ids.indexOf(state.second) + by + ids.length) % ids.length];
  show();
}
function divide(by) {
  state.divide = Math.min(100, Math.max(0, state.divide + by));
  settleRanges();
  remember();
}
const settleZoom = () => { stage.querySelector('[data-do="fit"]').textContent = `${Math.round(100 * lens.zoom)} %`; };
lens.listen(settleZoom);
stage.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (button) { DO[button.dataset.do]?.(); settleZoom(); }
});
stage.addEventListener('change', (event) => {
  const {choice} = event.target.dataset;
  event.stopPropagation();
  if (!choice) return;
  const {value} = event.target;
  if (choice === 'first' && value === state.second) state.second = state.first;
  if (choice === 'second' && value === state.first) state.first = state.second;
  state[choice] = choice === 'column' ? Number(value) : value;
  show();
});
stage.addEventListener('input', (event) => {
  const {range} = event.target.dataset;
  event.stopPropagation();
  if (!range) return;
  state[range] = Number(event.target.value);
  if (range === 'step') show();
  else { settleRanges(); remember(); }
});
pictures.hold(part('do', 'hold'), flip);
// At 100 % a drag moves the divider, and beyond that the pictures.
let dragged = null;
stage.addEventListener('pointerdown', (event) => {
  const slid = event.target.closest('.both.slider');
  if (!slid || lens.zoom > 1 || event.button !== 0) return;
  dragged = slid;
  event.preventDefault();
  drag(event);
});
function drag(event) {
  if (!dragged) return;
  const {left, width} = dragged.getBoundingClientRect();
  state.divide = Math.min(100, Math.max(0, (100 * (event.clientX - left)) / width));
  settleRanges();
}
window.addEventListener('pointermove', drag);
for (const end of ['pointerup', 'pointercancel']) window.addEventListener(end, () => { if (dragged) remember(); dragged = null; });

// Keys count wherever nothing is written or chosen: a view is the whole of what is looked at.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || stage.hidden || stage.offsetParent === null) return;
  if (pictures.isWriting(event) || document.querySelector('dialog[open]')) return;
  const {target} = event, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (target.closest('[role="tab"], [role="listbox"], dialog')) return;
  const isPair = PAIR.includes(state.view), isRange = target.matches('input[type="range"]');
  const by = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1}[key];
  if (by && (isRange || target.closest('.view-choice'))) return;
  if (by && (key === 'ArrowLeft' || key === 'ArrowRight')) step(state.view === 'training' ? 'step' : 'column', by);
  else if (by && isPair) nextRow(by);
  else if (key === 'r' || (key === ' ' && !target.closest('button, input'))) { if (isPair) flip(true); }
  else if (key === 's' && isPair) DO.swap();
  else if ((key === '[' || key === ']') && state.view === 'slider') divide(key === '[' ? -5 : 5);
  else if (key === '+' || key === '=') { lens.by(1.5); settleZoom(); }
  else if (key === '-') { lens.by(1 / 1.5); settleZoom(); }
  else if (key === '0') { lens.reset(); settleZoom(); }
  else return;
  event.preventDefault();
});
document.addEventListener('keyup', (event) => { if (['r', ' '].includes(event.key.toLowerCase())) flip(false); });
window.addEventListener('blur', () => flip(false));
window.addEventListener('resize', () => { if (!stage.hidden) show(); });

// The table is written anew while it is drawn.
let due = 0;
new MutationObserver((records) => {
  const source = document.querySelector(SOURCE);
  if (!source || !records.some(({target}) => source.contains(target))) return;
  cancelAnimationFrame(due);
  due = requestAnimationFrame(() => { if (!stage.hidden) show(); else settleChoice(); });
}).observe(element.parentElement.closest('.stage') || document.body, {childList: true, subtree: true});
show();
