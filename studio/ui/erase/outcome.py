"""What came of an erasure or a balance: how far it is, what was measured of it, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.training.balance.plan import METHOD as BALANCE
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import INSTANT
from studio.ui import live, watch
from studio.ui.components import fields
from studio.ui.components.progress import line, progress, time_left
from studio.ui.erase.balance import bars
from studio.ui.erase.balance.run import Measured
from studio.ui.erase.board import LEAST, MOST, Trial
from studio.ui.erase.making import Making
from studio.ui.erase.rows import way_html
from studio.ui.erase.run import next_share
from studio.ui.markup import alert, attributes, tag, text

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.ui.edit_stack import EditRow

# What is to be seen is told as `op`, what becomes of the edit as `decide`: {op, value}.
SCRIPT = (
    f"""
const tell = (from, value) => {{
  const {{op}} = from.dataset;
  trigger(op === 'strength' ? 'op' : 'decide', {{op: op, value: value}});
}};
{fields.SCRIPT}
watch('value', settle);
settle();
"""
    + live.SCRIPT
    + bars.SCRIPT
    + watch.PART
)
EMPTY = (
    '<div class="erase-empty"><p class="empty-title">Take a concept out of the model</p>'
    '<p class="empty-told">At the left stands an example: every <b>star</b> becomes a <b>heart</b>. Press Erase, and '
    "in a second or two you see four prompts before and after, on the same seeds: two that name the concept, a "
    "neighbour of it, and something else.</p>"
    '<p class="empty-told">What comes of it is an edit. Nothing of the model is lost: accepted, the edit lies on the '
    "edit stack, to be weakened and switched off; at strength 0 the base model draws as before, bit for bit.</p></div>"
)
EMPTY_OF_BALANCE = (
    '<div class="erase-empty"><p class="empty-title">Take a habit out of the model</p>'
    '<p class="empty-told">Where a prompt says no colour, hearts come out red. At the left stands an example: '
    "as many blue <b>hearts</b> as red ones. Press Balance: pictures are drawn and read, each round mends what the "
    "last one lacked, and bars show what the model draws before, now and after.</p>"
    '<p class="empty-told">What comes of it is an edit like any other. Two colours come near what is wanted; of four, '
    "some may stay away, and that is said.</p></div>"
)
# Completeness at which pictures were still blends of both, and from which they were not: on Stencil, star to circle,
# n = 24, .74 gave .67 valid erased pictures, .82 and more gave .75 to .79 (base's own circle: .79).
ENOUGH = 0.8
MORE = (40, 100, 200)  # steps that a training is made longer by
LITTLE_LEAK = 0.1  # with .10, 24 of 24 other objects, colours and styles were still read right


LIMITS = "Look at the pictures, and measure them before you trust it: a concept is suppressed, not proven removed."


def outcome_html(
    trial: Trial,
    making: Making,
    entry: EditEntry | None,
    row: EditRow | None,
    is_longer: bool = False,
    parts: int = 0,
    measured: Measured | None = None,
) -> str:
    """All of it.

    entry: the edit, None while there is none.
    row: where it stands on the stack, None if it does not.
    is_longer: whether its training can be made longer.
    parts: edits of single concepts that add up to it, and go on the stack for it; 0 for none.
    measured: of a balance, so far.
    """
    head, go = tag("h2", title_html(trial), class_="erase-ways"), "Balance" if trial.is_balance else "Erase"
    if making.error and entry is None:
        again = tag("p", f"What you set is kept: change it, or press {go} again.", class_="hint")
        message = alert(making.error) if making.state != "cancelled" else _note(making.error)
        return head + message + again + bars.bars_html(measured, "")
    if not making.over:
        return head + (_balancing(trial, making, measured) if trial.is_balance else _under_way(trial, making))
    if entry is None:
        return head + _note(f"This edit was deleted from the workspace. Press {go} to make it again.")
    about = _about(entry, trial) + _ended_early(trial, making) + _enough(entry)
    about += bars.verdict_html(measured) + bars.bars_html(measured, "")
    return head + about + _strength(trial) + _acts(trial, making, entry, row, is_longer, parts)


def title_html(trial: Trial) -> str:
    """What an erasure or a balance does, in its own words."""
    if trial.is_balance:
        return tag("span", shares_html(trial.concepts[0][0], trial.shares))
    return "".join(tag("span", way_html(*concept)) for concept in trial.concepts)


def shares_html(concept: str, shares: Sequence[tuple[str, float]]) -> str:
    """What is balanced, and how it is to be."""
    return text(f"{concept}: ") + ", ".join(text(words) + tag("i", f" {share:.0%}") for words, share in shares)


def figures_html(trial: Trial, making: Making, entry: EditEntry | None) -> str:
    """What was measured of the edit's texts, and what that does not say; "" before there is an edit."""
    if entry is None or not making.over or trial.is_balance:
        return ""
    return measures_html(trial, making.measures) + tag("p", LIMITS, class_="hint limits")


