"""Order between a page and its sessions: which event came first, and which answer is the newest. Both in the browser.

Requests are sent side by side, and so are their answers. So every event that matters takes the page's next turn, which
`sessions` waits for; and every answer carries its revision, under the name of what it is a revision of. A page on which
an older answer landed after a newer one says so, and is told everything once more. Where answers tell of nothing but
their session, the page is given of an older one the revision alone, so that nothing old is painted.
"""

from __future__ import annotations

import json

_PREFIX = "palimpsest-revision"  # not what a prompt begins with
_READ = """
const isRevision = (value) => typeof value === 'string' && value.startsWith(MARK);
const read = (value) => (isRevision(value) ? Number(value.slice(MARK.length)) || 0 : 0);
"""
# Gradio hands an answer over to the page within the call that fetched it, so the one place before it is that call.
# Nothing else is looked into: answers that come in pieces are no JSON, and have no revision. Each watcher looks for
# marks of its own, and lets those of others pass.
_DROP = """
const SKIP = {__type__: 'update'};
let arrived = 0;
const ask = window.fetch;
window.fetch = async (...call) => {
  const answer = await ask.apply(window, call);
  if (!/\\/run\\/[^/]*$/.test(new URL(answer.url, location.href).pathname) || !answer.ok) return answer;
  const content = await answer.clone().json().catch(() => null);
  const mark = content && Array.isArray(content.data) ? content.data.find(isRevision) : undefined;
  if (mark === undefined) return answer;
  if (read(mark) >= arrived) {
    arrived = read(mark);
    return answer;
  }
  content.data = content.data.map((value) => (isRevision(value) ? value : SKIP));
  return new Response(JSON.stringify(content), {status: answer.status, headers: {'content-type': 'application/json'}});
};
"""
_WATCH = """
let newest = read(props.value);
watch('value', () => {
  const landed = read(props.value);
  newest = Math.max(newest, arrived);
  if (landed < newest) trigger('behind', {newest: newest});
  else newest = landed;
});
"""


def revision(name: str, number: int) -> str:
    """A revision as answers carry it. name: of what it is a revision of, as `watcher` is told."""
    return f"{_mark(name)}{number}"


def watcher(name: str, drops: bool = False) -> str:
    """The script of the hidden part that carries the revisions of one name.

    drops: whether answers that carry an older one tell of nothing else, and may be dropped whole.
    """
    return f"const MARK = {json.dumps(_mark(name))};" + _READ + (_DROP if drops else "const arrived = 0;") + _WATCH


def turn(*names: str) -> str:
    """The script of an event that takes turns. names: of the sessions, in the order of the event's first inputs, whose
    values the turns take the place of.
    """
    return f"""(...given) => {{
  const turns = window.palimpsestTurns ||= {{}};
  {json.dumps(names)}.forEach((name, place) => {{ given[place] = turns[name] = (turns[name] || 0) + 1; }});
  return given;
}}"""


def _mark(name: str) -> str:
    return f"{_PREFIX}:{name}:"
