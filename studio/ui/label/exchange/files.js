// Files of a set of labels, sent one after the other with their places in the folder they come from; nothing of them is
// kept in the browser. What is sent is one set; what is chosen next, another.
const ADDRESS = '/label/exchange/upload', AT_ONCE = 4;
const status = (words, isWrong = false) => {
  const line = element.querySelector('[data-part=status]');
  line.textContent = words;
  line.classList.toggle('error', isWrong);
};
const randomId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const megabytes = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toLocaleString('en', {maximumFractionDigits: 1})} MB`);
let sending = null;

// Of what is dropped, the files with their places; a folder is gone through.
async function dropped(items) {
  const found = [];
  const read = (entry) => new Promise((next, fail) => entry.file(next, fail));
  const list = (reader) => new Promise((next, fail) => reader.readEntries(next, fail));
  async function walk(entry, place) {
    if (entry.isFile) { found.push({file: await read(entry), name: place + entry.name}); return; }
    const reader = entry.createReader();
    for (let entries = await list(reader); entries.length; entries = await list(reader)) {
      for (const inner of entries) await walk(inner, `${place}${entry.name}/`);
    }
  }
  for (const entry of items) await walk(entry, '');
  return found;
}

async function send(files) {
  if (sending) sending.abort();
  if (!files.length) return;
  const control = sending = new AbortController(), id = randomId(), stop = element.querySelector('[data-do=cancel]');
  const total = files.reduce((sum, {file}) => sum + file.size, 0), waiting = [...files];
  let count = 0, bytes = 0, wrong = '';
  stop.hidden = false;
  element.toggleAttribute('data-sending', true);
  const work = async () => {
    for (let next = waiting.shift(); next && !wrong && !control.signal.aborted; next = waiting.shift()) {
      status(`Sending ${count + 1} of ${files.length}, ${megabytes(bytes)} of ${megabytes(total)}`);
      try {
        const reply = await fetch(`${ADDRESS}?${new URLSearchParams({set: id, name: next.name})}`,
          {method: 'POST', body: next.file, headers: {'Content-Type': 'application/octet-stream'}, signal: control.signal});
        if (!reply.ok) wrong = (await reply.json().catch(() => ({}))).error || `${next.name} was not taken: ${reply.status}.`;
      } catch {
        wrong = 'The studio does not answer, so that the files are not sent. Choose them again.';
      }
      count += 1;
      bytes += next.file.size;
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, work));
  if (sending !== control) return; // another set was chosen meanwhile
  sending = null;
  stop.hidden = true;
  element.toggleAttribute('data-sending', false);
  if (control.signal.aborted) { status('Nothing is sent.'); return; }
  if (wrong) { status(wrong, true); return; }
  status(`${files.length === 1 ? files[0].name : `${files.length} files`}, ${megabytes(total)}`);
  trigger('arrived', {set: id});
}

element.addEventListener('change', (event) => {
  event.stopPropagation();
  const files = [...event.target.files].map((file) => ({file, name: file.webkitRelativePath || file.name}));
  event.target.value = ''; // so that the same can be chosen again
  send(files);
});
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-do=cancel]') && sending) sending.abort();
});
for (const name of ['dragenter', 'dragover']) {
  element.addEventListener(name, (event) => {
    event.preventDefault();
    event.stopPropagation();
    element.toggleAttribute('data-over', true);
  });
}
for (const name of ['dragleave', 'drop']) element.addEventListener(name, () => element.toggleAttribute('data-over', false));
element.addEventListener('drop', (event) => {
  event.preventDefault();
  event.stopPropagation();
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  dropped(entries).then(send, () => status('What was dropped cannot be read.', true));
});
