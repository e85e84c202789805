"""What is to be balanced, as it is typed: a concept, its attributes with their parts, and how it is looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, ParamSpec, load, shown, specs
from studio.training.balance.plan import MAX_ATTRIBUTES, LookOptions
from studio.training.erase.concept import MAX_WORDS_CHARS, WORLD
from studio.ui.components import fields
from studio.ui.components.rows import Row, Rows
from studio.ui.markup import attributes, tag, text

MAX_CHARS = 1000  # of what stands in a field; of which a plan takes fewer, and says so
# One event for everything: {op, row, name, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{
  op: from.dataset.op, row: Number(from.dataset.row) || 0, name: from.dataset.name || '', value: value,
}});
{fields.SCRIPT}
element.addEventListener('click', (event) => {{
  const button = event.target.closest('[data-reset]');
  const control = button && button.closest('.param').querySelector('[data-op]');
  if (control) trigger('op', {{op: 'reset', row: 0, name: control.dataset.name, value: null}});
}});
const shown = () => {{
  settle();
  for (const button of all('[data-reset]')) {{
    button.hidden = !button.closest('.param').querySelector('[data-op]').dataset.at;
  }}
}};
watch('value', shown);
shown();
"""
SET = "set"  # where a control stands for what was set, and not for what is usual
WORDS = {
    "rounds": ("Rounds, at most", "Each draws pictures, reads them, and adds half of what an attribute lacks."),
    "pictures": ("Pictures of a round", "Few are quick, and steer by chance."),
    "checked": ("Pictures of the check", "At the end, with the edit and without, of prompts and seeds no round had."),
    "steps": ("Steps of a picture", "Few draw coarsely, many take longer."),
    "tolerance": ("Near enough", "It ends where no share is farther from what is wanted: 0.1 is 10 percentage points."),
}


class Share(Params):
    """An attribute as it is typed: none of it is checked.

    words: a colour or a style.
    parts: of the mixture.
    """

    words: str = Field(default="", max_length=MAX_CHARS)
    parts: float = 1.0


@dataclass(frozen=True)
class Wishes:
    """What is wanted.

    concept: an object, by its words.
    shares: its attributes.
    options: how it is looked (studio.training.balance.plan.LookOptions), those that were set.
    """

    concept: str = "heart"
    shares: Rows[Share] = field(
        default_factory=lambda: Rows.of([Share(words="red"), Share(words="blue")], MAX_ATTRIBUTES)
    )
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read(value: Any) -> Wishes:
    """Those of a browser's copy; None gives what a first visitor finds. Raises ValueError, BadInput and the like for
    what cannot be wishes.
    """
    if value is None:
        return Wishes()
    items = tuple(Row(int(row["id"]), load(Share, row["share"], "share")) for row in value["shares"])
    ids = [row.id for row in items]
    if not 0 < len(items) <= MAX_ATTRIBUTES or len(set(ids)) < len(ids) or min(ids) < 1:
        raise ValueError("these are no attributes")
    options = dict(value["options"])
    load(LookOptions, options, "balance")
    shares = Rows(items, ids[0], max(ids) + 1, MAX_ATTRIBUTES)
    return Wishes(str(value["concept"])[:MAX_CHARS], shares, options)


def plain(wishes: Wishes) -> dict[str, Any]:
    """The reverse of `read`."""
    return {
        "concept": wishes.concept,
        "shares": [{"id": row.id, "share": row.value.model_dump(mode="json")} for row in wishes.shares],
        "options": dict(wishes.options),
    }


def change(wishes: Wishes, op: str, row: int, name: str, value: Any) -> Wishes:
    """Do one thing to them. Raises BadInput for what cannot be done.

    op: concept (value: its words); add, remove; words, parts (of a row); option, reset (of `name`).
    """
    match op:
        case "concept":
            return replace(wishes, concept=_tidy(value))
        case "add":
            return replace(wishes, shares=wishes.shares.add(Share()))
        case "remove":
            return replace(wishes, shares=wishes.shares.remove(row))
        case "words" | "parts":
            values = {**wishes.shares[row].model_dump(), op: _tidy(value) if op == "words" else value}
            return replace(wishes, shares=wishes.shares.put(row, load(Share, values, "share")))
        case "option" | "reset":
            options = {key: option for key, option in wishes.options.items() if key != name}
            options |= {name: value} if op == "option" else {}
            load(LookOptions, options, "balance")
            return replace(wishes, options=options)
        case _:
            raise BadInput(f"There is nothing to do with a balance called {shown(op)}.")


