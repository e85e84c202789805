// What the pad says: the item, the answers there are, how far one is. It changes nothing.
const SAID = {
  left: 'left', right: 'right', both_good: 'both good', both_bad: 'both bad', tie: 'equal', skip: 'skipped',
  good: 'good', bad: 'bad', keep: 'kept', drop: 'dropped',
};
const keyOfItem = ({id, question}) => `${id} ${question}`;
const timeLeft = (minutes) => (minutes <= 0 ? '' : minutes < 1.5 ? 'about a minute left'
  : minutes < 90 ? `about ${Math.round(minutes)} minutes left` : `about ${(minutes / 60).toFixed(1)} hours left`);

// What says how rather than what; where a prompt is of another language, more words are marked.
const SMALL_WORDS = new Set('a an the of on in at with without and or to from by for is are be as into over under its it this that his her their very'.split(' '));

class Sheet {
  show(screen) {
    this.root.dataset.screen = screen;
    for (const part of this.root.querySelectorAll('[data-screen]')) part.hidden = part.dataset.screen !== screen;
    if (screen !== 'work' && this.root.hasAttribute('data-full')) this.toggleFull(false);
  }
  draw(screen, parts) {
    this.root.querySelector(`.pad-screen[data-screen=${screen}]`).replaceChildren(...parts);
    this.show(screen);
  }

  // Of this person's answers in the campaign, those not on disk yet.
  get unsent() {
    const unsent = this.outbox.entries.filter(({note}) => note.campaign === this.campaign.id);
    return unsent.reduce((sum, {note}) => sum + (note.counts || 0), 0);
  }
  // How many there are with them, and how many may be wanted still.
  get mine() { return (this.progress ? this.progress.mine : 0) + this.unsent; }
  get wanted() { return this.progress ? Math.max(0, this.progress.wanted - this.unsent) : 0; }
  get mode() { return this.current ? this.current.mode : this.campaign.mode; }

