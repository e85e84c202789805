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

  document.addEventListener('change', (event) => { // of the settings
    if (!event.target.matches('[data-theme-choice]')) return;
    if (event.target.value) localStorage.setItem(STORED, event.target.value);
    else localStorage.removeItem(STORED);
    paint();
  });

  // -- tabs ------------------------------------------------------------------------------------------------------------

  // What each tab declares (studio/ui/tabs): {id, primary, stop, keys, drop, wide}.
  const tabs = window.palimpsestTabs;
  const buttonOf = (tab) => document.getElementById(`tab-${tab.id}-button`);
  const shownTab = () => tabs.find((tab) => buttonOf(tab) && buttonOf(tab).getAttribute('aria-selected') === 'true');

  // The tab belongs in the address: a reload comes back to it, and Back goes to the tab before.
  const named = () => tabs.find((tab) => `#${tab.id}` === location.hash) || tabs[0];
  function go() {
    const button = buttonOf(named());
    if (button && button.getAttribute('aria-selected') !== 'true') button.click();
  }
  function arrived() {
    const tab = shownTab();
    if (!tab) return;
    if (tab !== named()) {
      const place = tab === tabs[0] ? location.pathname + location.search : `#${tab.id}`;
      history.pushState(null, '', place);
    }
    fold();
  }
  window.addEventListener('popstate', go);

  // -- the sidebar -----------------------------------------------------------------------------------------------------

  // It folds where the page is narrow, for the picture comes first, for a projector, and beside a tab that wants the
  // whole width; when that is over, it is as it was. Who opens it there by hand keeps it open.
  const narrow = window.matchMedia('(max-width: 1099px)');
  let reason = '', folded = false; // why it is to be folded, and whether it was we who folded it
  function fold() {
    const sidebar = document.getElementById('sidebar');
    const tab = shownTab();
    const isDemo = document.documentElement.classList.contains('demo');
    const now = `${narrow.matches || isDemo ? 'narrow' : ''}${tab && tab.wide ? ` ${tab.id}` : ''}`;
    if (!sidebar || now === reason) return;
    reason = now;
    const isOpen = sidebar.classList.contains('open');
    if (now ? isOpen : folded && !isOpen) sidebar.querySelector('.toggle-button').click();
    folded = now ? folded || isOpen : false;
  }
  narrow.addEventListener('change', fold);
  window.addEventListener('palimpsest-demo', fold);

  // Gradio puts tabs and sidebar on the page late, and opens the sidebar a while after it is there and before it listens
  // to its button: so this asks until both are as they are to be, and then never again.
  let tries = 0;
  const waiting = setInterval(() => {
    const sidebar = document.getElementById('sidebar'), strip = document.querySelector('#tabs > .tab-wrapper');
    if (!sidebar || !strip) return; // on a busy machine for a minute, which counts for nothing
    tries += 1;
    if (shownTab() && !strip.dataset.watched) {
      strip.dataset.watched = 'yes';
      go();
      new MutationObserver(arrived).observe(strip, { attributes: true, attributeFilter: ['aria-selected'], subtree: true });
    }
    const isDemo = document.documentElement.classList.contains('demo');
    if (sidebar.classList.contains('open') && (narrow.matches || isDemo || (shownTab() || {}).wide)) {
      reason = '';
      fold();
    } else if (strip.dataset.watched && tries > 5) clearInterval(waiting);
    if (tries > 40) clearInterval(waiting);
  }, 100);

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

  // What somebody has opened is open again where the part it is in is painted anew.
  const unfolded = new Set();
  document.addEventListener('click', ({ target }) => {
    const part = target.closest && target.closest('summary') && target.closest('details[data-keep]');
    if (part && part.open) unfolded.delete(part.dataset.keep); // before it closes, lest it be opened again
    else if (part) setTimeout(() => part.open && unfolded.add(part.dataset.keep)); // and after it has opened
  }, true);
  new MutationObserver(() => {
    if (!unfolded.size) return;
    for (const part of document.querySelectorAll('details[data-keep]:not([open])')) part.open = unfolded.has(part.dataset.keep);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['open'] });

  // Keys that are letters count only where nothing is being written or chosen.
  const WRITING = 'input:not([type="checkbox"], [type="radio"], [type="range"], [type="file"]), textarea, select, [contenteditable], [role="listbox"], [role="slider"]';
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

  // A file may be dropped anywhere on a tab that has a field for it, which it is handed to. Elsewhere, a dropped file would
  // replace the page.
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  for (const name of ['dragover', 'drop']) {
    document.addEventListener(name, (event) => {
      if (!carriesFiles(event) || event.target.closest('.drop')) return;
      event.preventDefault();
      const tab = shownTab();
      const field = tab && tab.drop && document.querySelector(`#${tab.drop} input[type="file"]`);
      if (name !== 'drop' || !field) return;
      field.files = event.dataTransfer.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    });
  }

  // Keys belong to the tab that is shown, and to none while a dialog lies over it: Delete there must not delete beneath.
  const stopsKeys = (event) => event.ctrlKey || event.metaKey || event.altKey || event.target.closest(WRITING);
  function shortcut(event, tab) {
    const target = tab.keys[event.key] && document.querySelector(tab.keys[event.key]);
    if (!target || target.disabled || target.offsetParent === null) return false;
    if (target.matches('input, textarea')) target.focus();
    else target.click();
    return true;
  }

  document.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]')) return;
    const tab = shownTab(), command = event.ctrlKey || event.metaKey;
    if (tab && command && event.key === '.') {
      if (tab.stop && press(tab.stop)) event.preventDefault();
      return;
    }
    if (tab && !stopsKeys(event) && shortcut(event, tab)) { event.preventDefault(); return; }
    if (tab && tab.primary && command && event.key === 'Enter') {
      const button = document.querySelector(tab.primary);
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
    const strip = event.target.closest && event.target.closest('[role="tab"]');
    if (strip && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      const all = [...strip.parentElement.querySelectorAll('[role="tab"]')].filter((t) => t.offsetParent !== null);
      const next = all[(all.indexOf(strip) + (event.key === 'ArrowRight' ? 1 : -1) + all.length) % all.length];
      next.focus();
      next.click();
      event.preventDefault();
    }
  }, true);
})();
