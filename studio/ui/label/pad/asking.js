// One item after the other. An answer is kept in the browser and the next item shown at once; what came of it is said when
// it is on disk.
const AHEAD = 4, LOW = 3, AHEAD_OF_ONES = 8; // items decoded beyond the one that is shown
const UNDO_DEPTH = 50, MOST_IN_HAND = 60;

class Asking extends Entrance {
  start() {
    if (!this.annotator || !this.campaign || !this.campaign.open) return;
    this.isStream = Boolean(store.get('palimpsest-pad-stream'));
    store.set('palimpsest-pad-campaign', this.campaign.id);
    store.set('palimpsest-pad-running', true);
    if (!this.running) Object.assign(this, {began: performance.now()});
    Object.assign(this, {running: true, isResting: false, end: null});
    if (this.progress && this.progress.campaign !== this.campaign.id) {
      Object.assign(this, {progress: null, queue: [], current: null});
      this.seen.clear();
    }
    this.progress ||= {...this.campaign, campaign: this.campaign.id, wanted: this.campaign.target - this.campaign.done};
    this.batchFrom = this.mine - (this.mine % this.progress.batch);
    this.part.campaign.textContent = this.campaign.name;
    this.show('work');
    this.advance();
  }
  pause() {
    this.running = false;
    this.closeReveal();
    store.remove('palimpsest-pad-running');
    this.stage.clear();
    if (this.current) this.queue.unshift(this.current);
    this.current = null;
    this.open();
  }
  // The next item, at once where it is decoded.
  async advance() {
    if (!this.running || this.revealing) return;
    if (!this.current && this.mine - this.batchFrom >= this.progress.batch && this.wanted > 0) { this.rest(); return; }
    this.current ||= this.queue.shift() || null;
    this.partial = [];
    this.marks = {};
    this.part.message.hidden = true;
    this.fill();
    if (!this.current) {
      if (this.end) this.drawNothing();
      else this.stage.clear('The next pictures are on their way.');
      return;
    }
    this.show('work');
    const item = this.current;
    this.drawItem();
    const shown = await this.stage.show(item, item.pictures.map((_, place) => place), this.isBlurred(item));
    if (this.current !== item) return;
    if (!shown && item.isBroken) {
      this.current = null;
      this.say('A picture of these cannot be loaded, so they were put off.', true);
      setTimeout(() => this.advance(), LOOK_AGAIN_MS);
    }
  }
  // More items. again: some time after there were none.
  async fill(again = false) {
    if (this.filling || !this.running || this.queue.length > (this.campaign.mode === 'thumb' ? AHEAD_OF_ONES / 2 : LOW) || this.end === 'done' || (this.end && !again)) return;
    this.filling = true;
    const have = [this.current, ...this.queue].filter(Boolean).map(({id}) => id)
      .concat(this.outbox.entries.map(({body}) => body.item).filter(Boolean)).slice(0, MOST_IN_HAND);
    const whose = this.own ? {} : {annotator: this.annotator.id}, {campaign} = this;
    const {ok, answer} = await get(`${this.base}/next`, {...whose, campaign: campaign.id, have: [...new Set(have)].join(), count: this.campaign.mode === 'thumb' ? AHEAD_OF_ONES : AHEAD});
    this.filling = false;
    if (!this.running || campaign !== this.campaign) return;
    if (!ok) {
      this.trouble = (answer && answer.error) || 'This looks again by itself. What you answered is kept.';
      this.end = answer && answer.error ? 'waiting' : 'trouble';
    } else {
      this.take(answer.progress);
      // What was answered here is on disk by now or waits to be sent, unless it was taken back elsewhere.
      if (again) this.answered.clear();
      const inHand = this.keysInHand(); // asked for anew, since answers were given while this was under way
      const fresh = answer.items.filter((item) => !inHand.has(keyOfItem(item)));
      this.queue.push(...fresh.map((item) => this.item(item)));
      this.end = fresh.length ? null : answer.items.length ? 'waiting' : answer.state;
      this.trouble = answer.message || '';
    }
    if (this.isResting && this.end === 'done') this.drawNothing();
    else if (!this.current && !this.isResting) this.advance();
    if (this.end && this.end !== 'done') setTimeout(() => this.fill(true), LOOK_AGAIN_MS);
  }
  // What need not be given again: what is shown, what waits, and what was answered here.
  keysInHand() {
    const unsent = this.outbox.entries.filter(({path}) => path === 'vote').map(({body}) => `${body.item} ${body.question}`);
    return new Set([...[this.current, ...this.queue].filter(Boolean).map(keyOfItem), ...unsent, ...this.answered]);
  }

  // -- an answer ---------------------------------------------------------------------------------------------------------

