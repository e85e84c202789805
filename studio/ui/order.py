"""Order between a page and its session: which event came first, and which answer is the newest. Both in the browser.

Requests are sent side by side, and so are their answers. So every event that matters takes the page's next turn, which
`sessions` waits for; and every answer carries its revision. A page on which an older answer landed after a newer one
says so, and is told everything once more.
"""

from __future__ import annotations

import json

# Of the hidden part that carries a revision.
WATCH = """
let newest = Number(props.value) || 0;
watch('value', () => {
  const now = Number(props.value) || 0;
  if (now < newest) trigger('behind', {newest: newest});
  else newest = now;
});
"""


def turn(*names: str) -> str:
    """The script of an event that takes turns. names: of the sessions, in the order of the event's first inputs, whose
    values the turns take the place of.
    """
    return f"""(...given) => {{
  const turns = window.palimpsestTurns ||= {{}};
  {json.dumps(names)}.forEach((name, place) => {{ given[place] = turns[name] = (turns[name] || 0) + 1; }});
  return given;
}}"""
