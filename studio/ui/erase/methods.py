"""The choice of a method: a card for each in plain words, and how the chosen one trains, where it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from studio.core.params import ParamSpec, specs
from studio.training.erase.concept import ConceptKind
from studio.training.erase.method import Method
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import INSTANT, TrainingOptions
from studio.ui.components import fields
from studio.ui.markup import tag, text

# One event for everything: {op, name, value}.
SCRIPT = f"""
const tell = (from, value) => trigger('op', {{op: from.dataset.op, name: from.dataset.name || '', value: value}});
{fields.SCRIPT}
element.addEventListener('change', (event) => {{
  if (event.target.type === 'radio') trigger('op', {{op: 'method', name: '', value: event.target.value}});
}}, true);
element.addEventListener('click', (event) => {{
  const button = event.target.closest('[data-reset]');
  const field = button && button.closest('.param').querySelector('[data-op]');
  if (field) trigger('op', {{op: 'reset', name: field.dataset.name, value: null}});
}});
const marks = () => {{
  for (const button of all('[data-reset]')) {{
    button.hidden = !button.closest('.param').querySelector('[data-op]').dataset.at;
  }}
}};
const shown = () => {{
  settle();
  marks();
  for (const radio of all('[type=radio]')) radio.checked = radio.hasAttribute('checked');
}};
watch('value', shown);
shown();
"""
SET = "set"  # where a control stands for what was set, and not for what the method has
# What the options are called, and what they say, in this order; those of one method alone after them.
WORDS = {
    "steps": ("Steps", "Of the training. Too few leave blends of both."),
    "rank": ("Rank", "Of the low-rank factors that learn."),
    "layers": ("Layers that learn", "The prompt comes in by cross-attention."),
    "source": ("Learns from", "Noisy pictures: its own, drawn anew as it learns, or the base's, drawn once."),
    "retention": ("What stays is held by", "Other prompts are to be predicted as the base predicts them."),
    "early_stopping": (
        "Stops early",
        "Once the substitute is drawn as often as the base draws it, twice in a row. Needs a model whose pictures can "
        "be read, and a substitute.",
    ),
    "budget": ("Drift allowed", "In nats per picture."),
    "towards": ("Guidance of the concept goes", "To the substitute's, to none, or away from the concept."),
    "eta": ("Eta", "Strength of the negative guidance; of a slider, how far it goes."),
    "mu": ("Mu", "Weight of the drift without a prompt."),
    "kappa": ("Kappa", "Weight of the anchors."),
    "anchors": ("Anchors", "Drawn for each picture of a step; each takes as long as the picture."),
    "carrier": ("Stays when the concept goes", "“man” for the concept “man with a hat”; empty: nothing is said."),
}
FIRST = (INSTANT, "ca", "abo")  # in view; the others a click away
COMMON = ("steps", "rank", "layers", "source", "retention", "budget")
OWN = {
    "ca": ("early_stopping",),
    "abo": ("early_stopping", "towards", "eta", "mu"),
    "esd": ("eta", "carrier"),
    "slider": ("eta",),
    "spm": ("eta", "kappa", "anchors"),
}


def methods_html(
    chosen: str, options: Mapping[str, Any], steps: int, kinds: Sequence[ConceptKind], times: Mapping[str, str]
) -> str:
    """All of it.

    steps: of the training, where the chosen method trains.
    kinds: of the concepts, as far as they are known.
    times: method -> what it would take, in a few words.
    """
    cards = {name: _card(name, method, chosen, kinds, times) for name, method in entries()}
    rest = [name for name in cards if name not in FIRST]
    titles = ", ".join(METHODS.get(name).title for name in rest)
    more_methods = tag(
        "details",
        tag("summary", text(f"More: {titles}")) + "".join(cards[name] for name in rest),
        class_="more-methods",
        data_keep="more-methods",
        open=chosen in rest,
    )
    first = "".join(card for name, card in cards.items() if name in FIRST)
    group = tag("div", first + more_methods, class_="methods", role="radiogroup", aria_label="Method")
    method = METHODS.get(chosen) if chosen in METHODS.names() else None
    settings = _settings(chosen, options, steps) if method and method.learning else ""
    return tag("p", "Method", class_="methods-title") + group + settings


def entries() -> list[tuple[str, Method]]:
    """(name, method), those of FIRST in their order, the others behind them, baselines last."""

    def place(entry: tuple[str, Method]) -> tuple[int, bool]:
        name, method = entry
        return FIRST.index(name) if name in FIRST else len(FIRST), bool(method.caveat)

    return sorted(METHODS.items(), key=place)


def refusal(method: Method, kinds: Sequence[ConceptKind]) -> str:
    """Why a method is not offered for concepts of these kinds, a sentence; "" if it is."""
    return next((method.refused[kind] for kind in kinds if kind in method.refused), "")


def _card(name: str, method: Method, chosen: str, kinds: Sequence[ConceptKind], times: Mapping[str, str]) -> str:
    reason = refusal(method, kinds)
    kind = next((kind for kind in kinds if kind in method.refused), "")
    radio = fields.attributes(
        {
            "type": "radio",
            "name": "erase-method",
            "value": name,
            "checked": name == chosen,
            "disabled": bool(reason) and name != chosen,
        }
    )
    head = tag("b", text(method.title)) + tag("span", text(method.name), class_="field-name")
    time = tag("span", text(times.get(name, "")), class_="time")
    lines = tag("span", text(method.about), class_="about", title=method.about)
    if reason:
        lines += tag("span", text(f"Not for a {kind}: {reason}"), class_="about wrong")
    elif method.caveat:
        lines += tag("span", text(method.caveat), class_="about caveat")
    inner = f"<input{radio}>" + tag("span", head + time, class_="head") + lines
    style = "method" + " chosen" * (name == chosen) + " refused" * bool(reason)
    return tag("label", inner, class_=style)


def _settings(name: str, options: Mapping[str, Any], steps: int) -> str:
    """The options of a training, folded away."""
    declared = {spec.name: spec for spec in specs(TrainingOptions)}
    if (learning := METHODS.get(name).learning) is not None:
        declared["rank"] = replace(declared["rank"], default=learning.rank)
    names = [*COMMON, *OWN.get(name, ())]
    if options.get("retention") != "dual":
        names.remove("budget")
    controls = "".join(
        fields.control(
            _spec(option, declared, steps),
            options.get(option, _default(option, declared, steps)),
            "option",
            0,
            SET if option in options else "",
            explained=True,
        )  # fmt: skip
        for option in names
    )
    summary = tag("summary", "How it trains")
    return tag("details", summary + tag("div", controls, class_="method-controls"), class_="guide alone training",
               data_keep="training")  # fmt: skip


def _spec(name: str, declared: Mapping[str, ParamSpec], steps: int) -> ParamSpec:
    label, help = WORDS[name]
    if name == "steps":
        return ParamSpec("steps", "int", steps, 10, 1000, 10, help, label, None, None)
    return replace(declared[name], label=label, help=help)


def _default(name: str, declared: Mapping[str, ParamSpec], steps: int) -> Any:
    return steps if name == "steps" else declared[name].default
