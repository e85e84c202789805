// Who labels, and what: before and between the pictures.
const LOOK_AGAIN_MS = 4000;

class Entrance extends Sheet {
  async open() {
    const {ok, answer} = await this.standing();
    if (!ok) {
      this.unfinished = this.typed || this.unfinished;
      this.draw('start', [el('p', {class: 'pad-lead'}, (answer && answer.error) || 'The studio does not answer; this looks again by itself.')]);
      setTimeout(() => this.open(), LOOK_AGAIN_MS);
      return;
    }
    this.facts = answer;
    if (answer.annotator) this.become(answer.annotator);
    const named = store.get('palimpsest-pad-campaign');
    const {campaigns} = answer;
    this.campaign = campaigns.find(({id}) => id === named) || campaigns.find(({open}) => open) || campaigns[0] || null;
    if (this.running) return;
    if (this.annotator && this.campaign && this.campaign.open && store.get('palimpsest-pad-running')) this.start();
    else this.drawStart();
  }
  become(annotator) {
    if (!this.annotator || this.annotator.id !== annotator.id) {
      if (this.outbox) this.outbox.close();
      this.outbox = new Outbox(this.base, annotator.id, (...told) => this.told(...told));
      this.outbox.send();
    }
    this.annotator = annotator;
    if (!this.own) store.set('palimpsest-pad-annotator', annotator.id);
    this.keys = new Keys(annotator.keys, (keys) => this.send('keys', {keys}));
  }
  send(path, body, note) {
    const whose = this.own ? {} : {annotator: this.annotator.id};
    return this.outbox.add(path, {id: uuid(), ...whose, ...body}, note);
  }

