// How far imports and exports are: asked for while one is under way. Bars and words are filled in here; what ended is
// drawn anew, which Python does.
const EVERY_MS = 400, WANTED = 'palimpsest-export';
let isAsking = false, timer = 0;
const running = () => element.querySelector('[data-state=running]');

async function follow() {
  clearTimeout(timer);
  if (isAsking || !running()) return;
  isAsking = true;
  let answer = null;
  try {
    const reply = await fetch('/label/exchange/runs', {cache: 'no-store'});
    answer = reply.ok ? await reply.json() : null;
  } catch { /* asked again below */ }
  isAsking = false;
  let isDue = false;
  for (const row of answer ? element.querySelectorAll('[data-state=running]') : []) {
    const run = answer.runs.find(({id}) => id === row.dataset.run);
    if (!run || run.state !== 'running') { isDue = true; continue; }
    const bar = row.querySelector('[role=progressbar]');
    bar.firstElementChild.style.width = `${100 * (run.share || 0)}%`;
    bar.setAttribute('aria-valuenow', String(run.share || 0));
    row.querySelector('.step').textContent = run.words;
  }
  if (isDue) trigger('look');
  timer = setTimeout(follow, EVERY_MS);
}
watch('value', () => setTimeout(follow));
setTimeout(follow);

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-op]');
  if (!button) return;
  if (button.dataset.op === 'stop') button.disabled = true;
  trigger('op', {op: button.dataset.op, id: button.dataset.id});
});
// Another part of the tab asks for a campaign to be exported; this one may not have been on the page then.
function choose() {
  const campaign = Number(sessionStorage.getItem(WANTED));
  sessionStorage.removeItem(WANTED);
  if (campaign) trigger('choose', {campaign});
}
window.addEventListener('palimpsest-label-export', choose);
setTimeout(choose);
document.addEventListener('click', (event) => {
  if (event.target.closest && event.target.closest('#label-import-and-export-button')) trigger('look');
});
