from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.core.errors import BadInput
from studio.ui import order
from studio.ui.sessions import count
from studio.ui.values import TEXT
from studio.ui.wiring import ANNOUNCE, Answer, Event, Wiring, listed


def laid_out(wire: Any) -> tuple[Wiring, list[Any]]:
    """A page of three parts, wired; its listeners."""

    async def build() -> tuple[Wiring, list[Any]]:
        with gr.Blocks() as demo:
            parts = {"box": gr.Textbox(), "stack": gr.BrowserState(), "stack_revision": gr.HTML(), "save": gr.Button()}
            wiring = Wiring(parts)
            wire(wiring)
        return wiring, list(demo.fns.values())

    return asyncio.run(build())


def test_a_handler_is_told_by_name_and_answers_by_name() -> None:
    events: list[Event] = []

    def save(event: Event) -> Answer:
        events.append(event)
        return {"box": event["box"].upper()}

    wiring, (listener, announced) = laid_out(
        lambda wiring: wiring.on(
            wiring.parts["save"].click,
            save,
            ("box",),
            ("save", "box"),
            turns=("stack",),
            mode="multiple",
            announces=True,
        )
    )
    assert [part for part in listener.inputs] == wiring.components(("stack_revision", "stack", "box"))
    request = gr.Request(session_hash="page")
    answer = listener.fn(request, gr.EventData(None, {"op": "x"}), 3, {"rows": []}, "written")
    assert answer[1] == "WRITTEN" and answer[0] != "WRITTEN" and answer[0] == gr.skip()  # what is not named stays
    (event,) = events
    assert (event.session, event["stack_revision"], event["stack"]) == ("page", 3, {"rows": []})
    assert event.read("op", TEXT) == "x"
    with pytest.raises(BadInput):
        event.read("gone", TEXT)
    assert listener.trigger_mode == "multiple" and not listener.queue and listener.api_visibility == "private"
    assert announced.js == ANNOUNCE
    (place,) = (
        listener.show_progress_on
    )  # Gradio notes it in one part that is not seen, not in all that may be answered
    assert isinstance(place, gr.State) and place not in wiring.parts.values()


def test_a_refusal_is_shown_and_an_answer_that_was_not_declared_is_a_mistake_of_ours() -> None:
    def refuse(event: Event) -> Answer:
        raise BadInput("Not <so>.", "Do otherwise.")

    _, (listener,) = laid_out(lambda wiring: wiring.on(wiring.parts["save"].click, refuse, (), ("box",)))
    with pytest.raises(gr.Error, match="Not &lt;so&gt;"):
        listener.fn(gr.Request(), gr.EventData(None, None))
    assert listed({}, ()) is None and listed({"a": 1}, ("a",)) == 1
    with pytest.raises(AssertionError, match="declared"):
        listed({"b": 1}, ("a",))


def test_drafts_are_kept_by_the_browser_alone() -> None:
    wiring, (keeping,) = laid_out(lambda wiring: wiring.keep(("box",), "stack"))
    assert keeping.fn is None and keeping.outputs == [wiring.parts["stack"]]
    assert node(f"console.log(JSON.stringify(({keeping.js})('typed')))") == {"box": "typed"}


# -- order, in the browser ------------------------------------------------------------------------------------------

# Two watchers of one page, and answers as they arrive: what is painted of each, and who says to be behind.
ARRIVING = """
const answers = ANSWERS, painted = [], behind = [];
const SKIP = JSON.stringify({__type__: 'update'});
globalThis.location = {href: 'http://page/'};
globalThis.window = {fetch: async () => {
  const answer = new Response(JSON.stringify({data: answers.shift()}), {status: 200});
  Object.defineProperty(answer, 'url', {value: 'http://page/gradio_api/run/predict'});
  return answer;
}};
const parts = {};
for (const [name, script] of Object.entries(SCRIPTS)) {
  const props = parts[name] = {value: MARKS[name], landed: () => {}};
  const watch = (_, callback) => { props.landed = callback; };
  const trigger = (what) => behind.push(name);
  new Function('props', 'watch', 'trigger', script)(props, watch, trigger);
}
(async () => {
  while (answers.length) {
    const {data} = await (await window.fetch('x')).json();
    painted.push(data.filter((value) => JSON.stringify(value) !== SKIP));
    for (const [name, mark] of Object.entries(MARKS)) {
      const landed = data.find((value) => typeof value === 'string' && value.startsWith(mark.slice(0, -1)));
      if (landed !== undefined) { parts[name].value = landed; parts[name].landed(); }
    }
  }
  console.log(JSON.stringify([painted, behind]));
})();
"""


def node(script: str) -> Any:
    """What a script prints, in the JavaScript that Playwright brings."""
    program = Path(str(pytest.importorskip("playwright").__file__)).parent / "driver" / "node"
    done = subprocess.run([program, "-e", script], capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)


def arriving(*answers: list[Any], drops: bool = True) -> tuple[list[list[Any]], list[str]]:
    names = ("board", "labels")
    script = ARRIVING.replace("ANSWERS", json.dumps(answers))
    script = script.replace("SCRIPTS", json.dumps({name: order.watcher(name, drops) for name in names}))
    painted, behind = node(script.replace("MARKS", json.dumps({name: order.revision(name, 0) for name in names})))
    return painted, behind


def test_of_an_older_answer_the_revision_alone_is_painted_and_the_page_says_that_it_is_behind() -> None:
    new, old = [order.revision("board", 5), "new"], [order.revision("board", 4), "old"]
    assert arriving(new, old) == ([new, old[:1]], ["board"])
    assert arriving(new, old, drops=False) == ([new, old], ["board"])
    assert arriving(["no revision", 7], new) == ([["no revision", 7], new], [])


def test_the_answers_of_two_watchers_on_one_page_are_no_concern_of_each_other() -> None:
    board, labels = [order.revision("board", 5), "rows"], [order.revision("labels", 1), "pairs"]
    older = [order.revision("labels", 0), "earlier pairs"]
    assert arriving(board, labels, board) == ([board, labels, board], [])
    assert arriving(labels, board, older) == ([labels, board, older[:1]], ["labels"])


def test_a_revision_is_no_turn() -> None:
    assert count(order.revision("stack", 3)) is None