def _tidy(value: Any) -> str:
    return " ".join(value.split())[:MAX_CHARS] if isinstance(value, str) else ""


# -- on the page ----------------------------------------------------------------------------------------------------


def form_html(wishes: Wishes, wrong_concept: str, wrong_rows: Mapping[int, str]) -> str:
    """All of it. wrong_concept, wrong_rows (row -> a sentence): what is wrong, "" and nothing where nothing is."""
    lists = _list("balance-objects", "object") + _list("balance-attributes", "colour", "style")
    concept = _field("concept", 0, wishes.concept, "balance-objects", "Pictures of")
    label = tag("label", tag("span", "Pictures of", class_="label") + concept, class_="param text")
    head = tag(
        "p", tag("span", "show") + tag("span", "parts") + tag("span", "share"), class_="share-heads", aria_hidden="true"
    )
    rows = "".join(_share(wishes, row, wrong_rows.get(row.id, "")) for row in wishes.shares)
    adder = tag(
        "button",
        "Add an attribute",
        type="button",
        class_="menu-like",
        data_op="add",
        disabled=wishes.shares.is_full,
        title="A further colour or style, with its part of the mixture",
    )
    body = label + _wrong(wrong_concept) + head + tag("ol", rows, class_="wanted-shares") + adder
    return lists + tag("div", body, class_="guide alone balance-form") + _options(wishes.options)


def _share(wishes: Wishes, row: Row[Share], wrong: str) -> str:
    name = row.value.words or "this attribute"
    number = {
        "type": "number",
        "value": f"{row.value.parts:g}",
        "min": "0",
        "step": "any",
        "aria_label": f"Parts of {name}",
        "data_op": "parts",
        "data_row": str(row.id),
    }
    place = [sibling.id for sibling in wishes.shares].index(row.id) + 1
    parts = [sibling.value.parts for sibling in wishes.shares]
    share = f"{row.value.parts / sum(parts):.0%}" if min(parts) > 0 else "–"
    inner = (
        _field("words", row.id, row.value.words, "balance-attributes", f"Attribute {place}")
        + f"<input{attributes(number)}>"
        + tag("span", share, class_="wanted")
        + tag(
            "button",
            "×",
            type="button",
            class_="remove",
            data_op="remove",
            data_row=str(row.id),
            title=f"Remove {name}",
            aria_label=f"Remove {name}",
            disabled=len(wishes.shares) <= 1,
        )
    )
    return tag("li", inner + _wrong(wrong))


def _field(op: str, row: int, value: str, list_id: str, label: str) -> str:
    about = {
        "type": "text",
        "value": value,
        "list": list_id,
        "maxlength": MAX_WORDS_CHARS,
        "aria_label": label,
        "autocomplete": "off",
        "data_op": op,
        "data_row": str(row),
    }
    return f"<input{attributes(about)}>"


def _list(id: str, *kinds: str) -> str:
    words = (entry.usual for kind in kinds for entry in WORLD[kind].values())  # type: ignore[index]
    return tag("datalist", "".join(f"<option{attributes({'value': word})}>" for word in words), id=id)


def _wrong(sentence: str) -> str:
    return tag("p", text(sentence), class_="formula wrong", role="status") if sentence else ""


def _options(options: Mapping[str, Any]) -> str:
    declared = {spec.name: spec for spec in specs(LookOptions)}
    controls = "".join(
        fields.control(
            _spec(declared[name]),
            options.get(name, declared[name].default),
            "option",
            0,
            SET if name in options else "",
            explained=True,
        )
        for name in WORDS
    )
    inner = tag("summary", "How it is steered") + tag("div", controls, class_="method-controls")
    return tag("details", inner, class_="guide alone training", data_keep="balance-looks")


def _spec(spec: ParamSpec) -> ParamSpec:
    label, help = WORDS[spec.name]
    if spec.name == "tolerance":
        return replace(spec, label=label, help=help, low=0.01, high=0.5, step=0.01)
    return replace(spec, label=label, help=help, high=min(float(spec.high or 0), 200))
