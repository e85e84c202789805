// The curve of a schedule, drawn and drawn upon. Beside it stand the fields of its parameters, which are the truth: what
// is drawn is read from them, and what is moved is written to the text of the points. `tell` gets it once, at the end.
// The points themselves are those of curve_points.js, which stands before this.
const HEIGHT = 164, LEFT = 36, RIGHT = 12, TOP = 12, BOTTOM = 20;
const REACH = { mouse: 12, touch: 24, pen: 18 }; // px from a point's centre that still take hold of it
const TAP_MS = 400, PAUSE_MS = 600;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const HOW = 'Drag a point, or draw a line. Click: add; double click: remove. Keys: arrows, + and Delete.';
const UNREADABLE = 'These points cannot be read: pairs such as 0:0, 0.5:1, with progress rising.';

const field = (surface, name) => surface.parentElement.querySelector(`:scope > .param [data-name="${name}"]`);
const identity = (surface) => `${surface.dataset.row}/${surface.dataset.at}`;
const surfaces = () => [...element.querySelectorAll('.curve')];
const surfaceOf = (id) => surfaces().find((one) => identity(one) === id);

// Share of the value set at progress p, as studio/guidance/schedule.py has it; null while a field is not filled in.
function shareAt(surface, points, p) {
  const number = (name) => field(surface, name).valueAsNumber;
  const curve = field(surface, 'curve').value, first = number('first'), last = number('last');
  let share = NaN;
  if (curve === 'constant') share = first;
  if (curve === 'linear') share = first + (last - first) * p;
  if (curve === 'cosine') share = first + (last - first) * (1 - Math.cos(Math.PI * p)) / 2;
  if (curve === 'beta') {
    const a = number('rise') - 1, b = number('fall') - 1, top = a + b > 0 ? a / (a + b) : 0;
    share = p ** a * (1 - p) ** b / (top ** a * (1 - top) ** b);
  }
  if (curve === 'points' && points) share = joined(points, p);
  return Number.isFinite(share) && share >= 0 && share <= MOST_SHARE ? share : null;
}

// -- what is going on: at most one pointer, and keys whose effect was not told yet -----------------------------------

let gesture = null; // {id, pointer, kind: 'hold' | 'press' | 'draw', points, before, index, top, ...}
let keyed = null; // {id, points, before, timer}
let held = null; // {id, index}: the point that has the keyboard's attention
let tapped = { id: '', index: -1, time: 0 };

function pointsOf(surface) {
  const id = identity(surface);
  if (gesture && gesture.id === id) return gesture.points;
  if (keyed && keyed.id === id) return keyed.points;
  return read(field(surface, 'points').value);
}
const isDrawn = (surface) => field(surface, 'curve').value === 'points';
function finish(id, points, before) {
  const surface = surfaceOf(id);
  if (!surface) return;
  field(surface, 'points').value = written(points);
  draw(surface);
  if (written(points) !== written(before)) tell(surface, written(points));
}
function flush() {
  if (!keyed) return;
  const { id, points, before, timer } = keyed;
  clearTimeout(timer);
  keyed = null;
  finish(id, points, before);
}

// -- drawing ---------------------------------------------------------------------------------------------------------

function part(parent, name, attributes, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}
function scales(surface, top) {
  const width = Math.max(surface.querySelector('svg').clientWidth || 300, 120);
  const across = width - LEFT - RIGHT, down = HEIGHT - TOP - BOTTOM;
  return { width, top, x: (p) => LEFT + p * across, y: (share) => TOP + (1 - share / top) * down,
    p: (x) => clamp((x - LEFT) / across, 0, 1), share: (y) => clamp((1 - (y - TOP) / down) * top, 0, top) };
}