def _under_way(trial: Trial, making: Making) -> str:
    if trial.method == INSTANT:
        return progress("Reads sentences, and solves for the edit", 0, 1, "", trial.job, waits=True)
    standing = line(making.state, making.ahead, making.progress)
    bar = progress(standing.doing, standing.share, 1, standing.left, trial.job, moves=True)
    hint = "The pictures are drawn again on the way, with the edit as it is by then. Stop keeps what was learned."
    return tag("div", bar, data_job=trial.job, data_next=f"{next_share(trial):.4f}") + tag("p", hint, class_="hint")


def _balancing(trial: Trial, making: Making, measured: Measured | None) -> str:
    is_waiting = making.state == "queued"
    doing = line(making.state, making.ahead, {}).doing if is_waiting else bars.doing(measured)
    left = time_left(making.progress.get("left_s"))
    bar = progress(doing, making.share, 1, left, trial.job, waits=is_waiting)
    hint = "Meanwhile you can draw: what you ask for goes first. Stop keeps the round that came nearest."
    return bar + tag("p", hint, class_="hint") + bars.bars_html(measured, trial.job)


def _ended_early(trial: Trial, making: Making) -> str:
    if making.error:
        return alert(making.error)
    if not making.steps:
        return ""
    if trial.is_balance:
        return _note(
            f"Stopped. Round {making.steps + 1} came nearest until then, and is the edit; no other pictures tell what "
            "it comes to."
        )
    return _note(f"Stopped after {making.steps} steps. What it had learned by then is the edit.")


def _enough(entry: EditEntry) -> str:
    """Why its training was over before its last step, where it was."""
    ended = entry.provenance.get("ended")
    return _note(ended) if isinstance(ended, str) and ended else ""


def measures_html(trial: Trial, measures: Mapping[str, float]) -> str:
    """Completeness and leak of each concept, and what they say."""
    several = len(trial.concepts) > 1
    items = ""
    for words, substitute in trial.concepts:
        completeness, leak = measures.get(f"{words}: completeness"), measures.get(f"{words}: leak")
        if completeness is None or leak is None:
            continue
        of = f" of “{words}”" if several else ""
        aim = f"“{substitute}”" if substitute else "the same without it"
        items += _measure(
            f"Completeness{of}",
            completeness,
            completeness >= ENOUGH,
            f"how far unseen sentences with “{words}” go on their way to {aim}; 1 is all of it.",
            "Pictures may be blends of both: choose a nearer substitute, or protect less.",
        )
        items += _measure(
            f"Leak{of}",
            leak,
            leak <= LITTLE_LEAK,
            "how far other sentences are moved, as a share of that way; 0 is not at all.",
            "Others may change: name them under Keep, or protect more.",
        )
    if not items:
        return ""
    return tag("ul", items, class_="erase-measures")


def _measure(name: str, value: float, good: bool, about: str, otherwise: str) -> str:
    number = tag("b", f"{value:.2f}", class_="good" if good else "poor")
    words = tag("span", text(name), class_="label") + number + tag("span", text(about), class_="hint")
    return tag("li", words + ("" if good else tag("span", text(otherwise), class_="hint wrong")))


