"""Order between a page and its session: which event came first, and which answer is the newest. Both in the browser.

Requests are sent side by side, and so are their answers. So every event that matters takes the page's next turn, which
`sessions` waits for; and every answer carries its revision. A page on which an older answer landed after a newer one
says so, and is told everything once more. Where answers tell of nothing but their session, the page is given of an
older one the revision alone, so that nothing old is painted.
"""

from __future__ import annotations

import json

_MARK = "palimpsest-revision:"  # not what a prompt begins with
_READ = f"const MARK = {_MARK!r};" + "const read = (one) => Number(String(one ?? '').replace(MARK, '')) || 0;"
# Gradio hands an answer over to the page within the call that fetched it, so the one place before it is that call.
# Nothing else is looked into: answers that come in pieces are no JSON, and have no revision.
_DROP = """
const SKIP = {__type__: 'update'};
const isRevision = (one) => typeof one === 'string' && one.startsWith(MARK);
let arrived = 0;
const ask = window.fetch;
window.fetch = async (...call) => {
  const answer = await ask.apply(window, call);
  if (!/\\/run\\/[^/]*$/.test(new URL(answer.url, location.href).pathname) || !answer.ok) return answer;
  const said = await answer.clone().json().catch(() => null);
  const found = said && Array.isArray(said.data) ? said.data.find(isRevision) : undefined;
  if (found === undefined) return answer;
  if (read(found) >= arrived) {
    arrived = read(found);
    return answer;
  }
  said.data = said.data.map((one) => (isRevision(one) ? one : SKIP));
  return new Response(JSON.stringify(said), {status: answer.status, headers: {'content-type': 'application/json'}});
};
"""
_WATCH = """
let newest = read(props.value);
watch('value', () => {
  const now = read(props.value);
  newest = Math.max(newest, arrived);
  if (now < newest) trigger('behind', {newest: newest});
  else newest = now;
});
"""
# Of the hidden part that carries a revision, `str` of it.
WATCH = f"{_READ} const arrived = 0; {_WATCH}"
# Of the one whose revisions are `droppable`.
WATCH_AND_DROP = f"{_READ} {_DROP} {_WATCH}"


def droppable(revision: int) -> str:
    """A revision as answers carry it that may be dropped whole where a newer one arrived before them."""
    return f"{_MARK}{revision}"


def turn(*names: str) -> str:
    """The script of an event that takes turns. names: of the sessions, in the order of the event's first inputs, whose
    values the turns take the place of.
    """
    return f"""(...given) => {{
  const turns = window.palimpsestTurns ||= {{}};
  {json.dumps(names)}.forEach((name, place) => {{ given[place] = turns[name] = (turns[name] || 0) + 1; }});
  return given;
}}"""
