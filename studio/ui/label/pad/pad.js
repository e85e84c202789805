// The pad: keys, buttons, fingers, and what each of them does.
const WRITING = 'input:not([type="checkbox"], [type="radio"], [type="button"]), textarea, select, [contenteditable], [role="listbox"], [role="slider"]';

class Pad extends Reveal {
  // base: where the addresses begin. own: of a page that belongs to one annotator, who is not chosen there.
  constructor(root, base, own = false) {
    super();
    Object.assign(this, {root, base, own, queue: [], current: null, seen: new Map(), answered: new Set(), annotator: null, campaign: null});
    Object.assign(this, {running: false, facts: null, progress: null, began: 0, partial: [], marks: {}, filling: false});
    root.innerHTML = LAYOUT;
    this.part = Object.fromEntries([...root.querySelectorAll('[data-part]')].map((part) => [part.dataset.part, part]));
    this.work = root.querySelector('.pad-work');
    this.stage = new Stage(root.querySelector('.pad-stage'), (place, byPointer) => this.clicked(place, byPointer), () => this.act('both_bad'));
    this.keys = new Keys({}, () => {});
    this.listen();
    this.open();
  }

  // What can be done on this screen.
  possible() {
    const {screen} = this.root.dataset;
    if (screen === 'rest') return ['undo', 'pause', 'help'];
    if (this.revealing) return ['next', ...TOOLS_OF_REVEAL];
    if (screen !== 'work' || !this.current) return ['help'];
    return [...answersOf(this.mode, this.current.pictures.length), ...this.tools(), 'nearer', 'farther', 'whole'];
  }
  act(action) {
    if (!this.possible().includes(action)) return;
    const {stage, marks} = this, {lens} = stage;
    const acts = {
      undo: () => this.undo(), pause: () => this.pause(), help: () => this.openHelp(), guideline: () => this.openGuideline(),
      slight: () => { marks.slight = !marks.slight; }, flag: () => { marks.flag = !marks.flag; },
      words: () => { store.set('palimpsest-pad-words', !store.get('palimpsest-pad-words')); this.drawPrompt(); },
      next: () => this.endReveal(),
      note: () => this.toggleNote(), full: () => this.toggleFull(), reveal: () => this.reveal(),
      nearer: () => lens.by(1.5), farther: () => lens.by(1 / 1.5), whole: () => lens.reset(), flicker: () => {},
    };
    (acts[action] || (() => this.decide(action)))();
    if (acts[action]) this.drawMarks();
  }
  reveal() {
    this.current.revealed = true;
    this.stage.host.removeAttribute('data-blurred');
  }
  // As a popover, since nothing less leaves the tab: what is fixed in it goes by its sides and not by the window's.
  toggleFull(on = !this.root.hasAttribute('data-full')) {
    this.root.toggleAttribute('data-full', on);
    if (on) {
      this.work.popover = 'manual';
      this.work.showPopover();
    } else if (this.work.popover) {
      this.work.hidePopover();
      this.work.removeAttribute('popover');
    }
    this.stage.fit();
  }
  toggleNote() {
    const note = this.root.querySelector('.pad-note');
    note.hidden = !note.hidden;
    if (!note.hidden) note.querySelector('textarea').focus();
  }
  closeNote() {
    const note = this.root.querySelector('.pad-note');
    note.hidden = true;
    note.querySelector('textarea').value = '';
  }
  openHelp(taken = '') {
    const dialog = this.root.querySelector('[data-dialog=help]'), shown = this.possible();
    const actions = shown.length > 3 ? shown : [...answersOf(this.campaign ? this.campaign.mode : 'pair', 4), ...TOOLS];
    this.remappable = actions;
    drawKeys(dialog, this.keys, actions, taken, !this.annotator || store.get(`palimpsest-pad-blur:${this.annotator.id}`) !== false);
    if (!dialog.open) dialog.showModal();
  }
  openGuideline() {
    const dialog = this.root.querySelector('[data-dialog=guideline]');
    dialog.replaceChildren(el('h3', {}, 'Guideline'), el('p', {class: 'pad-guideline'}, this.campaign.guideline),
      el('div', {class: 'pad-row'}, el('button', {type: 'button', class: 'action', 'data-close': ''}, 'Close')));
    if (!dialog.open) dialog.showModal();
  }
  remap(action) {
    const dialog = this.root.querySelector('[data-dialog=help]'), told = dialog.querySelector('[data-part=remap]');
    this.remapping = action;
    told.textContent = `Press the key for ${ACTIONS[action][0]}. Escape leaves it as it is.`;
    told.dataset.waits = '';
  }
  remapped(event) {
    const action = this.remapping, key = keyOf(event);
    if (['Shift', 'Control', 'Alt', 'Meta', 'CapsLock', 'Tab', 'Enter'].includes(event.key)) return;
    this.remapping = null;
    const other = event.key === 'Escape' ? null : this.keys.put(action, key, this.remappable);
    this.openHelp(event.key === 'Escape' ? '' : `${keyName(key)} is for ${ACTIONS[action][0]} now.`
      + (other ? ` It was for ${ACTIONS[other][0]}${this.keys.of(other).length ? '' : ', which has no key any more'}.` : ''));
    this.root.querySelector(`[data-remap=${action}]`)?.focus();
    if (this.current) this.drawItem();
  }