def _about(entry: EditEntry, trial: Trial) -> str:
    made_at = entry.changed_at.astimezone().strftime("%d %B %Y, %H:%M").lstrip("0")
    facts = f"{entry.name} · {method_title(trial.method)} · {size(entry.nbytes)} · {made_at}"
    return tag("p", text(facts), class_="erase-about")


def method_title(name: str) -> str:
    """A method's word for menus; the name itself of one that is not here."""
    if name == BALANCE:
        return "Balance"
    return METHODS.get(name).title if name in METHODS.names() else name


def size(nbytes: int) -> str:
    """Bytes as people say them."""
    return f"{nbytes / 1e6:.1f} MB" if nbytes >= 1e6 else f"{nbytes / 1e3:.0f} KB"


def _strength(trial: Trial) -> str:
    shared: dict[str, Any] = {"value": f"{trial.strength:g}", "min": f"{LEAST:g}", "max": f"{MOST:g}", "step": "0.05"}
    slider = {"type": "range", "aria_label": "Strength, slider", "data_op": "strength", **shared}
    number = {"type": "number", "aria_label": "Strength", "data_op": "strength", **shared}
    pair = tag("span", f"<input{attributes(slider)}><input{attributes(number)}>", class_="pair")
    hint = tag(
        "span",
        "Drawn with this edit alone: others of the stack are left out. At 0 the pictures are the base model's, bit for "
        "bit; between 0 and 1 they may be blends.",
        class_="hint",
    )
    return tag("div", tag("span", "Strength", class_="label") + pair + hint, class_="guide alone param erase-strength")


def _acts(trial: Trial, making: Making, entry: EditEntry, row: EditRow | None, is_longer: bool, parts: int) -> str:
    at = f"{trial.strength:g}"
    if not trial.strength:
        accept = _button("accept", "Accept", "At strength 0 it does nothing: choose another first.", disabled=True)
    elif row is None:
        label = f"Accept as {parts} sliders at {at}" if parts else f"Accept at strength {at}"
        accept = _button("accept", label, "Put it on the edit stack, switched on", main=True)
    elif row.on and row.strength == trial.strength:
        accept = _button(
            "accept", f"On the edit stack at {at}", "It acts in what is drawn with the edit stack.", disabled=True
        )
    else:
        accept = _button("accept", f"Set to {at} on the edit stack", "And switch it on there", main=True)
    if row is None and trial.job and trial.method == INSTANT:
        discard = _button("discard", "Discard", "Delete the edit; the same settings make it again")
    else:
        discard = _sure(entry, "Discard" if row is None and trial.job else "Delete", parts)
    if (making.steps or making.error) and not trial.is_balance:
        discard = _button("go_on", "Go on training", "From where it was stopped") + discard
    elif is_longer:
        discard = _more() + discard
    return tag("div", accept + discard, class_="actions erase-acts")


def _more() -> str:
    """How many steps more."""
    choices = "".join(
        _button("more", f"{steps} steps", "Goes on from the last step; what comes of it is a further edit", value=steps)
        for steps in MORE
    )
    inner = tag("summary", "Train more", class_="action") + tag("div", choices, class_="choices")
    return tag("details", inner, class_="menu")


def _sure(entry: EditEntry, word: str, parts: int) -> str:
    """A question before it is deleted, where more than a try would be lost. word: on what opens it."""
    beside = f" and its {parts} sliders" if parts else ""
    question = tag("p", text(f"Delete the edit {entry.name}{beside} from the workspace, and from the edit stack?"))
    sure = _button("discard", "Delete it for good", "It cannot be brought back")
    inner = tag("summary", word, class_="action") + tag("div", question + sure, class_="choices")
    return tag("details", inner, class_="menu erase-sure")


def _button(
    op: str, label: str, title: str, main: bool = False, disabled: bool = False, value: int | None = None
) -> str:
    return tag(
        "button",
        text(label),
        type="button",
        class_="action main" if main else "action",
        data_op=op,
        data_value=None if value is None else str(value),
        title=title,
        disabled=disabled,
    )


def _note(message: str) -> str:
    return alert(message, kind="note")
