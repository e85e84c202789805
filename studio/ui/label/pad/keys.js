// What can be done on the pad, by which keys, and in which words. Each annotator may choose other keys.
const ACTIONS = {
  left: ['Left', ['ArrowLeft', 'a']],
  right: ['Right', ['ArrowRight', 'd']],
  both_good: ['Both good', ['ArrowUp', 'w']],
  tie: ['Equal', ['t', 'e']],
  both_bad: ['Both bad', ['ArrowDown', 's', 'b']],
  pick1: ['1', ['1']], pick2: ['2', ['2']], pick3: ['3', ['3']], pick4: ['4', ['4']], pick5: ['5', ['5']],
  pick6: ['6', ['6']], pick7: ['7', ['7']], pick8: ['8', ['8']], pick9: ['9', ['9']],
  good: ['Good', ['u', 'ArrowUp']],
  bad: ['Bad', ['j', 'ArrowDown']],
  drop: ['Drop', ['ArrowLeft', 'a']],
  keep: ['Keep', ['ArrowRight', 'd']],
  skip: ['Skip', [' ']],
  next: ['Next', ['Enter', ' ']],
  undo: ['Undo', ['z', 'Backspace']],
  slight: ['Slight', ['c']],
  flag: ['Flag', ['f']],
  note: ['Comment', ['n']],
  full: ['Full size', ['i']],
  flicker: ['Flicker', ['x']],
  nearer: ['Zoom in', ['+', '=']],
  farther: ['Zoom out', ['-']],
  whole: ['Whole picture', ['0']],
  reveal: ['Show', ['r']],
  words: ['Words', ['k']],
  guideline: ['Guideline', ['g']],
  pause: ['Pause', ['p']],
  help: ['Keys', ['?']],
};
const HINTS = {
  left: 'the left picture is better', right: 'the right picture is better', both_good: 'both are good, and equally so',
  tie: 'neither is better', both_bad: 'both are bad, and equally so', good: 'the picture is good', bad: 'the picture is bad',
  keep: 'the picture stays', drop: 'the picture goes', skip: 'no answer, without a reason; undo brings it back',
  next: 'goes on, once it was told what the pictures were',
  undo: 'takes back the last answer, as often as you like', slight: 'the next answer is a slight preference and counts half',
  flag: 'somebody should look at these pictures', note: 'a comment to go with the answer', full: 'over the whole window',
  flicker: 'while held, the two change places', nearer: 'the same part of every picture', farther: '', whole: '',
  reveal: 'shows a picture that is blurred', words: 'marks the words of the prompt that say what is to be seen', guideline: 'what to look for', pause: 'stop here; go on whenever you like',
  help: 'this list',
};
const ANSWERS = {
  pair: ['left', 'both_good', 'tie', 'both_bad', 'right'],
  ranking: ['left', 'tie', 'right'],
  best: [], best_worst: [],
  thumb: ['bad', 'good'],
  triage: ['drop', 'keep'],
};
const answersOf = (mode, count) => (ANSWERS[mode].length ? ANSWERS[mode]
  : Array.from({length: count}, (_, k) => `pick${k + 1}`));
const KEY_NAMES = {
  ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', ' ': 'Space', Backspace: '⌫', Enter: 'Enter', Delete: 'Del',
};
const keyName = (key) => KEY_NAMES[key] || (key.length === 1 ? key.toUpperCase() : key);
// On a keyboard of another script, letters count by their place.
function keyOf(event) {
  const {key, code} = event;
  if (key.length !== 1) return key;
  if (key.codePointAt(0) > 127 && /^(Key[A-Z]|Digit\d)$/.test(code)) return code.at(-1).toLowerCase();
  return key.toLowerCase();
}

class Keys {
  // changed: action -> keys, where they are others than at first. save: called with all of them.
  constructor(changed, save) {
    Object.assign(this, {changed: {}, save});
    for (const [action, keys] of Object.entries(changed || {})) {
      if (ACTIONS[action]) this.changed[action] = keys.split(' ').filter(Boolean).map((key) => (key === 'Space' ? ' ' : key));
    }
  }
  // As they are kept: the names of an action's keys with spaces between.
  get kept() {
    const names = (keys) => keys.map((key) => (key === ' ' ? 'Space' : key)).join(' ');
    return Object.fromEntries(Object.entries(this.changed).map(([action, keys]) => [action, names(keys)]));
  }
  of(action) { return this.changed[action] || ACTIONS[action][1]; }
  // Among those that can be done now: the same key means one thing of a pair, another of a single picture.
  action(key, possible) { return possible.find((action) => this.of(action).includes(key)); }
  // Another key in the place of an action's first. Gives the action that it is taken from, of the same screen.
  put(action, key, possible) {
    const other = possible.find((name) => name !== action && this.of(name).includes(key));
    if (other) this.changed[other] = this.of(other).filter((taken) => taken !== key);
    this.changed[action] = [key, ...this.of(action).slice(1).filter((taken) => taken !== key)];
    this.save(this.kept);
    return other;
  }
  reset() {
    this.changed = {};
    this.save(this.kept);
  }
}