  drawItem() {
    const {current: item, part, keys} = this, actions = answersOf(item.mode, item.pictures.length);
    part.question.textContent = item.ask;
    this.drawPrompt();
    const answers = this.root.querySelector('.pad-answers'), tools = this.root.querySelector('.pad-tools');
    const wanted = `${item.mode} ${actions.length} ${JSON.stringify(keys.changed)} ${this.campaign.id} ${Boolean(item.flagged)}`;
    if (answers.dataset.drawn !== wanted) { // else they stay, and keep the focus
      answers.dataset.drawn = wanted;
      answers.dataset.mode = item.mode;
      const word = (action) => (action.startsWith('pick') ? `Picture ${action.slice(4)}` : ACTIONS[action][0]);
      answers.replaceChildren(...actions.map((action) => actionButton(action, keys, word(action))));
      tools.replaceChildren(...this.tools().map((action) => actionButton(action, keys)));
    }
    this.drawStep();
    this.drawMarks();
    this.drawProgress();
  }
  // The prompt, whose telling words are marked where somebody wants that.
  drawPrompt() {
    const {current: item, part} = this;
    if (!item || !item.prompt) { part.prompt.replaceChildren(el('span', {class: 'pad-hint'}, 'without a prompt')); return; }
    const isTelling = (word) => /\p{L}{2}/u.test(word) && !SMALL_WORDS.has(word.toLowerCase());
    const words = store.get('palimpsest-pad-words') ? item.prompt.split(/([\p{L}\p{N}’'-]+)/u) : [item.prompt];
    part.prompt.replaceChildren(...words.map((word) => (words.length > 1 && isTelling(word) ? el('mark', {}, word) : word)));
  }
  tools() {
    const {campaign, current} = this, has = {
      guideline: Boolean(campaign.guideline), reveal: Boolean(current && current.flagged),
      flicker: current && current.pictures.length === 2,
    };
    return TOOLS.filter((action) => has[action] !== false);
  }
  drawStep() {
    const {mode, partial, part} = this;
    part.step.textContent = mode === 'best_worst' ? (partial.length ? `Picture ${partial[0] + 1} is the best. Which is the worst?` : 'First the best, then the worst.') : this.current.step || '';
    for (const frame of this.stage.host.querySelectorAll('[data-place]')) frame.classList.toggle('picked', partial.includes(Number(frame.dataset.place)));
  }
  drawMarks() {
    const pressed = {...this.marks, words: store.get('palimpsest-pad-words'), full: this.root.hasAttribute('data-full'), note: !this.root.querySelector('.pad-note').hidden};
    for (const name of TOGGLES) {
      const button = this.root.querySelector(`.pad-tools [data-action=${name}]`);
      if (button) button.ariaPressed = String(Boolean(pressed[name]));
    }
  }
  get place() {
    const past = this.mine - this.batchFrom, at = past + (this.revealing ? 0 : 1); // what is told is of the one before
    return [at, Math.max(at, Math.min(this.progress.batch, past + this.wanted))];
  }
  get placeText() { return `${NOUNS[this.mode]} ${this.place[0]} of ${this.place[1]}.`; }
  drawProgress() {
    if (!this.progress || !this.running) return;
    const {part, progress} = this, [at, of] = this.place, {done, target, today, pace} = progress;
    part.place.textContent = `${NOUNS[this.mode]} ${at} of ${of}`;
    const bar = this.root.querySelector('.pad-bar');
    bar.firstElementChild.style.width = `${Math.min(100, (100 * done) / Math.max(1, target))}%`;
    bar.setAttribute('aria-valuemax', String(Math.max(target, 1)));
    bar.setAttribute('aria-valuenow', String(done));
    const facts = [`${done} of ${target} done`];
    if (today) facts.push(`${today} by you today`);
    if (pace) facts.push(`${pace.toFixed(pace < 10 ? 1 : 0)} a minute`, timeLeft(this.wanted / pace));
    part.pace.textContent = facts.filter(Boolean).join(' · ');
    part.taste.textContent = progress.taste || '';
    part.taste.hidden = !progress.taste;
  }
  drawUnsaved() {
    const count = this.outbox.entries.length;
    this.part.unsaved.hidden = !count;
    this.part.unsaved.textContent = `${count} unsaved`;
    this.root.toggleAttribute('data-unsaved', count > 0);
  }
  drawRefused() {
    const {refused} = this.outbox || {refused: []}, screen = this.root.querySelector('[data-screen=start].pad-screen');
    screen.querySelector('.pad-refused')?.remove();
    if (!refused.length) return;
    screen.append(el('div', {class: 'pad-refused message error'},
      el('p', {}, `${refused.length === 1 ? 'One answer was' : `${refused.length} answers were`} not taken. ${refused.at(-1).why}`),
      el('div', {class: 'pad-row'},
        el('button', {type: 'button', class: 'action', 'data-do': 'retry'}, 'Try again'),
        el('button', {type: 'button', class: 'action', 'data-do': 'discard'}, 'Forget them'))));
  }
  // In the line below the pictures; what is wrong in a place of its own, until the next item.
  say(message, isWrong = false) {
    if (!isWrong) { this.announce(message, message); return; }
    this.part.message.textContent = message;
    this.part.message.hidden = false;
  }
  // To screen readers whole, to others in a line.
  announce(told, seen) {
    this.part.said.textContent = told;
    this.root.querySelector('.pad-scale').dataset.said = seen;
  }
  rest() {
    this.stage.clear();
    this.isResting = true;
    const {progress, wanted} = this, count = this.mine - this.batchFrom;
    this.draw('rest', [
      el('h2', {}, `${count} answered.`),
      el('p', {class: 'pad-lead'}, `“${this.campaign.name}” has ${progress.done} of ${progress.target}. Everything is kept; look away for a moment before you go on.`),
      el('div', {class: 'pad-row'},
        el('button', {type: 'button', class: 'action main', 'data-do': 'next'}, `Next ${Math.min(progress.batch, wanted)} `, el('kbd', {'aria-hidden': 'true'}, 'Enter')),
        this.undoButton(),
        el('button', {type: 'button', class: 'action', 'data-action': 'pause'}, 'Stop here')),
    ]);
    this.part.said.textContent = `${count} answered. Press Enter for the next ones.`;
    this.root.querySelector('[data-do=next]').focus({preventScroll: true});
  }
  undoButton() {
    return el('button', {type: 'button', class: 'action', 'data-action': 'undo'}, 'Undo the last ',
      el('kbd', {'aria-hidden': 'true'}, keyName(this.keys.of('undo')[0] || '')));
  }
  // Nothing is there to be shown: because all is answered, because pictures are being drawn, or because nobody answers.
  drawNothing() {
    this.stage.clear();
    const {end, progress, campaign} = this, isDone = end === 'done';
    const title = isDone ? 'That was the last one.' : end === 'trouble' ? 'The studio does not answer' : 'Nothing to show just now';
    const lead = isDone
      ? this.trouble || `Every item of “${campaign.name}” has its answers, ${progress.mine} of them yours. Under Campaigns you see what was collected, export it, or ask for more.`
      : this.trouble || 'The next pictures are being drawn; they appear here by themselves.';
    if (isDone) store.remove('palimpsest-pad-running');
    this.isResting = false;
    this.draw('rest', [
      el('h2', {}, title), el('p', {class: 'pad-lead'}, lead),
      el('div', {class: 'pad-row'},
        ...(isDone && !this.own ? [el('button', {type: 'button', class: 'action main', 'data-do': 'export'}, 'Export')] : []),
        ...(campaign.reveal === 'end' && end !== 'trouble' ? [el('button', {type: 'button', class: 'action', 'data-do': 'made'}, 'What the pictures were')] : []),
        this.undoButton(),
        el('button', {type: 'button', class: 'action', 'data-action': 'pause'}, isDone ? 'Back to all campaigns' : 'Stop here')),
    ]);
  }
}
