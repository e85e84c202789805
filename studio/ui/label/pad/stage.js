// Pictures of an item: fetched and decoded ahead, shown at one size and one zoom, none stretched.
const el = (name, set = {}, ...children) => {
  const part = document.createElement(name);
  for (const [key, value] of Object.entries(set)) {
    if (key === 'class') part.className = value;
    else if (key.startsWith('data-') || key.startsWith('aria-') || key === 'role' || key === 'for') part.setAttribute(key, value);
    else part[key] = value;
  }
  part.append(...children);
  return part;
};
const SIDES = {2: ['Left picture', 'Right picture']};
const FIRST_MS = 150; // after a new item is there, a key is still meant for the one before
const HOLD_MS = 600; // of a finger, which then means both bad

// An item with its pictures, which begin to load. isReady: all of them are decoded.
function prepared(item) {
  const images = item.pictures.map((picture) => el('img', {alt: '', draggable: false, src: picture.src}));
  const full = {...item, images, isReady: false, isBroken: false, q: item.q || 0};
  full.ready = Promise.all(images.map((image) => image.decode())).then(
    () => { full.isReady = true; }, () => { full.isBroken = true; });
  return full;
}

class Stage {
  // host: where they are shown. chosen(place): somebody clicked or tapped one; held(): a finger rests on one.
  constructor(host, chosen, held) {
    Object.assign(this, {host, chosen, held, item: null, places: [], isLive: false, paintedAt: 0, shown: 0});
    this.lens = new pictures.Lens(host);
    this.lens.listen(() => {});
    new ResizeObserver(() => this.fit()).observe(host);
    this.listen();
  }
  listen() {
    let holding = 0, wasHeld = false;
    this.host.addEventListener('click', (event) => {
      const frame = event.target.closest('[data-place]');
      if (!frame || event.detail > 1 || wasHeld) return; // of a double click, the second is meant for nothing
      this.chosen(Number(frame.dataset.place), event.detail > 0);
    });
    this.host.addEventListener('pointerdown', (event) => {
      wasHeld = false;
      clearTimeout(holding);
      if (event.pointerType !== 'touch' || !event.target.closest('[data-place]') || this.lens.zoom > 1) return;
      holding = setTimeout(() => { wasHeld = true; this.held(); }, HOLD_MS);
    });
    for (const name of ['pointerup', 'pointercancel', 'pointermove']) {
      this.host.addEventListener(name, (event) => {
        if (name !== 'pointermove' || Math.hypot(event.movementX, event.movementY) > 6) clearTimeout(holding);
      });
    }
    this.host.addEventListener('contextmenu', (event) => { if (event.pointerType === 'touch') event.preventDefault(); });
  }
  // Show some pictures of an item, all in one frame. places: their numbers, from the left. Gives whether it came to that.
  async show(item, places, isBlurred) {
    const turn = (this.shown += 1);
    this.isLive = false;
    delete this.host.dataset.live;
    this.host.dataset.state = 'waiting';
    if (!item.isReady) {
      this.host.replaceChildren(...places.map(() => el('div', {class: 'pad-frame', 'aria-hidden': 'true'})));
      this.item = null;
      await item.ready;
    }
    // Once more, since a browser may have thrown away what it decoded: it is then painted when it is put there.
    await Promise.all(places.map((place) => item.images[place].decode())).catch(() => { item.isBroken = true; });
    if (turn !== this.shown || item.isBroken) return false;
    const names = SIDES[places.length] || places.map((_, k) => `Picture ${k + 1}`);
    Object.assign(this, {item, places});
    this.host.toggleAttribute('data-blurred', Boolean(isBlurred)); // undefined would have it change
    this.host.replaceChildren(...places.map((place, k) => el('button',
      {class: 'pad-frame frame done', type: 'button', 'data-place': k, 'aria-label': places.length > 1 ? names[k] : 'The picture'},
      item.images[place], ...(places.length > 2 ? [el('kbd', {}, String(k + 1))] : []))));
    this.lens.reset();
    this.fit();
    this.host.dataset.state = 'shown';
    const shownAt = Date.now();
    await frame();
    await frame(); // the one before has been painted by now
    if (turn !== this.shown) return false;
    Object.assign(this, {isLive: true, shownAt, paintedAt: performance.now(), firstPaint: Date.now()});
    // By which it is seen that they can be chosen; what counts is `takesAnswers`.
    setTimeout(() => { if (turn === this.shown) this.host.dataset.live = ''; }, FIRST_MS);
    return true;
  }
  clear(message = '') {
    this.shown += 1;
    Object.assign(this, {item: null, isLive: false});
    delete this.host.dataset.live;
    this.host.dataset.state = 'empty';
    this.host.replaceChildren(...(message ? [el('p', {class: 'pad-lead'}, message)] : []));
  }
  // Whether an answer can be about what is seen.
  get takesAnswers() { return this.isLive && performance.now() - this.paintedAt >= FIRST_MS; }
  get waited() { return performance.now() - this.paintedAt; }
  flicker(on) {
    if (this.places.length === 2) this.host.toggleAttribute('data-swapped', on && this.isLive);
  }
  get isSwapped() { return this.host.hasAttribute('data-swapped'); }

  // The largest whole factor at which all of them fit, in the screen's own pixels; smaller than life where none does.
  fit() {
    const {item, places, host} = this;
    if (!item) return;
    const images = places.map((place) => item.images[place]), ratio = window.devicePixelRatio || 1;
    const width = Math.max(...images.map((image) => image.naturalWidth));
    const height = Math.max(...images.map((image) => image.naturalHeight));
    const style = getComputedStyle(host), gap = parseFloat(style.columnGap) || 0, margin = 2 * 12;
    const below = images.length > 2 ? 22 : 0; // for its number
    const room = {width: host.clientWidth, height: parseFloat(style.getPropertyValue('--room')) || 400};
    const measure = (columns) => {
      const rows = Math.ceil(images.length / columns);
      const wide = (room.width - (columns - 1) * gap) / columns - margin, high = (room.height - (rows - 1) * gap) / rows - margin - below;
      const factor = Math.min((wide * ratio) / width, (high * ratio) / height);
      return {columns, factor: factor >= 1 ? Math.floor(factor) : factor};
    };
    const least = images.length > 2 ? Math.ceil(Math.sqrt(images.length)) : images.length;
    const layouts = [];
    for (let columns = least; columns <= images.length; columns += 1) layouts.push(measure(columns));
    if (images.length > 2) layouts.push(measure(2));
    const best = layouts.reduce((a, b) => (b.factor > a.factor ? b : a));
    host.style.setProperty('--columns', best.columns);
    host.style.setProperty('--frame-height', `${(height * best.factor) / ratio + margin + below}px`);
    host.style.setProperty('--frame-width', `${(width * best.factor) / ratio + margin}px`);
    host.toggleAttribute('data-enlarged', best.factor >= 2);
    for (const image of images) {
      image.style.width = `${(image.naturalWidth * best.factor) / ratio}px`;
      image.style.height = `${(image.naturalHeight * best.factor) / ratio}px`;
    }
    const told = best.factor >= 1 ? `enlarged ×${best.factor}` : `${Math.round(100 * best.factor)} % of its size`;
    this.scale = best.factor === 1 ? `${width} × ${height} pixels, as they are` : `${width} × ${height} pixels, ${told}`;
    host.dispatchEvent(new CustomEvent('pad-scale', {detail: this.scale}));
  }
}
const frame = () => new Promise((next) => { requestAnimationFrame(next); });
