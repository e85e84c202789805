"""Order between a page and its session: which event came first, and which answer is the newest. Both in the browser.

Requests are sent side by side, and so are their answers. So every event that matters takes the page's next turn, which
`sessions` waits for; and every answer carries its revision. Of an answer that arrives after a newer one the page is
given the revision alone, so that nothing old is painted; it then says so, and is told everything once more.
"""

from __future__ import annotations

# In place of the revision, the first input of every event that takes a turn.
TURN = """(revision, ...others) => {
  window.palimpsestTurn = (window.palimpsestTurn || 0) + 1;
  return [window.palimpsestTurn, ...others];
}"""
_MARK = "palimpsest-revision:"  # not what a prompt begins with


def told(revision: int) -> str:
    """A revision as answers carry it."""
    return f"{_MARK}{revision}"


# Gradio hands an answer over to the page within the call that fetched it, so the one place before it is that call.
# Nothing else is looked into: answers that come in pieces are no JSON, and have no revision.
WATCH = (
    f"const MARK = {_MARK!r};"
    + """
const SKIP = {__type__: 'update'};
const isRevision = (one) => typeof one === 'string' && one.startsWith(MARK);
const read = (one) => (isRevision(one) ? Number(one.slice(MARK.length)) || 0 : 0);

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

let newest = read(props.value);
watch('value', () => {
  const now = read(props.value);
  newest = Math.max(newest, arrived);
  if (now < newest) trigger('behind', {newest: newest});
  else newest = now;
});
"""
)
