// Curves in their place on the page: drawn anew as the watcher tells of new measures, until their job is over.
let drawing = false;
window.addEventListener('palimpsest-watch', async ({detail}) => {
  const place = element.querySelector('[data-curves-of]'), job = place && place.dataset.curvesOf;
  const facts = job && detail.jobs[job];
  if (!facts || drawing || !(facts.over || facts.measures.length)) return;
  drawing = true;
  const answer = await fetch(`/curves/${encodeURIComponent(job)}.html`).catch(() => null);
  const html = answer && answer.ok ? await answer.text() : '';
  drawing = false;
  if (html && place.isConnected && place.dataset.curvesOf === job) place.innerHTML = html;
});
