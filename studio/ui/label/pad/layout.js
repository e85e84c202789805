// What the pad is made of; what is written into it is in pad.js.
const LAYOUT = `
<p class="unseen" aria-live="polite" data-part="said"></p>
<section class="pad-screen" data-screen="start" aria-label="What to label, and who"></section>
<section class="pad-screen" data-screen="rest" aria-label="Rest" hidden></section>
<section class="pad-work" data-screen="work" data-own-keys aria-label="Labelling" hidden>
  <header class="pad-head">
    <div class="pad-ask">
      <p class="pad-campaign" data-part="campaign"></p>
      <h2 data-part="question"></h2>
    </div>
    <div class="pad-facts">
      <p><span data-part="place"></span><span class="badge" data-part="unsaved" hidden></span></p>
      <div class="pad-bar" role="progressbar" aria-label="Answered" aria-valuemin="0" aria-valuemax="1"><span></span></div>
      <p class="pad-pace" data-part="pace"></p>
      <p class="pad-taste" data-part="taste" hidden></p>
    </div>
  </header>
  <p class="pad-prompt" data-part="prompt" tabindex="0" role="group" aria-label="Prompt"></p>
  <div class="pad-stage" tabindex="-1"></div>
  <p class="pad-scale"><span data-part="scale"></span><span data-part="step"></span></p>
  <div class="pad-answers" role="group" aria-label="Answers"></div>
  <div class="pad-reveal" role="group" aria-label="What the pictures were" hidden></div>
  <div class="pad-note" hidden>
    <label>Comment on these pictures
      <textarea rows="2" maxlength="2000" placeholder="Goes with the next answer. Ctrl+Enter or Escape: back to the pictures"></textarea>
    </label>
  </div>
  <div class="pad-tools" role="group" aria-label="Tools"></div>
  <p class="message error pad-message" role="alert" data-part="message" hidden></p>
</section>
<dialog class="pad-dialog" data-dialog="help" aria-label="Keys"></dialog>
<dialog class="pad-dialog" data-dialog="guideline" aria-label="Guideline"></dialog>`;
const TOOLS = ['skip', 'undo', 'slight', 'flag', 'note', 'reveal', 'words', 'full', 'flicker', 'guideline', 'pause', 'help'];
const TOGGLES = ['slight', 'flag', 'words', 'full', 'note'];
const NOUNS = {pair: 'Pair', ranking: 'Set', best: 'Set', best_worst: 'Set', thumb: 'Picture', triage: 'Picture'};
const MODES = {
  pair: 'which of two', ranking: 'a ranking, two at a time', best: 'the best of several',
  best_worst: 'the best and the worst of several', thumb: 'good or bad', triage: 'keep or drop',
};

// A button of the pad: its word and its key.
function actionButton(action, keys, word = ACTIONS[action][0]) {
  const key = keys.of(action)[0];
  const button = el('button', {type: 'button', class: 'pad-button', 'data-action': action, title: HINTS[action] || word},
    el('span', {}, word), ...(key === undefined ? [] : [el('kbd', {'aria-hidden': 'true'}, keyName(key))]));
  if (key !== undefined) button.setAttribute('aria-keyshortcuts', key === ' ' ? 'Space' : key);
  return button;
}

// The list of keys, each with a button that takes another.
function drawKeys(dialog, keys, actions, taken, isBlurring) {
  const rows = actions.map((action) => el('tr', {},
    el('th', {scope: 'row'}, ACTIONS[action][0]),
    el('td', {}, ...keys.of(action).flatMap((key) => [el('kbd', {}, keyName(key)), ' '])),
    el('td', {class: 'pad-hint'}, HINTS[action] || ''),
    el('td', {}, el('button', {type: 'button', class: 'small', 'data-remap': action, 'aria-label': `Another key for ${ACTIONS[action][0]}`}, 'Change'))));
  dialog.replaceChildren(
    el('h3', {}, 'Keys'),
    el('p', {class: 'hint', 'data-part': 'remap', role: 'status'}, taken
      || 'They work while nothing is being typed. A finger: tap the better picture, or rest on one for both bad.'),
    el('table', {}, el('tbody', {}, ...rows)),
    el('label', {class: 'pad-tick'}, el('input', {type: 'checkbox', name: 'pad-blur', checked: isBlurring}),
      'Blur pictures that somebody flagged until they are asked for'),
    el('div', {class: 'pad-row'},
      el('button', {type: 'button', class: 'action', 'data-keys': 'reset'}, 'All keys as at first'),
      el('button', {type: 'button', class: 'action', 'data-close': ''}, 'Close')));
}
