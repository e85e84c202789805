// ?demo in the address: the page for a projector. A class on the page, by which demo.css dresses it; nothing else differs.
(() => {
  const NAME = 'demo';
  const isOn = () => new URLSearchParams(location.search).has(NAME);
  function show() {
    document.documentElement.classList.toggle(NAME, isOn());
    window.dispatchEvent(new Event('palimpsest-demo'));
  }
  // Of the settings. The address says it, so that a reload, and a bookmark, come out the same.
  document.addEventListener('change', ({ target }) => {
    if (!target.matches('[data-demo]')) return;
    const at = new URL(location.href);
    if (target.checked) at.searchParams.set(NAME, '');
    else at.searchParams.delete(NAME);
    history.replaceState(history.state, '', at.href.replace(/([?&]demo)=(?=&|#|$)/, '$1'));
    show();
  });
  window.addEventListener('popstate', show);
  show();
})();
