// Whether it is shown: nothing yet, "on", or "off".
const STORED = 'palimpsest-tour';
const kept = () => localStorage.getItem(STORED);
const escape = (text) => Object.assign(document.createElement('i'), {textContent: text}).innerHTML;
let steps = [], trouble = '';

function draw() {
  if (kept() !== 'on' || !steps.length) { element.innerHTML = ''; return; }
  const at = steps.findIndex((step) => !step.done), step = steps[at];
  const dots = steps.map((one, k) => `<li class="${one.done ? 'done' : k === at ? 'next' : ''}">
    <span>${one.done ? '✓' : k + 1}</span> ${escape(one.title)}<i class="sr">${one.done ? ', done' : k === at ? ', next' : ''}</i></li>`);
  const count = step && step.wanted > 1 ? ` ${step.count} of ${step.wanted} so far.` : '';
  const words = trouble || (step ? `${step.text}${count}`
    : 'That was the whole loop: what you liked is an edit now. Put on the stack under Align, it acts in whatever you draw.');
  element.innerHTML = `<section class="tour" aria-label="The first five minutes">
    <ol>${dots.join('')}</ol><p aria-live="polite">${escape(words)}</p>
    ${step ? `<button type="button" class="small" data-tour="go">Show me where</button>` : ''}
    <button type="button" class="small" data-tour="end">${step ? 'Skip the tour' : 'Close'}</button></section>`;
}

async function look() {
  if (kept() === 'off') return;
  const answer = await fetch('/walkthrough').catch(() => null);
  if (!answer || !answer.ok) return;
  steps = (await answer.json()).steps;
  // By itself it comes to those alone who have done nothing yet.
  if (!kept()) localStorage.setItem(STORED, steps.some((step) => step.done) ? 'off' : 'on');
  draw();
}

async function go() {
  const step = steps.find((one) => !one.done);
  trouble = '';
  document.getElementById(`tab-${step.tab}-button`)?.click();
  if (step.id === 'label') { // has pairs made, and the pad told of them
    const request = {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'};
    const answer = await fetch('/walkthrough/label', request).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (answer?.ok) window.dispatchEvent(new CustomEvent('palimpsest-label-campaign', {detail: told.campaign}));
    else trouble = told?.error || 'The studio does not answer. Is it still running?';
    draw();
  }
  if (!step.part) return;
  const part = [...document.querySelectorAll(`#tab-${step.tab} [role=tab]`)].find((tab) => tab.textContent.trim() === step.part);
  part?.click();
}

element.addEventListener('click', (event) => {
  const does = event.target.closest('[data-tour]')?.dataset.tour;
  if (does === 'go') go();
  if (does === 'end') { localStorage.setItem(STORED, 'off'); draw(); }
});
// It is looked at again where something may have been done: the queue came to rest, or a tab was gone to.
window.addEventListener('palimpsest-watch', ({detail}) => { if (detail.came_to_rest && kept() === 'on') look(); });
window.addEventListener('palimpsest-tour', () => { localStorage.setItem(STORED, 'on'); look(); });
document.addEventListener('click', (event) => { if (kept() === 'on' && event.target.closest?.('[role=tab]')) setTimeout(look, 300); });
// Answers to pairs are nothing that the queue draws.
setInterval(() => { if (kept() === 'on' && steps.find((step) => !step.done)?.id === 'label' && !document.hidden) look(); }, 3000);
look();
