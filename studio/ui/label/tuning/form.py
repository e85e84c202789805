"""What the fields of a tuning say, checked; and the numbers that can be tuned, as rows to mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.preference.prompt_list import typed
from studio.services.labels.design import Choices, arms_of
from studio.services.tunings.plan import MAX_QUESTIONS, MAX_SLIDERS
from studio.services.tunings.sliders import Slider, tunable, value_of
from studio.ui.markup import attributes, tag, text

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio

FIELDS = (
    "model",
    "tuning_preset",
    "tuning_form",
    "tuning_prompts",
    "tuning_name",
    "tuning_most",
    "tuning_seed",
)
FORMS = (("Pairs", "pair"), ("Best of four", "best"))
USUAL = ""  # the guidance that suits the model
# What is typed is the browser's until it is sent: rows that are drawn anew take it over.
SCRIPT = """
const typed = new Map();
const rows = () => [...element.querySelectorAll('[data-path]')];
const valuesOf = (row) => ({
  path: row.dataset.path, on: row.querySelector('[data-part=on]').checked,
  low: row.querySelector('[data-part=low]').valueAsNumber, high: row.querySelector('[data-part=high]').valueAsNumber,
});
function follow() {
  for (const row of rows()) row.classList.toggle('off', !row.querySelector('[data-part=on]').checked);
}
function restore() {
  for (const row of rows()) {
    const values = typed.get(row.dataset.path);
    if (!values) continue;
    row.querySelector('[data-part=on]').checked = values.on;
    for (const part of ['low', 'high']) {
      if (!Number.isNaN(values[part])) row.querySelector(`[data-part=${part}]`).value = values[part];
    }
  }
  follow();
}
for (const kind of ['input', 'change']) {
  element.addEventListener(kind, (event) => {
    event.stopPropagation();
    const row = event.target.closest('[data-path]');
    if (row) typed.set(row.dataset.path, valuesOf(row));
    follow();
  });
}
element.addEventListener('click', (event) => {
  if (!event.target.closest('[data-op=start]')) return;
  const end = (value) => (Number.isNaN(value) ? null : value);
  const marked = rows().map(valuesOf).filter((values) => values.on);
  // Not "path": Gradio takes what has one for a file.
  trigger('start', {rows: marked.map(({path, low, high}) => ({slider: path, low: end(low), high: end(high)}))});
});
watch('value', () => setTimeout(restore));
restore();
"""


def recipe_of(studio: Studio, presets: GuidancePresets, fields: Mapping[str, Any], refs: tuple[EditRef, ...]) -> Recipe:
    """Where a tuning starts: the model, the preset, and the edits that are on. Raises NotFound, BadInput."""
    preset = str(fields["tuning_preset"] or "")
    choices = Choices(models=(str(fields["model"]),), presets=(preset,) if preset else (), stacks=(refs,))
    (arm,) = arms_of(choices, studio.sources, presets)
    return arm.recipe


def rows_html(studio: Studio, recipe: Recipe) -> str:
    """A row for each number that can be tuned, the first marked, and the button that starts."""
    from studio.services.checks import settled

    spoken = settled(recipe)
    sliders = tunable(spoken, studio.sources, studio.edits)
    rows = "".join(_row(slider, value_of(spoken, slider), is_on=place == 0) for place, slider in enumerate(sliders))
    lead = f"Mark 1 to {MAX_SLIDERS}, and say between which values to look. Each begins where it stands now."
    legend = tag("legend", "What is tuned") + tag("p", text(lead), class_="hint")
    none = "" if recipe.edits else tag("p", text("Edits that are on in the sidebar stand here too."), class_="hint")
    button = tag("button", "Start the tuning", type="button", id="tuning-start", class_="action main", data_op="start")
    return tag("fieldset", legend + rows + none, class_="tuning-rows") + button


def _row(slider: Slider, value: float, is_on: bool) -> str:
    label = slider.label

    def end(part: str, word: str, number: float) -> str:
        values = {"type": "number", "step": "any", "value": f"{number:g}", "data-part": part}
        field = f"<input{attributes({**values, 'aria-label': f'{label}, {word}'})}>"
        return tag("label", tag("span", word) + field)

    mark = f"<input{attributes({'type': 'checkbox', 'checked': is_on, 'data-part': 'on'})}>"
    name = tag("label", mark + tag("span", text(label)), class_="name")
    now = tag("span", text(f"now {value:g}"), class_="now")
    ends = tag("div", end("low", "from", slider.low) + end("high", "to", slider.high) + now, class_="ends")
    return tag("div", name + ends, class_="tuning-row" + " off" * (not is_on), data_path=slider.path)


def sliders_of(studio: Studio, recipe: Recipe, rows: Any) -> list[Slider]:
    """The sliders of the rows that were sent: [{slider: its path, low, high}]. Raises BadInput."""
    from studio.services.checks import settled

    by_path = {slider.path: slider for slider in tunable(settled(recipe), studio.sources, studio.edits)}
    sliders: list[Slider] = []
    for row in cast("Sequence[Any]", rows) if isinstance(rows, list) else ():
        values = cast("Mapping[str, Any]", row) if isinstance(row, Mapping) else {}
        slider = by_path.get(str(values.get("slider", "")))
        if slider is None:
            raise BadInput("What was marked is not in the recipe any more.", "Mark it again.", field="sliders")
        ends = [values.get("low"), values.get("high")]
        if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
            raise BadInput(f"The range of {slider.label} needs two numbers.", field="sliders")
        sliders.append(slider.model_copy(update={"low": float(ends[0]), "high": float(ends[1])}))  # type: ignore[arg-type]
    return sliders


def start_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Further arguments of `TuningService.start`. Raises BadInput."""
    written = str(fields["tuning_prompts"] or "")
    seed = str(fields["tuning_seed"] or "").strip()
    if seed and (not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63):
        raise BadInput(f"A seed is a whole number from 0 on, not {shown(seed)}.", field="seed")
    most = fields["tuning_most"]
    if isinstance(most, bool) or not isinstance(most, int | float) or most != int(most):
        message = f"How many questions at most is a whole number from 1 to {MAX_QUESTIONS}, not {shown(most)}."
        raise BadInput(message, field="most")
    return {
        "name": str(fields["tuning_name"] or "").strip(),
        "prompts": typed(written) if written.strip() else (),
        "form": fields["tuning_form"],
        "most": int(most),
        "seed": int(seed) if seed else None,
    }
