// What the pictures were: after an answer, where the campaign tells it then, or at the end. Never before the answer is on
// disk: the studio does not say it sooner, and what cannot be sent yet is not told.
const TOOLS_OF_REVEAL = ['undo', 'full', 'flicker', 'nearer', 'farther', 'whole', 'pause', 'help'];

class Reveal extends Asking {
  // Of two questions about one item, it is told after the second.
  tellsAfter(item) { return this.campaign.reveal === 'after' && !this.queue.some(({id}) => id === item.id); }
  beginReveal(item, entry) {
    this.revealing = {id: entry.body.id, item};
    delete this.stage.host.dataset.live;
  }
  async toldOfReveal(what, entry) {
    const {revealing} = this;
    if (!revealing || entry.body.id !== revealing.id) return;
    const {ok, answer} = what === 'saved' ? await get(`${this.base}/made`, {item: revealing.item.id}) : {ok: false};
    if (this.revealing !== revealing) return;
    if (ok) this.drawReveal(answer.items);
    else this.endReveal();
  }
  drawReveal(items) {
    const box = this.root.querySelector('.pad-reveal'), [first] = items, count = first.pictures.length;
    const verdicts = (place) => [...new Set(items.map(({pictures}) => pictures[place].verdict))].filter(Boolean).join(', ');
    box.replaceChildren(
      ...first.pictures.map((picture, place) => el('div', {class: 'pad-made'},
        el('h3', {}, count > 1 ? (SIDES[count] || [])[place] || `Picture ${place + 1}` : 'The picture', ...(verdicts(place) ? [el('b', {}, verdicts(place))] : [])),
        factList(picture.facts))),
      el('button', {type: 'button', class: 'action main', 'data-action': 'next'}, 'Next ', el('kbd', {'aria-hidden': 'true'}, 'Enter')));
    box.style.setProperty('--columns', Math.min(count, 4));
    this.root.querySelector('.pad-answers').hidden = true;
    for (const tool of this.root.querySelectorAll('.pad-tools [data-action]')) tool.hidden = !TOOLS_OF_REVEAL.includes(tool.dataset.action);
    box.hidden = false;
    this.announce(`Saved. ${first.pictures.map((picture, place) => `${place + 1}: ${picture.facts.map((fact) => fact.join(' ')).join(', ')}`).join('. ')}.`, 'Saved.');
  }
  closeReveal() {
    this.revealing = null;
    this.root.querySelector('.pad-reveal').hidden = true;
    this.root.querySelector('.pad-answers').hidden = false;
    for (const tool of this.root.querySelectorAll('.pad-tools [data-action]')) tool.hidden = false;
  }
  endReveal() {
    this.closeReveal();
    this.advance();
  }
  // Of all that somebody has answered, at the end.
  async openMade() {
    const whose = this.own ? {} : {annotator: this.annotator.id};
    const {ok, answer} = await get(`${this.base}/made`, {...whose, campaign: this.campaign.id});
    const parts = ok
      ? [el('p', {class: 'hint'}, 'What you answer in this campaign from now on is marked as not blind.'), ...answer.items.map(madeItem)]
      : [el('p', {class: 'message note', role: 'status'}, (answer && answer.error) || 'The studio does not answer.')];
    this.made = {campaign: this.campaign.id, isTold: ok, section: el('section', {class: 'pad-told', 'aria-label': 'What the pictures were'}, ...parts)};
    this.drawMade();
    if (ok) this.announce('What the pictures were is told below.', '');
  }
  // Beneath what the last screen says, which is drawn anew when more is known.
  drawMade() {
    const screen = this.root.querySelector('[data-screen=rest].pad-screen'), {made} = this;
    screen.querySelector('.pad-told')?.remove();
    if (!made || made.campaign !== this.campaign.id) return;
    screen.append(made.section);
    screen.querySelector('[data-do=made]')?.toggleAttribute('hidden', made.isTold);
  }
  drawNothing() {
    super.drawNothing();
    this.drawMade();
  }
}
const factList = (facts) => el('dl', {}, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
const madeItem = ({prompt, ask, pictures}) => el('article', {class: 'pad-item'},
  el('p', {class: 'pad-prompt'}, prompt || 'without a prompt'), el('p', {class: 'pad-hint'}, ask),
  el('div', {class: 'pad-makings'}, ...pictures.map(({src, facts, verdict}, place) => el('figure', {},
    el('img', {src, alt: `Picture ${place + 1}`, loading: 'lazy'}),
    el('figcaption', {}, ...(verdict ? [el('b', {}, verdict)] : []), factList(facts))))));
