// Pictures over the whole window, one after the other; made once for the page. A lens is what is looked at of each: the
// same part of all.
const pictures = (window.palimpsestPictures ||= (() => {
  const MOST = 16;

  class Lens {
    constructor(host) {
      this.host = host;
      this.reset();
    }
    reset() {
      [this.zoom, this.x, this.y] = [1, 0, 0];
      this.apply();
    }
    by(factor) {
      this.zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
      this.move(0, 0);
    }
    // In shares of a picture's side, so that pictures of any size move alike.
    move(x, y) {
      const reach = (this.zoom - 1) / 2;
      this.x = Math.min(reach, Math.max(-reach, this.x + x));
      this.y = Math.min(reach, Math.max(-reach, this.y + y));
      this.apply();
    }
    apply() {
      const {style} = this.host;
      style.setProperty('--zoom', this.zoom);
      style.setProperty('--pan-x', `${100 * this.x}%`);
      style.setProperty('--pan-y', `${100 * this.y}%`);
      this.host.toggleAttribute('data-zoomed', this.zoom > 1);
      this.host.toggleAttribute('data-pixels', this.zoom >= 3);
    }
    // Wheel with Ctrl, and dragging, on any frame inside.
    listen(changed) {
      let from = null, moved = false;
      this.host.addEventListener('wheel', (event) => {
        if (!event.ctrlKey || !event.target.closest('.frame.done')) return;
        event.preventDefault();
        this.by(event.deltaY < 0 ? 1.25 : 0.8);
        changed();
      }, {passive: false});
      this.host.addEventListener('pointerdown', (event) => {
        const frame = event.target.closest('.frame.done');
        moved = false;
        if (frame && this.zoom > 1 && event.button === 0) from = {frame, x: event.clientX, y: event.clientY};
      });
      this.host.addEventListener('dragstart', (event) => { if (this.zoom > 1) event.preventDefault(); });
      window.addEventListener('pointermove', (event) => {
        if (!from) return;
        const side = from.frame.getBoundingClientRect();
        if (Math.abs(event.clientX - from.x) + Math.abs(event.clientY - from.y) > 2) moved = true;
        this.move((event.clientX - from.x) / side.width, (event.clientY - from.y) / side.height);
        [from.x, from.y] = [event.clientX, event.clientY];
      });
      for (const end of ['pointerup', 'pointercancel']) window.addEventListener(end, () => { from = null; });
      // Who moved the picture did not mean to pick it.
      this.host.addEventListener('click', (event) => {
        if (moved && event.target.closest('.frame')) { event.stopImmediatePropagation(); event.preventDefault(); }
        moved = false;
      }, true);
    }
  }

  // What a picture is compared with: the one that is pinned; or, in a table that names a row for it, the one of that row
  // in its column. The host's style sheet lays it over the others: see results.css.
  class Reference {
    constructor(host) {
      this.host = host;
      this.pinned = null;
    }
    // The row that a table names; null for none.
    get row() {
      const table = this.host.querySelector('table[data-reference]');
      return table && table.querySelector(`tr[data-row="${table.dataset.reference}"]`);
    }
    // What all others are compared with is called so; "" where there is nothing.
    get name() {
      const {row} = this;
      if (row) return row.querySelector('.frame.done[data-picture]') ? row.dataset.name : '';
      return this.pinned ? this.pinned.name : '';
    }
    against(frame) {
      const {row} = this;
      if (!row || !row.closest('table').contains(frame)) return this.pinned;
      const other = row.cells[frame.closest('td').cellIndex].querySelector('.frame.done[data-picture]');
      return other ? of(other) : null;
    }
    pin(picture) {
      this.pinned = picture;
      this.mark();
    }
    mark() {
      const {host, row} = this;
      host.toggleAttribute('data-pinned', Boolean(this.name));
      if (!this.name) for (const name of ['data-flipped', 'data-difference']) host.removeAttribute(name);
      for (const frame of host.querySelectorAll('.frame.done')) {
        const other = this.against(frame);
        const isIt = Boolean(other) && (row ? row.contains(frame) : frame.dataset.picture === other.id);
        frame.classList.toggle('pinned', isIt);
        // Another shape cannot be laid over.
        const isApart = !other || ratio(sizes(frame.querySelector('img'))) !== ratio(other.size);
        frame.classList.toggle('apart', Boolean(this.name) && isApart);
        if (other) frame.style.setProperty('--reference', `url(${JSON.stringify(other.src)})`);
        else frame.style.removeProperty('--reference');
      }
    }
    flip(on) { this.host.toggleAttribute('data-flipped', on && Boolean(this.name)); }
    difference() { if (this.name) this.host.toggleAttribute('data-difference'); }
  }

  const sizes = (image) => `${image.getAttribute('width')}x${image.getAttribute('height')}`;
  const ratio = (size) => { const [width, height] = size.split('x'); return (width / height).toFixed(3); };
  const of = (frame) => {
    const image = frame.querySelector('img');
    return {
      id: frame.dataset.picture, name: frame.dataset.name || '', src: image.currentSrc || image.src, alt: image.alt,
      size: sizes(image),
      caption: frame.closest('figure')?.querySelector('figcaption')?.innerHTML || '',
    };
  };
  const WRITING = 'input:not([type="checkbox"], [type="radio"], [type="range"]), textarea, select, [contenteditable]';
  const isWriting = (event) => event.target.closest && Boolean(event.target.closest(WRITING));

  let dialog = null;
  function show(list, at, pinned, closed) {
    if (dialog || !list.length) return;
    dialog = document.createElement('dialog');
    dialog.className = 'viewer';
    dialog.ariaLabel = 'Pictures, one after the other';
    dialog.innerHTML = `
      <div class="viewer-stage"><div class="frame done"><img alt=""></div></div>
      <aside><p class="viewer-name" aria-live="polite"></p><p class="viewer-said"></p><div class="viewer-facts"></div>
        <p class="viewer-place"></p>
        <div class="actions">
          <button type="button" class="action" data-go="-1">‹ Previous</button>
          <button type="button" class="action" data-go="1">Next ›</button>
          <button type="button" class="action" data-do="pin" aria-pressed="false">Pin</button>
          <button type="button" class="action" data-do="flip">Flip</button>
          <button type="button" class="action" data-do="difference" aria-pressed="false">Difference</button>
          <a class="action" download>Download</a>
          <button type="button" class="action" data-do="close">Close</button>
        </div>
        <p class="hint">← → next picture · + − 0 zoom, drag to move · P pin as reference · hold R to flip · D difference ·
          Esc close</p></aside>`;
    const within = (selector) => dialog.querySelector(selector);
    const frame = within('.frame'), image = within('img');
    const lens = new Lens(dialog), reference = new Reference(dialog);
    const draw = () => {
      const picture = list[at];
      frame.dataset.picture = picture.id;
      frame.dataset.name = picture.name;
      const [width, height] = picture.size.split('x');
      Object.assign(image, {src: picture.src, alt: picture.alt, width, height});
      frame.style.setProperty('--shape', `${width} / ${height}`);
      frame.style.setProperty('--ratio', width / height);
      within('.viewer-name').textContent = picture.name;
      const tail = `: ${picture.name}`;
      within('.viewer-said').textContent = picture.alt.endsWith(tail) ? picture.alt.slice(0, -tail.length) : picture.alt;
      within('.viewer-facts').innerHTML = picture.caption;
      within('.viewer-place').textContent = `${at + 1} of ${list.length}`;
      within('a').href = picture.src;
      for (const button of dialog.querySelectorAll('[data-go]')) button.disabled = list.length < 2;
      if (picture.against !== undefined) reference.pin(picture.against);
      compare();
    };
    const compare = () => {
      reference.mark();
      const {pinned: held} = reference;
      for (const name of ['flip', 'difference']) within(`[data-do=${name}]`).disabled = !held || held.id === list[at].id;
      within('[data-do=pin]').textContent = held ? (held.id === list[at].id ? 'Unpin' : 'Pin this one') : 'Pin';
      within('[data-do=pin]').ariaPressed = String(Boolean(held) && held.id === list[at].id);
      within('[data-do=difference]').ariaPressed = String(dialog.hasAttribute('data-difference'));
    };
    const go = (by) => { at = (at + by + list.length) % list.length; draw(); };
    const act = {
      pin: () => { reference.pin(reference.pinned?.id === list[at].id ? null : list[at]); compare(); },
      difference: () => { reference.difference(); compare(); },
      close: () => dialog.close(),
    };
    const KEYS = {
      ArrowLeft: () => go(-1), ArrowRight: () => go(1), '+': () => lens.by(1.25), '=': () => lens.by(1.25),
      '-': () => lens.by(0.8), 0: () => lens.reset(), p: act.pin, d: act.difference, r: () => reference.flip(true),
    };
    dialog.addEventListener('keydown', (event) => {
      event.stopPropagation(); // the page's own keys are not for what lies beneath
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[key]) return;
      event.preventDefault();
      KEYS[key]();
    });
    dialog.addEventListener('keyup', (event) => { if (event.key.toLowerCase() === 'r') reference.flip(false); });
    dialog.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (event.target === dialog) dialog.close();
      if (!button) return;
      if (button.dataset.go) go(Number(button.dataset.go));
      act[button.dataset.do]?.();
    });
    hold(within('[data-do=flip]'), (on) => reference.flip(on));
    lens.listen(() => {});
    dialog.addEventListener('close', () => { dialog.remove(); dialog = null; closed(list[at]); });
    (document.querySelector('.gradio-container') || document.body).append(dialog);
    reference.pin(pinned);
    draw();
    dialog.showModal();
    within('[data-go="1"]').focus();
  }

  // A button that does something for as long as it is held, by pointer or key.
  function hold(button, act) {
    for (const name of ['pointerdown', 'keydown']) {
      button.addEventListener(name, (event) => { if (!event.key || [' ', 'Enter'].includes(event.key)) act(true); });
    }
    for (const name of ['pointerup', 'pointerleave', 'pointercancel', 'keyup', 'blur']) {
      button.addEventListener(name, () => act(false));
    }
  }

  return {Lens, Reference, of, ratio, show, hold, isWriting};
})());
