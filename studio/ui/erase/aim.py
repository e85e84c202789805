"""What the tab is to do, which says what can be set at its left: erase, or balance."""

from __future__ import annotations

from typing import Literal, get_args

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.ui.markup import attributes, tag, text

Aim = Literal["erase", "balance"]
ERASE, BALANCE = get_args(Aim)
# Tells {value}. What belongs to the other aim is hidden by the style sheet, which reads data-aim.
SCRIPT = """
element.addEventListener('change', (event) => {
  event.stopPropagation();
  trigger('op', {value: event.target.value});
});
const settle = () => {
  for (const radio of element.querySelectorAll('input')) radio.checked = radio.hasAttribute('checked');
};
watch('value', settle);
settle();
"""
TITLES: dict[Aim, tuple[str, str]] = {
    "erase": ("Erase", "Take a concept out of the model, or put another in its place."),
    "balance": (
        "Balance",
        "Have pictures of a concept show its colours or styles in proportions you choose: UCE's debiasing.",
    ),
}


def read_aim(value: object) -> Aim:
    """Raises BadInput for what is none."""
    for aim in TITLES:
        if value == aim:
            return aim
    raise BadInput(f"The tab erases or balances; it cannot {shown(value)}.")


def aim_html(chosen: Aim) -> str:
    """The choice, and what the chosen one does."""
    radios = "".join(
        tag("label", f"<input{_about(aim, chosen)}>" + tag("span", title)) for aim, (title, _) in TITLES.items()
    )
    group = tag("div", radios, class_="aim", role="radiogroup", aria_label="What the tab does", data_aim=chosen)
    return group + tag("p", text(TITLES[chosen][1]), class_="hint")


def _about(aim: Aim, chosen: Aim) -> str:
    return attributes({"type": "radio", "name": "erase-aim", "value": aim, "checked": aim == chosen})