function draw(surface) {
  const svg = surface.querySelector('svg'), own = isDrawn(surface), points = own ? pointsOf(surface) : null;
  const ps = own && points ? [0, ...points.map((one) => one[0]), 1] : [...Array(61).keys()].map((k) => k / 60);
  const shares = ps.map((p) => shareAt(surface, points, p));
  const readable = shares.every((share) => share !== null);
  const moving = gesture && gesture.id === identity(surface) ? gesture : null;
  const top = moving ? moving.top : own && points ? roomFor(points) : clamp(Math.ceil(Math.max(...shares)), 2, MOST_SHARE);
  const at = scales(surface, top);
  surface.classList.toggle('drawn', own);
  surface.classList.toggle('wrong', !readable);
  surface.querySelector('p').textContent = !own ? '' : readable ? HOW : UNREADABLE;
  svg.setAttribute('viewBox', `0 0 ${at.width} ${HEIGHT}`);
  svg.setAttribute('role', own ? 'group' : 'img');
  svg.setAttribute('aria-label', 'Share of the value set, from noise to image');
  let grid = svg.querySelector('.grid'), line = svg.querySelector('.line'), said = svg.querySelector('.said');
  if (!grid) {
    grid = part(svg, 'g', { class: 'grid', 'aria-hidden': 'true' });
    line = part(svg, 'path', { class: 'line' });
    said = part(svg, 'text', { class: 'said', 'aria-hidden': 'true' });
  }
  grid.replaceChildren();
  for (const p of [0, 0.25, 0.5, 0.75, 1]) part(grid, 'line', { x1: at.x(p), x2: at.x(p), y1: TOP, y2: at.y(0) });
  for (let share = 0; share <= top; share += 1) {
    part(grid, 'line', { x1: at.x(0), x2: at.x(1), y1: at.y(share), y2: at.y(share), class: share === 1 ? 'set' : '' });
    part(grid, 'text', { x: LEFT - 11, y: at.y(share) + 4, 'text-anchor': 'end' }, `×${share}`);
  }
  part(grid, 'text', { x: at.x(0), y: HEIGHT - 4 }, 'noise');
  part(grid, 'text', { x: at.x(0.5), y: HEIGHT - 4, 'text-anchor': 'middle' }, '0.5');
  part(grid, 'text', { x: at.x(1), y: HEIGHT - 4, 'text-anchor': 'end' }, 'image');
  line.setAttribute('d', readable ? ps.map((p, k) => `${k ? 'L' : 'M'}${round(at.x(p))} ${round(at.y(shares[k]))}`).join('') : '');
  handles(svg, own && points && !(moving && moving.kind === 'draw') ? points : [], at, moving);
  const shown = !points ? null : moving ? moving.at || points[moving.index]
    : held && held.id === identity(surface) ? points[held.index] : null;
  said.textContent = shown ? `×${shown[1]} at ${shown[0]}` : '';
  if (!shown) return;
  const [x, y] = [at.x(shown[0]), at.y(shown[1])];
  said.setAttribute('x', clamp(x, LEFT + 36, at.width - RIGHT - 36));
  said.setAttribute('y', y < TOP + 26 ? y + 27 : y - 15);
}

function handles(svg, points, at, moving) {
  const present = [...svg.querySelectorAll('.point')];
  while (present.length > points.length) present.pop().remove();
  while (present.length < points.length) {
    const made = part(svg, 'g', { class: 'point', role: 'slider', tabindex: '0', 'aria-orientation': 'vertical',
      'aria-valuemin': '0', 'aria-valuemax': String(MOST_SHARE) });
    part(made, 'circle', { class: 'reach', r: 23 }); // a finger needs 44 px, also of a drawing that is shrunk a little
    part(made, 'circle', { class: 'dot', r: 6 });
    present.push(made);
  }
  points.forEach(([p, share], k) => {
    present[k].setAttribute('transform', `translate(${round(at.x(p))} ${round(at.y(share))})`);
    present[k].setAttribute('aria-label', `Point ${k + 1} of ${points.length}`);
    present[k].setAttribute('aria-valuenow', String(share));
    present[k].setAttribute('aria-valuetext', `×${share} at ${p}`);
    present[k].classList.toggle('held', Boolean(moving && moving.index === k));
  });
}

