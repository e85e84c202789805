"""Order between a page and its session: which event came first, and which answer is the newest. Both in the browser.

Requests are sent side by side, and so are their answers. So every event that matters takes the page's next turn, which
`sessions` waits for; and every answer carries its revision. A page on which an older answer landed after a newer one
says so, and is told everything once more.
"""

from __future__ import annotations

# In place of the revision, the first input of every event that takes a turn.
TURN = """(revision, ...others) => {
  window.palimpsestTurn = (window.palimpsestTurn || 0) + 1;
  return [window.palimpsestTurn, ...others];
}"""
WATCH = """
let newest = Number(props.value) || 0;
watch('value', () => {
  const now = Number(props.value) || 0;
  if (now < newest) trigger('behind', {newest: newest});
  else newest = now;
});
"""