  drawStart(message = '') {
    const {annotators, campaigns} = this.facts, parts = [el('h2', {}, 'Label pictures')];
    if (message) parts.push(el('p', {class: 'message error', role: 'alert'}, message));
    if (!this.own) parts.push(this.chooser(annotators), ...(this.annotator ? [this.linkRow()] : []));
    if (!campaigns.length) {
      parts.push(el('p', {class: 'pad-lead'}, 'There is nothing to label yet. Make a campaign first: it says which pictures are compared, and what is asked of them.'));
    } else {
      parts.push(el('fieldset', {class: 'pad-campaigns'}, el('legend', {}, 'What to label'), ...campaigns.map((campaign) => this.campaignRow(campaign))));
    }
    if (this.campaign && this.campaign.mode === 'thumb') {
      parts.push(el('label', {class: 'pad-tick'}, el('input', {type: 'checkbox', name: 'pad-stream', checked: Boolean(store.get('palimpsest-pad-stream'))}),
        'As a stream: → keeps a picture, ← drops it'));
    }
    const label = this.began ? 'Go on' : 'Start';
    parts.push(el('div', {class: 'pad-row'}, el('button',
      {type: 'button', class: 'action main', 'data-do': 'start', disabled: !this.annotator || !this.campaign || !this.campaign.open}, `${label} `, el('kbd', {'aria-hidden': 'true'}, 'Enter'))));
    if (campaigns.length && !this.annotator) parts.push(el('p', {class: 'hint'}, 'Say first who labels: answers of different people are kept apart.'));
    const typed = this.typed || this.unfinished;
    this.unfinished = null;
    this.draw('start', parts);
    this.drawRefused();
    this.typeAgain(typed);
    this.waitForPictures();
  }
  // A campaign that is being drawn has nothing to label yet: it can be started as soon as it has.
  waitForPictures() {
    clearTimeout(this.waiting);
    if (!this.campaign || this.campaign.open || this.campaign.target) return;
    this.waiting = setTimeout(async () => {
      if (this.running) return;
      const {ok, answer} = this.root.offsetParent === null ? {} : await this.standing();
      if (this.running) return;
      if (ok && JSON.stringify(answer.campaigns) !== JSON.stringify(this.facts.campaigns)) this.open();
      else this.waitForPictures();
    }, LOOK_AGAIN_MS);
  }
  standing() {
    return get(`${this.base}/progress`, this.own ? {} : {annotator: store.get('palimpsest-pad-annotator') || ''});
  }
  // A name that is being typed, which is not lost when what stands around it is drawn anew.
  get typed() {
    const field = this.root.querySelector('#pad-new');
    return field && {value: field.value, at: [field.selectionStart, field.selectionEnd], hasFocus: field === document.activeElement};
  }
  typeAgain(typed) {
    const field = this.root.querySelector('#pad-new');
    if (!field || !typed) return;
    field.value = typed.value;
    if (!typed.hasFocus) return;
    field.focus({preventScroll: true});
    field.setSelectionRange(...typed.at);
  }
  chooser(annotators) {
    const mine = this.annotator && this.annotator.id;
    const menu = el('select', {id: 'pad-annotator'}, ...(mine ? [] : [el('option', {value: ''}, 'Choose')]),
      ...annotators.map(({id, alias}) => el('option', {value: id, selected: id === mine}, alias)));
    return el('div', {class: 'pad-who'},
      ...(annotators.length ? [el('label', {for: 'pad-annotator'}, 'Who labels', menu)] : []),
      el('form', {class: 'pad-row', 'data-form': 'annotator'},
        el('label', {for: 'pad-new'}, annotators.length ? 'or somebody new' : 'Who labels',
          el('input', {id: 'pad-new', type: 'text', maxLength: 60, placeholder: 'a name', autocomplete: 'off'})),
        el('button', {type: 'submit', class: 'action'}, 'Add')));
  }
  // Another device: a page of one's own, which there is none of until it is asked for.
  linkRow() {
    const told = el('p', {class: 'pad-hint', role: 'status'}, 'A link of your own opens this pad, and nothing else, on a phone or a tablet.');
    const row = el('div', {class: 'pad-row'},
      el('button', {type: 'button', class: 'action', 'data-do': 'link'}, 'Make a link'),
      el('button', {type: 'button', class: 'action', 'data-do': 'unlink'}, 'End the link'));
    return el('details', {class: 'pad-link'}, el('summary', {}, 'Label on another device'), told, row);
  }
  async switchLink(on) {
    const {ok, answer} = await post(`${this.base}/link`, {annotator: this.annotator.id, on});
    const told = this.root.querySelector('.pad-link p');
    if (!ok) { told.textContent = (answer && answer.error) || 'The studio does not answer.'; return; }
    told.replaceChildren(answer.link ? el('a', {href: answer.link, target: '_blank', rel: 'noopener'}, location.origin + answer.link)
      : 'There is no link any more; who has the old one is refused.',
    ...(answer.link && answer.is_local ? [' The studio listens on this machine alone: start it with --host 0.0.0.0, and open the link under the address it says.'] : []));
  }
  campaignRow(campaign) {
    const {id, name, mode, done, target, open, note, reveal} = campaign;
    const asked = [MODES[mode], {after: 'told what they were after each answer', end: 'told what they were at the end'}[reveal]].filter(Boolean);
    const count = note || `${done} of ${target} answered`;
    return el('label', {class: `pad-choice${open ? '' : ' closed'}`},
      el('input', {type: 'radio', name: 'pad-campaign', value: id, checked: this.campaign && id === this.campaign.id}),
      el('span', {}, el('b', {}, name), ' ', el('span', {class: 'pad-hint'}, asked.join(', '))), el('span', {class: 'pad-hint'}, count));
  }
  async addAnnotator(alias) {
    const {ok, answer} = await post(`${this.base}/annotator`, {alias});
    if (!ok) { this.drawStart((answer && answer.error) || 'The studio does not answer.'); return; }
    store.set('palimpsest-pad-annotator', answer.annotator.id);
    this.root.querySelector('#pad-new').value = '';
    await this.open();
    this.root.querySelector('[data-do=start]')?.focus();
  }
}