// After the page was written anew, and when fields moved.
function redraw() {
  const focus = held && document.activeElement === document.body;
  surfaces().forEach((surface) => {
    if (gesture && gesture.id === identity(surface)) field(surface, 'points').value = written(gesture.points);
    if (keyed && keyed.id === identity(surface)) field(surface, 'points').value = written(keyed.points);
    draw(surface);
  });
  if (focus) attend(held.id, held.index);
}
function attend(id, index) {
  held = { id, index };
  const surface = surfaceOf(id);
  const points = surface ? surface.querySelectorAll('.point') : [];
  if (points[index]) points[index].focus({ preventScroll: true });
}

// -- pointers: caught by the host, which stays when the page is written anew -----------------------------------------

const placeOf = (surface, event) => {
  const box = surface.querySelector('svg').getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

element.addEventListener('pointerdown', (event) => {
  const svg = event.target.closest('.curve.drawn:not(.wrong) svg');
  if (!svg || event.button !== 0 || gesture) return;
  event.preventDefault();
  flush();
  const surface = svg.closest('.curve'), points = pointsOf(surface), id = identity(surface);
  const top = roomFor(points), at = scales(surface, top), [x, y] = placeOf(surface, event);
  const away = points.map((one) => Math.hypot(at.x(one[0]) - x, at.y(one[1]) - y));
  const nearest = away.indexOf(Math.min(...away));
  const index = away[nearest] <= (REACH[event.pointerType] || REACH.touch) ? nearest : -1;
  gesture = { id, pointer: event.pointerId, kind: index < 0 ? 'press' : 'hold', points, before: points, index, top,
    from: [x, y], off: index < 0 ? [0, 0] : [at.x(points[index][0]) - x, at.y(points[index][1]) - y], stirred: false };
  element.setPointerCapture(event.pointerId);
  if (index >= 0) attend(id, index);
  else if (document.activeElement) document.activeElement.blur();
  draw(surface);
});

element.addEventListener('pointermove', (event) => {
  if (!gesture || event.pointerId !== gesture.pointer) return;
  const surface = surfaceOf(gesture.id);
  if (!surface) return;
  const [x, y] = placeOf(surface, event), at = scales(surface, gesture.top);
  gesture.stirred = gesture.stirred || Math.hypot(x - gesture.from[0], y - gesture.from[1]) > 4;
  if (!gesture.stirred) return;
  if (gesture.kind === 'hold') {
    const p = at.p(x + gesture.off[0]), share = at.share(y + gesture.off[1]);
    gesture.points = moved(gesture.before, gesture.index, p, share);
  } else {
    if (gesture.kind === 'press') Object.assign(gesture, { kind: 'draw', drawn: new Map(), last: gesture.from });
    // Between two reports of a quick hand lie many steps; the line is drawn through them all.
    const [from, to] = [gesture.last, [x, y]].map(([one, two]) => [Math.round(at.p(one) / STEP), at.share(two)]);
    const steps = Math.max(Math.abs(to[0] - from[0]), 1);
    for (let k = 0; k <= steps; k += 1) {
      const place = Math.round(from[0] + (to[0] - from[0]) * k / steps);
      gesture.drawn.set(round(place * STEP), clamp(snapped(from[1] + (to[1] - from[1]) * k / steps), 0, gesture.top));
    }
    gesture.last = [x, y];
    gesture.at = [round(to[0] * STEP), gesture.drawn.get(round(to[0] * STEP))];
    gesture.points = merged(gesture.before, gesture.drawn);
  }
  field(surface, 'points').value = written(gesture.points);
  draw(surface);
});

element.addEventListener('pointerup', (event) => {
  if (!gesture || event.pointerId !== gesture.pointer) return;
  let { id, kind, points, before, index, from, stirred } = gesture;
  const surface = surfaceOf(id);
  if (surface && kind === 'press') {
    const at = scales(surface, gesture.top);
    [points, index] = added(before, at.p(from[0]), at.share(from[1]));
    tapped = { id, index, time: event.timeStamp };
  } else if (kind === 'hold' && !stirred) {
    const again = tapped.id === id && tapped.index === index && event.timeStamp - tapped.time < TAP_MS;
    if (again && points.length > 1) { points = points.filter((_, k) => k !== index); index = -1; }
    tapped = again ? { id: '', index: -1, time: 0 } : { id, index, time: event.timeStamp };
  }
  gesture = null;
  held = null;
  finish(id, points, before);
  if (index >= 0 && kind !== 'draw') attend(id, index);
});

function abandon() {
  if (!gesture) return;
  const { id, before } = gesture;
  gesture = null;
  finish(id, before, before);
}
element.addEventListener('pointercancel', abandon);
element.addEventListener('lostpointercapture', abandon); // after pointerup there is nothing left to abandon

// -- keys ------------------------------------------------------------------------------------------------------------

element.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && gesture) { abandon(); event.preventDefault(); return; }
  const point = event.target.closest('.curve .point');
  if (!point || gesture || event.ctrlKey || event.metaKey || event.altKey) return;
  const surface = point.closest('.curve'), id = identity(surface), points = pointsOf(surface);
  let index = [...surface.querySelectorAll('.point')].indexOf(point), next = points;
  const arrow = ARROWS[event.key], by = event.shiftKey ? 5 * STEP : STEP;
  if (arrow) {
    const [p, share] = points[index], to = moved(points, index, p + arrow[0] * by, share + arrow[1] * by)[index];
    next = points.map((one, k) => (k === index ? (arrow[0] ? [to[0], share] : [p, to[1]]) : one));
  }
  else if (event.key === 'Delete' || event.key === 'Backspace') {
    if (points.length > 1) next = points.filter((_, k) => k !== index);
    index = Math.min(index, next.length - 1);
  } else if (event.key === '+' || event.key === 'Insert') {
    // Half way to the next one; after the last, half way back.
    const [one, two] = index < points.length - 1 ? [index, index + 1] : [index - 1, index];
    const middle = snapped(points.length < 2 ? Number(points[0][0] < 0.5) : (points[one][0] + points[two][0]) / 2);
    if (points.length < MOST_POINTS && !points.some((each) => each[0] === middle)) [next, index] = added(points, middle, joined(points, middle));
  } else return;
  event.preventDefault();
  event.stopPropagation();
  const before = keyed ? keyed.before : points;
  if (keyed) clearTimeout(keyed.timer);
  keyed = { id, points: next, before, timer: setTimeout(flush, PAUSE_MS) };
  field(surface, 'points').value = written(next);
  draw(surface);
  attend(id, index);
});
element.addEventListener('focusin', (event) => {
  const point = event.target.closest('.curve .point');
  if (!point && keyed) flush();
  const surface = point && point.closest('.curve');
  held = point ? { id: identity(surface), index: [...surface.querySelectorAll('.point')].indexOf(point) } : null;
  surfaces().forEach(draw);
});
element.addEventListener('focusout', (event) => {
  // Nothing has it next where the page was written anew: then the point is to have it back.
  if (event.relatedTarget && !element.contains(event.relatedTarget)) held = null;
  // Not at once: the page may be in the middle of being written.
  if (!event.relatedTarget || !event.relatedTarget.closest('.point')) queueMicrotask(flush);
});
document.addEventListener('pointerdown', (event) => {
  if (!element.contains(event.target) || !event.target.closest('.point')) held = null;
}, true);
element.addEventListener('input', (event) => { if (event.target.dataset.op) redraw(); });
element.addEventListener('change', redraw);
new ResizeObserver(() => surfaces().forEach(draw)).observe(element);
