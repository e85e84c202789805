// A button [data-curves] opens the curves of its job, which are drawn anew as the watcher tells of new measures.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-curves]');
  if (!button) return;
  const dialog = Object.assign(document.createElement('dialog'), {className: 'curves-of', ariaLabel: button.ariaLabel});
  const place = document.createElement('div');
  const close = Object.assign(document.createElement('button'), {
    type: 'button', className: 'small close', textContent: '×', title: 'Close', ariaLabel: 'Close',
    onclick: () => dialog.close(),
  });
  dialog.append(close, place);
  (document.querySelector('.gradio-container') || document.body).append(dialog);
  const job = button.dataset.curves;
  let drawing = false;
  const draw = async () => {
    if (drawing) return;
    drawing = true;
    const answer = await fetch(`/curves/${encodeURIComponent(job)}.html`).catch(() => null);
    drawing = false;
    if (!dialog.open) return;
    if (answer) {
      const html = await answer.text();
      if (answer.ok) place.innerHTML = html;
      else place.textContent = html;
      if (place.querySelector('[data-over]')) delete place.dataset.watch;
    }
  };
  const heard = ({detail}) => {
    const facts = detail.jobs[job];
    if (facts && (facts.over || facts.measures.length)) draw();
  };
  dialog.addEventListener('click', (press) => { if (press.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { window.removeEventListener('palimpsest-watch', heard); dialog.remove(); });
  place.dataset.watch = job;
  window.addEventListener('palimpsest-watch', heard);
  dialog.showModal();
  draw();
  window.palimpsestWatch.look();
});
