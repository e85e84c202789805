// What was answered and is not yet on disk: kept in the browser, sent in order, each once. A vote that was sent and whose
// answer was lost is sent again under the same id, by which the studio knows it.
const KEPT = 'palimpsest-pad-unsent', REFUSED = 'palimpsest-pad-refused';
const PATIENCE_MS = 15_000, LONGEST_WAIT_MS = 15_000, MOST_TRIES = 5; // of what the studio stumbles over

// In private windows there may be no store, and it may be full: then memory has to do, for as long as the page is open.
const memory = new Map();
const store = {
  keys() {
    try { return [...new Set([...Object.keys(localStorage), ...memory.keys()])]; } catch { return [...memory.keys()]; }
  },
  get(key) {
    try { return memory.get(key) ?? JSON.parse(localStorage.getItem(key)); } catch { return memory.get(key) ?? null; }
  },
  set(key, value) {
    try { localStorage.setItem(key, JSON.stringify(value)); memory.delete(key); } catch { memory.set(key, value); }
  },
  remove(key) {
    memory.delete(key);
    try { localStorage.removeItem(key); } catch { /* nothing was kept */ }
  },
};
// crypto.randomUUID is only where the page is secure, which over the local network it is not.
const uuid = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

class Outbox {
  // annotator: whose. told(what, entry, answer): "saved", "refused", "offline".
  constructor(base, annotator, told) {
    Object.assign(this, {base, annotator, told, sending: null, timer: 0, wait: 500, trouble: ''});
    this.wake = () => { if (!document.hidden) this.send(); };
    for (const name of ['online', 'focus']) window.addEventListener(name, this.wake);
    document.addEventListener('visibilitychange', this.wake);
  }
  close() {
    clearTimeout(this.timer);
    for (const name of ['online', 'focus']) window.removeEventListener(name, this.wake);
    document.removeEventListener('visibilitychange', this.wake);
    this.told = () => {};
  }
  // Each has a key of its own, so that two windows of one browser do not overwrite each other's; keys sort by age.
  get entries() {
    const mine = `${KEPT}:${this.annotator}:`;
    return store.keys().filter((key) => key.startsWith(mine)).sort().map((key) => store.get(key)).filter(Boolean);
  }
  get refused() {
    const mine = `${REFUSED}:${this.annotator}:`;
    return store.keys().filter((key) => key.startsWith(mine)).sort().map((key) => store.get(key)).filter(Boolean);
  }
  add(path, body, note = {}) {
    const last = this.entries.at(-1);
    const time = Math.max(Date.now(), last ? last.time + 1 : 0); // also where the clock was put back
    const key = `${KEPT}:${this.annotator}:${String(time).padStart(15, '0')}-${body.id}`;
    const entry = {key, time, path, body, note};
    store.set(key, entry);
    this.send();
    return entry;
  }
  // Take back what was not sent yet. Gives whether it was there, and nobody was told of it.
  drop(id) {
    const entry = this.entries.find(({body}) => body.id === id);
    if (!entry || entry.tried || (this.sending && this.sending.body.id === id)) return false;
    store.remove(entry.key);
    return true;
  }
  retryRefused() {
    for (const entry of this.refused) {
      store.remove(entry.refusedKey);
      store.set(entry.key, {...entry, refusedKey: undefined});
    }
    this.send();
  }
  discard(entry) { store.remove(entry.key.replace(KEPT, REFUSED)); }
  discardRefused() { for (const entry of this.refused) store.remove(entry.refusedKey); }

  // A fault of the studio's own, again and again: what comes after it shall not wait for ever.
  isHopeless(entry, status) {
    if (status !== 500) return false; // a full disk has room again
    entry.tries = (entry.tries || 0) + 1;
    store.set(entry.key, entry);
    return entry.tries >= MOST_TRIES;
  }
  async send() {
    if (this.sending) return;
    clearTimeout(this.timer);
    for (let entry = this.entries[0]; entry; entry = this.entries[0]) {
      this.sending = entry;
      entry.tried = true; // from here on nobody knows whether it arrived
      store.set(entry.key, entry);
      const reply = await post(`${this.base}/${entry.path}`, entry.body);
      this.sending = null;
      if (reply.ok) {
        [this.wait, this.trouble] = [500, ''];
        store.remove(entry.key);
        this.told('saved', entry, reply.answer);
      } else if (reply.answer && reply.answer.error && (reply.status < 500 || this.isHopeless(entry, reply.status))) {
        const refusedKey = entry.key.replace(KEPT, REFUSED);
        store.set(refusedKey, {...entry, refusedKey, tries: 0, why: reply.answer.error});
        store.remove(entry.key);
        this.told('refused', entry, reply.answer);
      } else {
        this.trouble = (reply.answer && reply.answer.error) || 'The studio does not answer.';
        this.told('offline', entry, {error: this.trouble});
        this.timer = setTimeout(() => this.send(), this.wait);
        this.wait = Math.min(LONGEST_WAIT_MS, 2 * this.wait);
        return;
      }
    }
  }
}

async function post(address, body) {
  try {
    const reply = await fetch(address, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS), keepalive: true,
    });
    return {ok: reply.ok, status: reply.status, answer: await reply.json().catch(() => null)};
  } catch {
    return {ok: false, status: 0, answer: null};
  }
}

async function get(address, query) {
  try {
    const reply = await fetch(`${address}?${new URLSearchParams(query)}`, {signal: AbortSignal.timeout(PATIENCE_MS)});
    return {ok: reply.ok, status: reply.status, answer: await reply.json().catch(() => null)};
  } catch {
    return {ok: false, status: 0, answer: null};
  }
}