  listen() {
    const {root} = this;
    root.addEventListener('click', (event) => this.pressed(event));
    root.addEventListener('change', ({target}) => {
      if (target.id === 'pad-annotator' && target.value) {
        store.set('palimpsest-pad-annotator', target.value);
        this.open();
      } else if (target.name === 'pad-stream') {
        store.set('palimpsest-pad-stream', target.checked);
      } else if (target.name === 'pad-blur' && this.annotator) {
        store.set(`palimpsest-pad-blur:${this.annotator.id}`, target.checked);
      } else if (target.name === 'pad-campaign') {
        this.campaign = this.facts.campaigns.find(({id}) => id === target.value);
        this.drawStart();
        root.querySelector('[name=pad-campaign]:checked').focus();
      }
    });
    root.addEventListener('submit', (event) => {
      event.preventDefault();
      const alias = root.querySelector('#pad-new').value.trim();
      if (alias) this.addAnnotator(alias);
    });
    root.querySelector('.pad-stage').addEventListener('pad-scale', ({detail}) => { this.part.scale.textContent = detail; });
    for (const name of ['pointerup', 'pointercancel', 'pointerleave']) root.addEventListener(name, () => this.stage.flicker(false));
    root.addEventListener('pointerdown', ({target}) => { if (target.closest('[data-action=flicker]')) this.stage.flicker(true); });
    document.addEventListener('keydown', (event) => this.keydown(event), true);
    document.addEventListener('keyup', (event) => this.keyup(event), true);
    window.addEventListener('blur', () => this.stage.flicker(false));
    window.addEventListener('resize', () => this.stage.fit());
    // Another part of the tab, or another window, has made or changed a campaign.
    for (const name of ['changed', 'refresh']) {
      window.addEventListener(`palimpsest-${name}`, () => { if (!this.running && root.offsetParent !== null) this.open(); });
    }
    window.addEventListener('palimpsest-label-campaign', ({detail}) => {
      store.set('palimpsest-pad-campaign', String(detail));
      if (this.running) this.pause(); else this.open();
    });
    new IntersectionObserver((seen) => {
      if (seen.some(({isIntersecting}) => isIntersecting) && !this.running && this.facts) this.open();
    }).observe(root);
  }
  pressed(event) {
    const button = event.target.closest('button');
    if (!button) return;
    const {action, remap, keys: reset, do: what} = button.dataset;
    if ('close' in button.dataset) button.closest('dialog').close();
    else if (remap) this.remap(remap);
    else if (reset) { this.keys.reset(); this.openHelp(); if (this.current) this.drawItem(); }
    else if (what === 'start') this.start();
    else if (what === 'link' || what === 'unlink') this.switchLink(what === 'link');
    else if (what === 'next') this.goOn();
    else if (what === 'made') this.openMade();
    else if (what === 'export') {
      sessionStorage.setItem('palimpsest-export', this.campaign.id);
      window.dispatchEvent(new Event('palimpsest-label-export'));
      document.getElementById('label-import-and-export-button')?.click();
    }
    else if (what === 'retry') { this.outbox.retryRefused(); this.drawRefused(); }
    else if (what === 'discard') { this.outbox.discardRefused(); this.drawRefused(); }
    else if (action && event.detail <= 1) {
      this.act(action);
      if (event.detail > 0 && button.isConnected && !['note', 'help', 'guideline'].includes(action)) this.stage.host.focus({preventScroll: true});
    }
  }
  goOn() {
    this.isResting = false;
    this.batchFrom = this.mine;
    this.show('work');
    this.advance();
  }
  get isShown() { return this.root.offsetParent !== null; }
  keydown(event) {
    if (!this.isShown || event.isComposing) return;
    if (this.remapping) {
      event.preventDefault();
      event.stopPropagation();
      this.remapped(event);
      return;
    }
    if (event.target.closest('.pad-note')) {
      if (event.key === 'Escape' || (event.key === 'Enter' && (event.ctrlKey || event.metaKey))) {
        event.preventDefault();
        event.stopPropagation();
        const isEmpty = !event.target.value.trim();
        if (isEmpty) this.closeNote();
        this.stage.host.focus({preventScroll: true});
        this.drawMarks();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.target.closest(WRITING) || event.target.closest('[role=tab], summary')) return;
    if (event.key === 'Escape' && this.root.hasAttribute('data-full')) { this.toggleFull(); this.drawMarks(); return; }
    const key = keyOf(event), {screen} = this.root.dataset;
    // A button that has the focus is pressed by its own keys.
    if ((key === ' ' || key === 'Enter') && event.target.closest('button, a')) {
      if (event.repeat) event.preventDefault();
      return;
    }
    if (key === 'Enter' && screen !== 'work') {
      const main = this.root.querySelector(`[data-screen=${screen}] .action.main`);
      if (main && !main.disabled && !event.repeat) main.click();
      event.preventDefault();
      return;
    }
    // A long prompt scrolls by the arrows while it has the focus.
    if (event.target === this.part.prompt && /^Arrow(Up|Down)$/.test(key) && event.target.scrollHeight > event.target.clientHeight) return;
    const action = this.keys.action(key, this.possible());
    if (!action) return;
    event.preventDefault();
    if (event.repeat) return;
    if (action === 'flicker') this.stage.flicker(true);
    else this.act(action);
  }
  keyup(event) {
    if (this.stage.isSwapped && this.keys.of('flicker').includes(keyOf(event))) this.stage.flicker(false);
  }
}