  clicked(place, byPointer) {
    const {mode} = this;
    if (mode === 'thumb' || mode === 'triage') return;
    this.act(mode === 'pair' || mode === 'ranking' ? ['left', 'right'][place] : `pick${place + 1}`);
    // What was clicked goes; a space is then for skipping, not for clicking once more.
    if (byPointer) this.stage.host.focus({preventScroll: true});
  }
  // Single pictures may be sorted as a stream, of which some stay: the same answers in other words.
  item(item) {
    if (item.mode !== 'thumb' || !this.isStream) return prepared(item);
    return prepared({...item, mode: 'triage', ask: item.question === 'overall' ? 'Keep it, or drop it?' : item.ask});
  }
  // What somebody has flagged is shown at a word, unless its annotator will see everything at once.
  isBlurred(item) { return item.flagged && !item.revealed && store.get(`palimpsest-pad-blur:${this.annotator.id}`) !== false; }
  // What an action answers, by places on the screen; null while there is more to say.
  answer(action) {
    if (!action.startsWith('pick')) return {outcome: {keep: 'good', drop: 'bad'}[action] || action};
    const place = Number(action.slice(4)) - 1;
    if (place >= this.current.pictures.length) return null;
    if (this.mode === 'best') return {best: place};
    if (this.partial.includes(place)) return null;
    this.partial.push(place);
    if (this.partial.length === 2) return {best: this.partial[0], worst: this.partial[1]};
    this.drawStep();
    return null;
  }
  decide(action) {
    const item = this.current;
    if (!item || !this.stage.takesAnswers || this.stage.isSwapped || this.stage.item !== item) return;
    if (this.isBlurred(item) && action !== 'skip') {
      this.say(`Show the pictures first (${keyName(this.keys.of('reveal')[0])}), or skip them.`);
      return;
    }
    const answer = this.answer(action);
    if (!answer) return;
    const now = Date.now(), {stage} = this;
    const said = answer.best === undefined ? SAID[action]
      : answer.worst === undefined ? `picture ${answer.best + 1} is the best` : `${answer.best + 1} is the best, ${answer.worst + 1} the worst`;
    const body = {
      campaign: this.campaign.id, item: item.id, question: item.question, answer,
      shown_at: stage.shownAt, first_paint_at: stage.firstPaint, answered_at: now, latency_ms: Math.round(10 * stage.waited) / 10,
      flagged: Boolean(this.marks.flag), comment: this.root.querySelector('.pad-note textarea').value.trim(),
      confidence: this.marks.slight && action !== 'skip' ? 0.5 : null,
      device: matchMedia('(pointer: coarse)').matches ? 'touch' : 'pointer',
    };
    const entry = this.send('vote', body, {campaign: this.campaign.id, said, counts: 1});
    this.made = null;
    this.answered.add(keyOfItem(item));
    this.seen.set(entry.body.id, item);
    this.past = [...this.past, {id: entry.body.id, campaign: this.campaign.id, said, question: item.question}].slice(-UNDO_DEPTH);
    this.closeNote();
    this.current = null;
    if (this.tellsAfter(item) && action !== 'skip') this.beginReveal(item, entry);
    else this.advance();
    this.drawUnsaved();
  }
  get past() { return store.get(`palimpsest-pad-past:${this.annotator.id}`) || []; }
  set past(list) { store.set(`palimpsest-pad-past:${this.annotator.id}`, list); }

  // -- undo --------------------------------------------------------------------------------------------------------------

  undo() {
    this.closeReveal();
    if (this.partial.length) {
      this.partial.pop();
      this.drawStep();
      return;
    }
    const {past} = this, last = past.findLast(({campaign}) => campaign === this.campaign.id);
    this.past = past.filter((entry) => entry !== last);
    const item = last && this.seen.get(last.id);
    if (last && this.outbox.drop(last.id)) {
      this.again(item, last.said, 'It was not sent yet.');
      return;
    }
    // Sent in its turn, after the answer that it takes back.
    this.send('undo', {undoes: last ? last.id : null, campaign: this.campaign.id},
      {campaign: this.campaign.id, counts: -1, said: last ? last.said : '', shown: Boolean(item)});
    if (item) this.again(item, last.said);
    else this.say('Taking back the last answer …');
  }
  // An item that was answered is asked again, before what was to come.
  again(item, said, why = '') {
    const key = keyOfItem(item);
    this.answered.delete(key);
    if (this.current && keyOfItem(this.current) !== key) this.queue.unshift(this.current);
    this.queue = this.queue.filter((other) => keyOfItem(other) !== key);
    this.current = item;
    this.isResting = false;
    this.batchFrom = Math.min(this.batchFrom, this.mine - (this.mine % this.progress.batch));
    this.show('work');
    this.advance();
    this.say(`Taken back: ${said}. ${why}`.trim());
    this.drawUnsaved();
  }

  // What the studio says of something that was sent.
  told(what, entry, answer) {
    this.toldOfReveal(what, entry);
    const isVote = entry.path === 'vote', isUndo = entry.path === 'undo';
    if (what === 'saved' && (isVote || isUndo)) {
      this.take(answer.progress);
      if (isVote) this.announce(`Saved: ${entry.note.said}.${this.current ? ` ${this.placeText}` : ''}`, `Saved: ${entry.note.said}.`);
      else if (this.running && !entry.note.shown && answer.items.length) this.again(this.item(answer.items[0]), entry.note.said || 'the last answer');
    } else if (what === 'refused') {
      this.past = this.past.filter(({id}) => id !== entry.body.id);
      this.answered.delete(`${entry.body.item} ${entry.body.question}`); // it may be asked again
      if (isUndo) this.outbox.discard(entry);
      this.say(answer.error, true);
      this.drawRefused();
    } else if (what === 'offline' && this.running) {
      this.announce(`Kept in this browser, not saved yet: ${answer.error}`, `Kept in this browser until the studio answers. ${answer.error}`);
    }
    this.drawUnsaved();
    this.drawProgress();
  }
  take(progress) {
    if (!progress || (this.campaign && progress.campaign !== this.campaign.id)) return;
    this.progress = {...this.progress, ...progress}; // a vote's leaves out what takes time to say
    this.drawProgress();
  }
}
