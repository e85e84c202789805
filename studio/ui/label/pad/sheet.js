// What the pad says: the item, the answers there are, how far one is. It changes nothing.
const SAID = {
  left: 'left', right: 'right', both_good: 'both good', both_bad: 'both bad', tie: 'equal', skip: 'skipped',
  good: 'good', bad: 'bad', keep: 'kept', drop: 'dropped',
};
const keyOfItem = ({id, question}) => `${id} ${question}`;
const timeLeft = (minutes) => (minutes <= 0 ? '' : minutes < 1.5 ? 'about a minute left'
  : minutes < 90 ? `about ${Math.round(minutes)} minutes left` : `about ${(minutes / 60).toFixed(1)} hours left`);
const IDLE_MS = 60_000; // who pauses longer than that is not counted as slow

class Sheet {
  show(screen) {
    this.root.dataset.screen = screen;
    for (const part of this.root.querySelectorAll('[data-screen]')) part.hidden = part.dataset.screen !== screen;
    if (screen !== 'work') this.root.removeAttribute('data-full');
  }
  draw(screen, parts) {
    this.root.querySelector(`.pad-screen[data-screen=${screen}]`).replaceChildren(...parts);
    this.show(screen);
  }

  // Answered by now in the campaign, with what is not on disk yet.
  get done() {
    const unsent = this.outbox.entries.filter(({note}) => note.campaign === this.campaign.id);
    return (this.progress ? this.progress.done : 0) + unsent.reduce((sum, {note}) => sum + (note.counts || 0), 0);
  }
  get mode() { return this.current ? this.current.mode : this.campaign.mode; }

  drawItem() {
    const {current: item, part, keys} = this, actions = answersOf(item.mode, item.pictures.length);
    part.question.textContent = item.ask;
    part.prompt.replaceChildren(item.prompt || el('span', {class: 'pad-hint'}, 'without a prompt'));
    const answers = this.root.querySelector('.pad-answers'), tools = this.root.querySelector('.pad-tools');
    const wanted = `${item.mode} ${actions.length} ${JSON.stringify(keys.changed)} ${this.campaign.id} ${Boolean(item.blurred)}`;
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
  tools() {
    const {campaign, current} = this, has = {
      guideline: Boolean(campaign.guideline), reveal: Boolean(current && current.blurred),
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
    const pressed = {...this.marks, full: this.root.hasAttribute('data-full'), note: !this.root.querySelector('.pad-note').hidden};
    for (const name of TOGGLES) {
      const button = this.root.querySelector(`.pad-tools [data-action=${name}]`);
      if (button) button.ariaPressed = String(Boolean(pressed[name]));
    }
  }
  get place() {
    const {batch, target} = this.progress, at = this.done - this.batchFrom;
    return [at + 1, Math.max(at + 1, Math.min(batch, target - this.batchFrom))];
  }
  get placeText() { return `${NOUNS[this.mode]} ${this.place[0]} of ${this.place[1]}.`; }
  drawProgress() {
    if (!this.progress || !this.running) return;
    const {part, progress} = this, {done} = this, [at, of] = this.place, {target} = progress;
    part.place.textContent = `${NOUNS[this.mode]} ${at} of ${of}`;
    const bar = this.root.querySelector('.pad-bar');
    bar.firstElementChild.style.width = `${Math.min(100, (100 * done) / Math.max(1, target))}%`;
    bar.setAttribute('aria-valuemax', String(Math.max(target, done, 1)));
    bar.setAttribute('aria-valuenow', String(done));
    const facts = [`${done} of ${target} in all`];
    if (progress.today !== undefined) facts.push(`${progress.today} today`);
    const pace = this.pace();
    if (pace) facts.push(`${pace.toFixed(pace < 10 ? 1 : 0)} a minute`, timeLeft((target - done) / pace));
    part.pace.textContent = facts.filter(Boolean).join(' · ');
    part.taste.textContent = progress.taste || '';
    part.taste.hidden = !progress.taste;
  }
  // Answers a minute, of the last ones, breaks left out. Of fewer than five, nothing is said.
  pace() {
    const gaps = this.times.slice(1).map((time, k) => time - this.times[k]).filter((gap) => gap < IDLE_MS);
    return gaps.length < 5 ? 0 : (60_000 * gaps.length) / gaps.reduce((a, b) => a + b, 0);
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
    const {done, progress} = this, more = progress.target - done;
    this.isResting = true;
    this.draw('rest', [
      el('h2', {}, `${done - this.batchFrom} answered.`),
      el('p', {class: 'pad-lead'}, `${done} of ${progress.target} in “${this.campaign.name}”. Everything is kept; look away for a moment before you go on.`),
      el('div', {class: 'pad-row'},
        el('button', {type: 'button', class: 'action main', 'data-do': 'next'}, `Next ${Math.min(progress.batch, more)} `, el('kbd', {'aria-hidden': 'true'}, 'Enter')),
        el('button', {type: 'button', class: 'action', 'data-action': 'undo'}, 'Undo the last ', el('kbd', {'aria-hidden': 'true'}, keyName(this.keys.of('undo')[0] || ''))),
        el('button', {type: 'button', class: 'action', 'data-action': 'pause'}, 'Stop here')),
    ]);
    this.part.said.textContent = `${done - this.batchFrom} answered. Press Enter for the next ones.`;
    this.root.querySelector('[data-do=next]').focus({preventScroll: true});
  }
  // Nothing is there to be shown: because all is answered, because pictures are being drawn, or because nobody answers.
  drawNothing() {
    this.stage.clear();
    const {end, progress, campaign} = this, isDone = end === 'done';
    const title = isDone ? 'That was the last one.' : end === 'trouble' ? 'The studio does not answer' : 'Nothing to show just now';
    const lead = isDone
      ? `You have answered ${progress.done} in “${campaign.name}”. Under Campaigns you see what was collected, export it, or ask for more.`
      : this.trouble || 'The next pictures are being drawn; they appear here by themselves.';
    if (isDone) store.remove('palimpsest-pad-running');
    this.isResting = false;
    this.draw('rest', [
      el('h2', {}, title), el('p', {class: 'pad-lead'}, lead),
      el('div', {class: 'pad-row'},
        el('button', {type: 'button', class: 'action', 'data-action': 'undo'}, 'Undo the last ', el('kbd', {'aria-hidden': 'true'}, keyName(this.keys.of('undo')[0] || ''))),
        el('button', {type: 'button', class: 'action', 'data-action': 'pause'}, isDone ? 'Back to all campaigns' : 'Stop here')),
    ]);
  }
}
