"""What is around a guidance method: wrappers with their controls, and what can be done to them.

Wrappers are the plain values of a recipe, [{"wrapper": ..., "params": {...}, "added": {...}}], the innermost first.
What a sum adds is a method with wrappers of its own, so one is found by a path: "1" is the second around the method of
the recipe, "1.0" the first around the method which that one adds, "1." the place for a further one around it.

In the form of a recipe they are one control of our own whose value is their JSON, "" where there are none. It is told
of the method that they are around.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.core.params import ParamSpec, load, nameable, shown
from studio.core.recipe import MAX_WRAPPERS, GuidanceSpec
from studio.ui import methods
from studio.ui.components import curve, fields, method_menu
from studio.ui.markup import tag, text
from studio.ui.methods import Method, declarations

Wrappers = list[dict[str, Any]]
MAX_TEXT = 2000
SUM = "sum"

# For a host that says what `tell` does, and calls `written` whenever it has written the controls anew.
SCRIPT = fields.SCRIPT + curve.SCRIPT + "const written = () => { settle(); redraw(); };\n"

# As a control of its own. A parameter is changed here and now, for the picture may be asked for in the next moment;
# what changes the controls themselves goes through the server, one after the other.
_CONTROL = """
const start = element.innerHTML;
const method = () => (window.palimpsestChosen || {}).method || element.querySelector('[data-method]').dataset.method;
let shown = '', around = method(), last = Promise.resolve();
const value = () => (typeof props.value === 'string' ? props.value : '');
const tell = (from, to) => {
  const {op, at, name} = from.dataset;
  last = last.then(() => apply(op, at || '', name || '', to)).catch((error) => console.warn(error));
};
function keep(now) {
  if (now === value()) return;
  shown = now;
  props.value = now;
  trigger('input');
}
async function apply(op, at, name, to) {
  if (op === 'wparam' || op === 'aparam') {
    const whole = JSON.parse(value()), path = at.split('.'), place = path.pop();
    const wrapper = path.reduce((wrappers, outer) => wrappers[outer].added.wrappers, whole)[place];
    (op === 'aparam' ? wrapper.added : wrapper).params[name] = to;
    keep(JSON.stringify(whole));
    return;
  }
  const answer = await server.around_changed([value(), op, at, name, to, method()]);
  keep(answer.value);
  write(answer.html);
}
function write(html) {
  element.innerHTML = html;
  written();
}
async function show() {
  const now = value(), name = method();
  if (now === shown && name === around) return;
  [shown, around] = [now, name];
  const answer = now ? await server.around_drawn([now, name]) : {value: '', html: start};
  if (shown !== now || around !== name) return;
  keep(answer.value);
  write(answer.html);
}
"""
_BEGIN = """
watch('value', show);
window.addEventListener('palimpsest-chosen', show);
show();
"""


# -- as HTML --------------------------------------------------------------------------------------------------------


def around_html(
    wrappers: Sequence[Mapping[str, Any]],
    method: str,
    row: int = 0,
    problem: str = "",
    offered: Sequence[fields.Entry] = (),
    path: str = "",
) -> str:
    """The controls. method: the name of what the wrappers are around. row: what they tell beside what was done.
    problem: a sentence to show below them. offered: the methods that a sum may add, all of them where it is left out.
    path: of the place around the method.
    """
    offered = offered or method_menu.entries()
    inner = "".join(_wrapper(row, f"{path}{k}", wrapper, method, offered) for k, wrapper in enumerate(wrappers))
    entries = [
        ("Add a modifier", ""),
        *(
            (entry.label.capitalize(), name)
            for name, entry in declarations().wrappers.items()
            if not path or name != SUM
        ),
    ]
    title = "Limits guidance to some steps, changes its strength over the steps, or rescales and clips its result"
    menu = fields.options(
        entries,
        "",
        data_op="wrap",
        data_row=str(row),
        data_at=path,
        data_once="1",
        class_="menu-like",
        aria_label="Add a modifier to the added method" if path else "Add a modifier",
        title=title,
        disabled=len(wrappers) >= MAX_WRAPPERS,
    )
    caption = "Of the added method" if path else "Further modifiers" if wrappers else "No modifiers"
    inner += tag("div", tag("span", caption, class_="label") + menu, class_="param choice")
    if problem:
        inner += tag("p", text(problem), class_="hint wrong", role="alert")
    return tag("div", inner, class_="around")


def _wrapper(row: int, at: str, wrapper: Mapping[str, Any], method: str, offered: Sequence[fields.Entry]) -> str:
    entry = declarations().wrappers.get(str(wrapper["wrapper"]))
    label = entry.label if entry else f"“{wrapper['wrapper']}”"
    inner = tag("legend", text(label.capitalize()) + fields.button("unwrap", row, "×", f"Take the {label} away", at=at))
    if entry is None:
        inner += tag("p", "This modifier is not there any more.", class_="hint wrong")
    else:
        inner += _controls(entry, wrapper, method, row, at)
    if added := wrapper.get("added"):
        inner += _added(added, row, at, offered)
    return tag("fieldset", inner, class_="wrapper")


def _controls(entry: Method, wrapper: Mapping[str, Any], method: str, row: int, at: str) -> str:
    controls = fields.parameters(entry.params, wrapper["params"], "wparam", row, at, inside=_params(method))
    names = [spec.name for spec in entry.params]
    if curve.NAME in names:  # the picture stands below the choice of the curve
        controls.insert(names.index("curve") + 1, curve.curve_html("wparam", row, at))
    return "".join(controls)


def _added(added: Mapping[str, Any], row: int, at: str, offered: Sequence[fields.Entry]) -> str:
    """The method that a sum adds, and what is around that one."""
    name = str(added["method"])
    inner = fields.select("added", row, "Method added", offered, name, at)
    inner += "".join(fields.parameters(_params(name), added["params"], "aparam", row, at))
    return inner + around_html(added.get("wrappers", ()), name, row, offered=offered, path=f"{at}.")


def _params(method: str) -> tuple[ParamSpec, ...]:
    entry = declarations().guidance.get(method)
    return entry.params if entry else ()


# -- what can be done -----------------------------------------------------------------------------------------------


def change(
    wrappers: Sequence[Mapping[str, Any]],
    op: str,
    at: str = "",
    name: str = "",
    value: Any = None,
    method: str = "cfg",
) -> Wrappers:
    """The same wrappers with one thing done to them. Raises BadInput for what cannot be done.

    wrap (at: a place, value: a wrapper's name); unwrap (at: which wrapper); wparam (at, name, value); added (at, value:
    the method a sum adds); aparam (at, name, value: a parameter of that method). method: what they are around. Ranges
    are checked when the recipe is loaded.
    """
    if op not in CHANGES:
        raise BadInput(f"There is nothing to do with a modifier called {shown(op)}.")
    changed: Wrappers = copy.deepcopy([dict(wrapper) for wrapper in wrappers])
    *outer, last = at.split(".")
    try:
        among = changed
        for place in outer:
            added = among[_place(among, place)]["added"]
            among, method = added.setdefault("wrappers", []), str(added["method"])
        if op == "wrap":
            _wrap(among, value, method, alone=not outer)
        else:
            _TO_ONE[op](among, _place(among, last), name, value)
    except (KeyError, TypeError):
        raise BadInput("This part of the modifier is not there any more.") from None
    return changed


def plain(value: Any) -> Any:
    """A value that a parameter may have. Raises BadInput for others."""
    if not isinstance(value, float | int | bool | str) or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise BadInput(f"A parameter is a number, a switch or a text, not {shown(value)}.")
    return value


def _place(wrappers: Wrappers, place: str) -> int:
    if not place.isascii() or not place.isdecimal() or len(place) > 3 or int(place) >= len(wrappers):
        raise BadInput("This modifier is not there any more.")
    return int(place)


def _wrap(wrappers: Wrappers, value: Any, method: str, alone: bool) -> None:
    """alone: the method around which it goes is not added to another."""
    entry = methods.known(declarations().wrappers, str(value), "wrapper")
    if len(wrappers) >= MAX_WRAPPERS:
        raise BadInput(f"A method takes up to {MAX_WRAPPERS} modifiers.", "Take one away first.")
    if value == SUM and not alone:
        raise BadInput("A guidance method that is added cannot add another itself; add both to the first.")
    wrapper: dict[str, Any] = {"wrapper": value, "params": {spec.name: _first(spec, method) for spec in entry.params}}
    if value == SUM:
        wrapper["added"] = methods.defaults("cfg")
    wrappers.append(wrapper)


def _first(spec: ParamSpec, method: str) -> Any:
    """What a parameter is to begin with: its default, or where that names nothing of the method, its first scale."""
    nameable_names = [candidate.name for candidate in nameable(spec, _params(method))]
    if not nameable_names or spec.default in nameable_names:
        return spec.default
    return next((name for name in nameable_names if name.endswith("scale")), nameable_names[0])


def _add(wrappers: Wrappers, at: int, name: str, value: Any) -> None:
    """Another method in a sum; what is around it stays, as around the method of a row."""
    inner = wrappers[at].get("added", {}).get("wrappers", [])
    wrappers[at]["added"] = methods.defaults(str(value)) | ({"wrappers": inner} if inner else {})


_TO_ONE: dict[str, Callable[[Wrappers, int, str, Any], Any]] = {
    "unwrap": lambda wrappers, at, name, value: wrappers.pop(at),
    "wparam": lambda wrappers, at, name, value: wrappers[at]["params"].__setitem__(name, plain(value)),
    "added": _add,
    "aparam": lambda wrappers, at, name, value: wrappers[at]["added"]["params"].__setitem__(name, plain(value)),
}
CHANGES = ("wrap", *_TO_ONE)


# -- as a control of a form -----------------------------------------------------------------------------------------


def control(method: str) -> gr.HTML:
    """The control. Its value is the JSON of the wrappers. method: what they are around, until the menu of a `Choice`
    among methods tells another.
    """
    return gr.HTML(
        "",
        html_template=_alone([], method),
        js_on_load=_CONTROL + SCRIPT + _BEGIN,
        apply_default_css=False,
        server_functions=[around_drawn, around_changed],
        elem_id="guidance-around",
    )


def read(value: Any) -> list[Any]:
    """The wrappers of the control's value. Raises BadInput if it is no list."""
    value = "" if value is None else value
    try:
        wrappers = json.loads(value) if value.strip() else []
    except (AttributeError, ValueError, RecursionError):
        wrappers = None
    if not isinstance(wrappers, list):
        raise BadInput(f"The modifiers must be a JSON list, not {shown(value)}.", field="wrappers")
    return cast("list[Any]", wrappers)


