// A button [data-curves] opens the curves of its job, which are drawn anew as long as the job runs.
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
  let timer = 0;
  const draw = async () => {
    const answer = await fetch(`/curves/${encodeURIComponent(button.dataset.curves)}.html`).catch(() => null);
    if (!dialog.open) return;
    if (answer) {
      const html = await answer.text();
      if (answer.ok) place.innerHTML = html;
      else place.textContent = html;
      if (place.querySelector('[data-over]')) return;
    }
    timer = setTimeout(draw, 1000);
  };
  dialog.addEventListener('click', (press) => { if (press.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { clearTimeout(timer); dialog.remove(); });
  dialog.showModal();
  draw();
});
