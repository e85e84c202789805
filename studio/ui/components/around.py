"""What is around a guidance method: wrappers with their controls, and what can be done to them.

Wrappers are the plain values of a recipe, [{"wrapper": ..., "params": {...}, "added": {...}}], the innermost first.
In the form of a recipe they are one control of our own whose value is their JSON, "" where there are none.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.core.params import load, shown
from studio.core.recipe import MAX_WRAPPERS, GuidanceSpec
from studio.ui import methods
from studio.ui.components import curve, fields, method_menu
from studio.ui.markup import tag, text
from studio.ui.methods import Method, declarations

Wrappers = list[dict[str, Any]]
MAX_TEXT = 2000

# For a host that says what `tell` does, and calls `written` whenever it has written the controls anew.
SCRIPT = fields.SCRIPT + curve.SCRIPT + "const written = () => { settle(); redraw(); };\n"

# As a control of its own. A parameter is changed here and now, for the picture may be asked for in the next moment;
# what changes the controls themselves goes through the server, one after the other.
_CONTROL = """
const start = element.innerHTML;
let shown = '', last = Promise.resolve();
const value = () => (typeof props.value === 'string' ? props.value : '');
const tell = (from, to) => {
  const {op, at, name} = from.dataset;
  last = last.then(() => apply(op, Number(at || 0), name || '', to)).catch((error) => console.warn(error));
};
function keep(now) {
  if (now === value()) return;
  shown = now;
  props.value = now;
  trigger('input');
}
async function apply(what, at, name, to) {
  if (what === 'wparam' || what === 'aparam') {
    const wrappers = JSON.parse(value());
    (what === 'aparam' ? wrappers[at].added : wrappers[at]).params[name] = to;
    keep(JSON.stringify(wrappers));
    return;
  }
  const answer = await server.around_changed([value(), what, at, name, to]);
  keep(answer.said);
  write(answer.html);
}
function write(html) {
  element.innerHTML = html;
  written();
}
async function show() {
  const now = value();
  if (now === shown) return;
  shown = now;
  const answer = now ? await server.around_drawn(now) : {said: '', html: start};
  if (shown !== now) return;
  keep(answer.said);
  write(answer.html);
}
"""
_BEGIN = """
watch('value', show);
show();
"""


# -- as HTML --------------------------------------------------------------------------------------------------------


def around_html(
    wrappers: Sequence[Mapping[str, Any]], row: int = 0, problem: str = "", offered: Sequence[fields.Entry] = ()
) -> str:
    """The controls. row: what they tell beside what was done. problem: a sentence to show below them. offered: the
    methods that a sum may add, all of them where it is left out.
    """
    offered = offered or method_menu.entries()
    inner = "".join(_wrapper(row, at, each, offered) for at, each in enumerate(wrappers))
    entries = [
        ("Put around it", ""),
        *((one.label.capitalize(), name) for name, one in declarations().wrappers.items()),
    ]
    title = "When guidance acts, how strongly, and what is done to its outcome"
    menu = fields.options(
        entries, "", data_op="wrap", data_row=str(row), data_once="1", class_="menu-like", aria_label="Put around it",
        title=title, disabled=len(wrappers) >= MAX_WRAPPERS,
    )  # fmt: skip
    told = "Around all of that" if wrappers else "Nothing around it"
    inner += tag("div", tag("span", told, class_="label") + menu, class_="param choice")
    if problem:
        inner += tag("p", text(problem), class_="hint wrong", role="alert")
    return tag("div", inner, class_="around")


def _wrapper(row: int, at: int, each: Mapping[str, Any], offered: Sequence[fields.Entry]) -> str:
    known = declarations().wrappers.get(str(each["wrapper"]))
    label = known.label if known else f"“{each['wrapper']}”"
    inner = tag("legend", text(label.capitalize()) + fields.button("unwrap", row, "×", f"Take the {label} away", at=at))
    if known is None:
        inner += tag("p", "This wrapper is not here any more.", class_="hint wrong")
    else:
        inner += _controls(known, each, row, at)
    if added := each.get("added"):
        inner += _added(added, row, at, offered)
    return tag("fieldset", inner, class_="wrapper")


def _controls(known: Method, each: Mapping[str, Any], row: int, at: int) -> str:
    made = fields.parameters(known.params, each["params"], "wparam", row, at)
    names = [spec.name for spec in known.params]
    if curve.NAME in names:  # the picture stands below the choice of the curve
        made.insert(names.index("curve") + 1, curve.curve_html("wparam", row, at))
    return "".join(made)


def _added(added: Mapping[str, Any], row: int, at: int, offered: Sequence[fields.Entry]) -> str:
    """The method that a sum adds; what is around that one is kept, but only a recipe can say it."""
    known = declarations().guidance
    name = str(added["method"])
    inner = fields.select("added", row, "Method added", offered, name, at)
    if name in known:
        inner += "".join(fields.parameters(known[name].params, added["params"], "aparam", row, at))
    return inner


# -- what can be done -----------------------------------------------------------------------------------------------


def change(
    wrappers: Sequence[Mapping[str, Any]], what: str, at: int = 0, name: str = "", value: Any = None
) -> Wrappers:
    """The same wrappers with one thing done to them. Raises BadInput for what cannot be done.

    wrap (value: a wrapper's name); unwrap (at: which wrapper); wparam (at, name, value); added (at, value: the method
    a sum adds); aparam (at, name, value: a parameter of that method). Ranges are checked when the recipe is loaded.
    """
    if what not in CHANGES:
        raise BadInput(f"There is nothing to do with a wrapper called {shown(what)}.")
    changed: Wrappers = copy.deepcopy([dict(one) for one in wrappers])
    if what != "wrap" and not 0 <= at < len(changed):
        raise BadInput("This wrapper is not there any more.")
    try:
        CHANGES[what](changed, at, name, value)
    except (KeyError, TypeError):
        raise BadInput("This part of the wrapper is not there any more.") from None
    return changed


def plain(value: Any) -> Any:
    """A value that a parameter may have. Raises BadInput for others."""
    if not isinstance(value, float | int | bool | str) or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise BadInput(f"A parameter is a number, a switch or a text, not {shown(value)}.")
    return value


def _wrap(wrappers: Wrappers, at: int, name: str, value: Any) -> None:
    found = methods.known(declarations().wrappers, str(value), "wrapper")
    if len(wrappers) >= MAX_WRAPPERS:
        raise BadInput(f"A method takes up to {MAX_WRAPPERS} wrappers.", "Take one away first.")
    made: dict[str, Any] = {"wrapper": value, "params": {one.name: one.default for one in found.params}}
    if value == "sum":
        made["added"] = methods.defaults("cfg")
    wrappers.append(made)


CHANGES: dict[str, Callable[[Wrappers, int, str, Any], Any]] = {
    "wrap": _wrap,
    "unwrap": lambda wrappers, at, name, value: wrappers.pop(at),
    "wparam": lambda wrappers, at, name, value: wrappers[at]["params"].__setitem__(name, plain(value)),
    "added": lambda wrappers, at, name, value: wrappers[at].__setitem__("added", methods.defaults(str(value))),
    "aparam": lambda wrappers, at, name, value: wrappers[at]["added"]["params"].__setitem__(name, plain(value)),
}


# -- as a control of a form -----------------------------------------------------------------------------------------


def control() -> gr.HTML:
    """The control. Its value is the JSON of the wrappers."""
    return gr.HTML(
        "", html_template=_alone([]), js_on_load=_CONTROL + SCRIPT + _BEGIN, apply_default_css=False,
        server_functions=[around_drawn, around_changed], elem_id="guidance-around",
    )  # fmt: skip


def read(said: Any) -> list[Any]:
    """The wrappers of the control's value. Raises BadInput if it is no list."""
    said = "" if said is None else said
    try:
        found = json.loads(said) if said.strip() else []
    except (AttributeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise BadInput(
            f"What is around the method must be a JSON list of wrappers, not {shown(said)}.", field="wrappers"
        )
    return cast("list[Any]", found)


def said(wrappers: Sequence[Mapping[str, Any]]) -> str:
    """The reverse of `read`."""
    return json.dumps(list(wrappers)) if wrappers else ""


def around_drawn(value: Any) -> dict[str, str]:
    """The controls for a value of the control as "html", and the value as "said": a draft may be of anything."""
    try:
        return {"said": value or "", "html": _alone(_checked(value))}
    except StudioError as error:
        return {"said": "", "html": _alone([], f"What was around the method could not be read. {error}")}


def around_changed(call: Any) -> dict[str, str]:
    """Do one thing: call is [value, what, at, name, value for it]. Gives the new value as "said", and its "html"."""
    wrappers: Wrappers = []
    try:
        value, what, at, name, to = call
        wrappers = _checked(value)
        changed = _checked(said(change(wrappers, str(what), int(at), str(name), to)))
    except (TypeError, ValueError, OverflowError):  # nothing that the controls send
        return {"said": said(wrappers), "html": _alone(wrappers)}
    except StudioError as error:
        return {"said": said(wrappers), "html": _alone(wrappers, str(error))}
    return {"said": said(changed), "html": _alone(changed)}


def _alone(wrappers: Sequence[Mapping[str, Any]], problem: str = "") -> str:
    return tag("div", around_html(wrappers, problem=problem), class_="guide alone")


def _checked(value: Any) -> Wrappers:
    spec = load(GuidanceSpec, {"wrappers": read(value)}, "guidance")
    return [each.model_dump(mode="json") for each in spec.wrappers]