def to_json(wrappers: Sequence[Mapping[str, Any]]) -> str:
    """The reverse of `read`."""
    return json.dumps(list(wrappers)) if wrappers else ""


def around_drawn(call: Any) -> dict[str, str]:
    """Draw the controls: call is [value, method]. Gives them as "html", and the value as "value": a draft may be of
    anything.
    """
    try:
        value, method = call
    except (TypeError, ValueError):  # nothing that the controls send
        value, method = None, ""
    try:
        return {"value": value or "", "html": _alone(_checked(value), str(method))}
    except StudioError as error:
        return {"value": "", "html": _alone([], str(method), f"The modifiers could not be read. {error}")}


def around_changed(call: Any) -> dict[str, str]:
    """Do one thing: call is [value, op, at, name, value for it, method]. Gives the new value as "value", and its
    "html".
    """
    wrappers: Wrappers = []
    method = ""
    try:
        value, op, at, name, to, method = call
        method = str(method)
        wrappers = _checked(value)
        changed = _checked(to_json(change(wrappers, str(op), str(at), str(name), to, method)))
    except (TypeError, ValueError, OverflowError):  # nothing that the controls send
        return {"value": to_json(wrappers), "html": _alone(wrappers, str(method))}
    except StudioError as error:
        return {"value": to_json(wrappers), "html": _alone(wrappers, method, str(error))}
    return {"value": to_json(changed), "html": _alone(changed, method)}


def _alone(wrappers: Sequence[Mapping[str, Any]], method: str, problem: str = "") -> str:
    return tag("div", around_html(wrappers, method, problem=problem), class_="guide alone", data_method=method)


def _checked(value: Any) -> Wrappers:
    spec = load(GuidanceSpec, {"wrappers": read(value)}, "guidance")
    return [wrapper.model_dump(mode="json") for wrapper in spec.wrappers]
