// Keys, and the choice between light and dark. Everything here is a convenience: the page works without it.
(() => {
  const STORED = 'palimpsest-theme'; // "light", "dark", or nothing: as the system has it
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const wanted = () => localStorage.getItem(STORED) || (system.matches ? 'dark' : 'light');

  function paint() {
    const dark = wanted() === 'dark';
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    // Gradio sets the class itself when it mounts; setting only what differs keeps the observer below from looping.
    if (document.body && document.body.classList.contains('dark') !== dark) document.body.classList.toggle('dark', dark);
    const button = document.getElementById('theme-toggle');
    if (button) {
      button.setAttribute('aria-label', dark ? 'Switch to light' : 'Switch to dark');
      button.title = button.getAttribute('aria-label');
    }
  }

  function begin() {
    paint();
    new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ['class'] });
    // The button comes later than this script, and is told its name then.
    new MutationObserver((_, self) => {
      if (!document.getElementById('theme-toggle')) return;
      self.disconnect();
      paint();
    }).observe(document.body, { childList: true, subtree: true });
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
  system.addEventListener('change', paint);

  document.addEventListener('click', (event) => {
    if (!event.target.closest('#theme-toggle')) return;
    const next = wanted() === 'dark' ? 'light' : 'dark';
    if ((system.matches ? 'dark' : 'light') === next) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, next);
    paint();
  });

  // Where the page is narrow, the sidebar starts closed: the picture comes first. Gradio opens it a while after it is
  // there, and before it listens to its button; so this asks until it is closed, and then never again.
  if (window.innerWidth < 1100) {
    let tries = 0;
    const closing = setInterval(() => {
      const sidebar = document.getElementById('sidebar');
      const open = sidebar && sidebar.classList.contains('open');
      if (open) sidebar.querySelector('.toggle-button').click();
      tries += 1;
      if ((sidebar && !open && tries > 5) || tries > 40) clearInterval(closing);
    }, 100);
  }

  // What a handler refuses is said where one looks. Gradio 6.31 shows it of events that go through its queue; of those
  // that do not, which are most of ours, its client forgets that it is to be seen.
  const SECONDS = 10;
  let fading = 0, refused = null; // what was refused last: the number of a listener, or the field of a file
  function refuse(why, what) {
    refused = what;
    const place = document.getElementById('refused') || document.createElement('div');
    // As text: ours comes escaped, for Gradio would take it for HTML.
    const told = new DOMParser().parseFromString(String(why), 'text/html').body.textContent;
    place.id = 'refused';
    place.className = 'message error';
    place.setAttribute('role', 'alert');
    place.replaceChildren(told, Object.assign(document.createElement('button'), {
      type: 'button', textContent: '×', title: 'Close', ariaLabel: 'Close', onclick: () => place.remove(),
    }));
    (document.querySelector('.gradio-container') || document.body).append(place);
    clearInterval(fading);
    let left = SECONDS;
    fading = setInterval(() => {
      if (!place.matches(':hover, :focus-within')) left -= 1;
      if (left <= 0) { clearInterval(fading); place.remove(); }
    }, 1000);
  }
  // What was refused and then went well is refused no more.
  function accept(what) {
    const place = document.getElementById('refused');
    if (place && what !== null && what === refused) { clearInterval(fading); place.remove(); }
  }
  const listener = (call) => {
    try { return JSON.parse(call[1].body).fn_index ?? null; } catch { return null; }
  };
  const ask = window.fetch;
  window.fetch = async (...call) => {
    const answer = await ask.apply(window, call);
    if (!/\/run\/[^/]*$/.test(new URL(answer.url, location.href).pathname)) return answer;
    if (answer.ok) accept(listener(call));
    if (answer.status >= 400) {
      const said = await answer.clone().json().catch(() => null);
      const why = (said && said.error) || 'Something went wrong inside the studio; its log says what. Nothing is lost.';
      refuse(why, listener(call));
    }
    return answer;
  };

  // Windows look again when something has changed: each one when it is come back to, and those of this browser that lie
  // side by side when one of them says so. A page at rest asks for nothing.
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel('palimpsest') : null;
  const refresh = () => window.dispatchEvent(new Event('palimpsest-refresh'));
  if (channel) channel.onmessage = refresh;
  window.addEventListener('palimpsest-changed', () => channel && channel.postMessage('changed'));
  let away = false;
  window.addEventListener('blur', () => { away = true; });
  for (const [target, name] of [[window, 'focus'], [document, 'visibilitychange']]) {
    target.addEventListener(name, () => {
      if (document.hidden) { away = true; return; }
      if (away) refresh();
      away = false;
    });
  }

  // Keys that are letters count only where nothing is being written or chosen.
  const WRITING = 'input:not([type="checkbox"], [type="radio"], [type="range"], [type="file"]), textarea, select, [contenteditable], [role="listbox"], [role="slider"]';
  const SHORTCUTS = { f: '#star-shown', Delete: '#delete-shown' };
  const press = (selector) => {
    const button = document.querySelector(selector);
    if (!button || button.disabled || button.offsetParent === null) return false;
    button.click();
    return true;
  };

  // A file of a kind that a field does not take is refused by name: Gradio leaves it out without a word. What a field
  // told of the file before goes with any other.
  function judge(field, files) {
    const kinds = (field.accept || '').toLowerCase().split(',').map((kind) => kind.trim()).filter(Boolean);
    const wrong = [...files].find((file) => kinds.length && !kinds.some((kind) => file.name.toLowerCase().endsWith(kind)));
    const place = field.closest('.drop').id;
    if (wrong) refuse(`The file ${escaped(wrong.name)} is not taken here. Give one of ${kinds.join(' or ')}.`, place);
    else accept(place);
    window.dispatchEvent(new CustomEvent('palimpsest-file', { detail: place }));
  }
  const escaped = (text) => Object.assign(document.createElement('p'), { textContent: text }).innerHTML;
  document.addEventListener('change', (event) => {
    if (event.target.matches('.drop input[type="file"]') && event.target.files.length) judge(event.target, event.target.files);
  }, true);
  document.addEventListener('drop', (event) => {
    const field = event.target.closest('.drop') && event.target.closest('.drop').querySelector('input[type="file"]');
    if (field && event.dataTransfer && event.dataTransfer.files.length) judge(field, event.dataTransfer.files);
  }, true);

  // A picture file may be dropped anywhere on the Prompt tab; it is handed to the field that takes it. Elsewhere, a
  // dropped file would replace the page.
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  for (const name of ['dragover', 'drop']) {
    document.addEventListener(name, (event) => {
      if (!carriesFiles(event) || event.target.closest('#dropped, #edit-file')) return;
      event.preventDefault();
      const field = document.querySelector('#dropped input[type="file"]');
      const workbench = document.querySelector('.workbench');
      if (name !== 'drop' || !field || !workbench || workbench.offsetParent === null) return;
      field.files = event.dataTransfer.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    });
  }

  document.addEventListener('keydown', (event) => {
    if (event.key === '.' && (event.ctrlKey || event.metaKey)) {
      if (press('#stop')) event.preventDefault();
      return;
    }
    if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest(WRITING)) {
      if (event.key === '/') {
        const box = document.querySelector('#search :is(input, textarea)');
        if (box && box.offsetParent !== null) { box.focus(); event.preventDefault(); }
        return;
      }
      if (SHORTCUTS[event.key] && press(SHORTCUTS[event.key])) { event.preventDefault(); return; }
    }
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      const button = document.getElementById('generate');
      if (button && !button.disabled && button.offsetParent !== null) {
        event.preventDefault();
        event.stopPropagation();
        // The boxes tell Gradio of a change as it is typed, but a number box only when it is left.
        const at = document.activeElement;
        if (at && at.blur) at.blur();
        setTimeout(() => { button.click(); if (at && at.focus) at.focus(); }, 60);
      }
      return;
    }
    const tab = event.target.closest && event.target.closest('[role="tab"]');
    if (tab && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      const all = [...tab.parentElement.querySelectorAll('[role="tab"]')].filter((t) => t.offsetParent !== null);
      const next = all[(all.indexOf(tab) + (event.key === 'ArrowRight' ? 1 : -1) + all.length) % all.length];
      next.focus();
      next.click();
      event.preventDefault();
    }
  }, true);
})();
