// What ? opens: keys, settings and versions, fetched each time.
(() => {
  const WRITING = 'input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]';
  // Where a tab lists keys of its own, ? is that list's.
  const isTaken = () => [...document.querySelectorAll('[data-own-keys]')].some((part) => part.offsetParent !== null);
  let dialog = null;

  async function open() {
    if (dialog) return;
    dialog = Object.assign(document.createElement('dialog'), { className: 'about', ariaLabel: 'Keys, settings and versions' });
    const place = Object.assign(document.createElement('div'), { textContent: 'Loading' });
    const close = Object.assign(document.createElement('button'), {
      type: 'button', className: 'small close', textContent: '×', title: 'Close', ariaLabel: 'Close',
      onclick: () => dialog.close(),
    });
    dialog.append(close, place);
    dialog.addEventListener('click', (event) => {
      const tour = event.target.closest('[data-about-tour]');
      if (tour) window.dispatchEvent(new Event('palimpsest-tour'));
      if (tour || event.target === dialog) dialog.close();
    });
    dialog.addEventListener('close', () => { dialog.remove(); dialog = null; });
    (document.querySelector('.gradio-container') || document.body).append(dialog);
    dialog.showModal();
    const answer = await fetch('/about').catch(() => null);
    if (!dialog) return;
    if (!answer || !answer.ok) { place.textContent = 'The studio does not answer. Is it still running?'; return; }
    place.innerHTML = await answer.text();
    const stored = localStorage.getItem('palimpsest-theme') || '';
    for (const choice of place.querySelectorAll('[data-theme-choice]')) choice.checked = choice.value === stored;
    place.querySelector('[data-demo]').checked = document.documentElement.classList.contains('demo');
  }

  document.addEventListener('click', (event) => { if (event.target.closest('[data-about]')) open(); });
  document.addEventListener('keydown', (event) => {
    if (event.key !== '?' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(WRITING) || document.querySelector('dialog[open]') || isTaken()) return;
    event.preventDefault();
    open();
  });
})();
