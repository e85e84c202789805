// The points of a schedule as lists of pairs [progress, share], in order of progress; nothing here knows of the page.
const STEP = 0.05, MOST_SHARE = 5, MOST_POINTS = 64, MOST_DRAWN = 16;

const round = (value) => Number(value.toFixed(4));
const snapped = (value) => round(Math.round(value / STEP) * STEP);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const written = (points) => points.map(([p, share]) => `${p}:${share}`).join(', ');

// The pairs of a text, or null where the engine would refuse them.
function read(text) {
  const points = text.split(',').map((pair) => pair.split(':').map((one) => (one.trim() ? Number(one) : NaN)));
  const good = points.every((one, k) => one.length === 2 && one[0] >= 0 && one[0] <= 1 && one[1] >= 0 &&
    one[1] <= MOST_SHARE && (k === 0 || points[k - 1][0] < one[0]));
  return good && points.length <= MOST_POINTS ? points : null;
}

function joined(points, p) {
  const after = points.findIndex((one) => p <= one[0]);
  if (after < 0) return points[points.length - 1][1];
  if (after === 0) return points[0][1];
  const [[p0, m0], [p1, m1]] = [points[after - 1], points[after]];
  return m0 + (m1 - m0) * (p - p0) / (p1 - p0);
}

// Room above the highest point, so that it can be dragged further; in steps, or the scale would never be at rest.
const roomFor = (points) => clamp(Math.ceil(Math.max(...points.map((one) => one[1])) + 0.5), 2, MOST_SHARE);

// -- changing points -------------------------------------------------------------------------------------------------

// A point keeps its place among the others: between its neighbours' steps, or where it is if there is no room.
function moved(points, index, p, share) {
  const low = index > 0 ? points[index - 1][0] : -STEP, high = index < points.length - 1 ? points[index + 1][0] : 1 + STEP;
  const first = Math.floor(round(low / STEP)) + 1, last = Math.ceil(round(high / STEP)) - 1;
  const place = first > last ? points[index][0] : round(clamp(Math.round(p / STEP), first, last) * STEP);
  const next = points.slice();
  next[index] = [place, clamp(snapped(share), 0, MOST_SHARE)];
  return next;
}
// Gives the points with one more, and its index; one that stands there already is moved.
function added(points, p, share) {
  const place = [snapped(p), clamp(snapped(share), 0, MOST_SHARE)];
  const there = points.findIndex((one) => one[0] === place[0]);
  if (there >= 0) return [points.map((one, k) => (k === there ? place : one)), there];
  if (points.length >= MOST_POINTS) return [points, -1];
  const next = [...points, place].sort((one, two) => one[0] - two[0]);
  return [next, next.indexOf(place)];
}
// The line drawn, in place of what stood over the same stretch; as few points as tell it.
function merged(points, drawn) {
  const line = [...drawn].sort((one, two) => one[0] - two[0]);
  const [low, high] = [line[0][0], line[line.length - 1][0]];
  const kept = points.filter(([p]) => p < low || p > high);
  const join = (middle) => [...kept.filter(([p]) => p < low), ...middle, ...kept.filter(([p]) => p > high)];
  let next = join(simplified(line, 0.03));
  for (let tolerance = 0.045; next.length > MOST_DRAWN; tolerance *= 1.5) next = simplified(next, tolerance);
  return next;
}
// Ramer, Douglas and Peucker's rule, by the difference in share.
function simplified(line, tolerance) {
  if (line.length < 3) return line;
  const [[p0, m0], [p1, m1]] = [line[0], line[line.length - 1]];
  const off = line.map(([p, share]) => Math.abs(share - (m0 + (m1 - m0) * (p - p0) / (p1 - p0))));
  const worst = off.indexOf(Math.max(...off));
  if (off[worst] <= tolerance) return [line[0], line[line.length - 1]];
  return [...simplified(line.slice(0, worst + 1), tolerance).slice(0, -1), ...simplified(line.slice(worst), tolerance)];
}
