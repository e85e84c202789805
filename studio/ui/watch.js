// The one timer of the page. It asks `/watch` how the engine, the queue and the jobs are whose number stands in a
// `data-watch` somewhere on the page, and tells the answer to whoever listens: the event `palimpsest-watch`. What moves
// from step to step (a preview, a bar) it fills in itself, so that no event of Gradio's goes out for it.
const QUICK_MS = 250, SLOW_MS = 1000, PATIENCE_MS = 5000;
const newest = {}; // job -> number of its newest event that was told
let timer = 0, asking = false, again = false, working = false, busy = false, failed = false;

const parts = () => [...document.querySelectorAll('[data-watch]')];
const isSeen = (part) => part.offsetParent !== null;

async function look() {
  clearTimeout(timer);
  if (asking) {
    again = true; // what is asked for now may have come after the answer that is under way was made
    return;
  }
  asking = true;
  again = false;
  const watched = parts();
  const jobs = [...new Set(watched.map((part) => part.dataset.watch))];
  try {
    const since = jobs.map((job) => `${job}:${newest[job] || 0}`).join();
    const reply = await fetch(`/watch?since=${encodeURIComponent(since)}`);
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const answer = await reply.json();
    for (const [job, facts] of Object.entries(answer.jobs)) {
      fill(job, facts);
      newest[job] = facts.seq;
    }
    answer.came_to_rest = working && !answer.busy; // what came and went between two looks is to be looked for
    working = answer.busy;
    busy = working || jobs.length > 0;
    window.dispatchEvent(new CustomEvent('palimpsest-watch', { detail: answer }));
    failed = false;
  } catch {
    failed = true; // Gradio says that the studio is gone; it may come back
  } finally {
    asking = false;
  }
  if (again) timer = setTimeout(look, 0);
  else if (busy || failed) timer = setTimeout(look, failed ? PATIENCE_MS : pause(watched));
}

// Nothing that is looked at moves where the page, or the tab with what is drawn, is not shown.
const pause = (watched) => (document.hidden || !watched.some(isSeen) ? SLOW_MS : QUICK_MS);

function fill(job, facts) {
  for (const part of parts().filter((part) => part.dataset.watch === job && isSeen(part))) {
    if (part.matches('.progress')) fillProgress(part, facts);
    else if (facts.preview && Number(part.dataset.place) === facts.place) fillPreview(part, facts.preview);
  }
}

function fillProgress(part, facts) {
  const bar = part.querySelector('.bar');
  bar.firstElementChild.style.width = `${(100 * facts.share).toFixed(1)}%`;
  bar.setAttribute('aria-valuenow', (facts.share * Number(bar.getAttribute('aria-valuemax'))).toFixed(1));
  part.querySelector('.left').textContent = facts.left;
  const words = part.querySelector('.step[data-doing]');
  if (!words) return;
  words.textContent = facts.doing;
  bar.setAttribute('aria-label', facts.doing);
}

function fillPreview(part, preview) {
  let picture = part.querySelector('img');
  if (!picture) {
    picture = Object.assign(document.createElement('img'), { alt: 'Preview of the picture being drawn' });
    part.className = 'frame live';
    part.removeAttribute('role');
    part.removeAttribute('aria-label');
    part.replaceChildren(picture);
  }
  picture.src = preview;
}

// Whether what a part of the page shows of its jobs is older than an answer: a picture more is finished, or one of the
// jobs is over. Asked again about the same state it says so only after a while: whoever looked may have been refused.
const tellings = new WeakMap(); // part -> what it was last told to look for, and when
function isDue(element, answer) {
  for (const part of element.querySelectorAll('[data-watch]')) {
    const facts = answer.jobs[part.dataset.watch];
    if (!facts) continue;
    const isOlder = facts.finished > Number(part.dataset.drawn ?? Infinity) || ('waits' in part.dataset && facts.begun);
    if (!facts.over && !isOlder) continue;
    const state = `${part.dataset.watch} ${facts.begun} ${facts.over} ${facts.finished}`, before = tellings.get(element) || {};
    if (before.state === state && Date.now() - before.at < PATIENCE_MS) continue;
    tellings.set(element, { state, at: Date.now() });
    return true;
  }
  return false;
}

window.palimpsestWatch = { look, isDue };
for (const what of ['changed', 'refresh']) window.addEventListener(`palimpsest-${what}`, look);
look();
