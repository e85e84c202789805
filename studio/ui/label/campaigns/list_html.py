"""The campaigns there are: how far each is drawn and answered, who labels, what stands out, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.preference.answer import Mode
from studio.services.labels.plan import MAX_GUIDELINE_CHARS
from studio.ui.components import rule
from studio.ui.components.progress import time_left
from studio.ui.markup import alert, attributes, tag, text
from studio.ui.watch import PART

if TYPE_CHECKING:
    from studio.services.labels.design import CampaignDesign
    from studio.services.labels.drawing import Standing
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign
    from studio.storage.labels.counts import Counts

MODES: dict[Mode, str] = {
    "pair": "pairs",
    "best": "best of four",
    "best_worst": "best and worst of four",
    "ranking": "four in order",
    "thumb": "one by one",
}
QUESTIONS = {"overall": "which is preferred", "prompt": "which follows the prompt", "look": "which looks better"}
REVEALS = {"after": "told what pictures were after each answer", "end": "told what pictures were at the end"}
MORE = 30  # items that "Draw more" adds
LOOK_EVERY = 16  # pictures
AGAIN_MS = 1500  # until something that is being learned is looked at again
# What is done is told as {op, campaign, value}; to label is the pad's to do, in the browser.
SCRIPT = f"""
const tell = (from, value) =>
  trigger('op', {{op: from.dataset.op, campaign: Number(from.dataset.campaign || 0), value: value}});
element.addEventListener('click', (event) => {{
  const button = event.target.closest('button[data-op]');
  if (!button) return;
  if (button.dataset.op === 'export') {{
    sessionStorage.setItem('palimpsest-export', button.dataset.campaign);
    window.dispatchEvent(new Event('palimpsest-label-export'));
    document.getElementById('label-import-and-export-button')?.click();
    return;
  }}
  if (button.dataset.op === 'label') {{
    window.dispatchEvent(new CustomEvent('palimpsest-label-campaign', {{detail: Number(button.dataset.campaign)}}));
    const collect = document.getElementById('label-collect-button');
    if (collect) collect.click();
    return;
  }}
  const row = button.closest('li.campaign, footer');
  const fields = [...row.querySelectorAll(`[data-value-of="${{button.dataset.op}}"]`)];
  const valueOf = (field) => (field.type === 'checkbox' ? field.checked : field.value);
  const values = Object.fromEntries(fields.map((field) => [field.dataset.field, valueOf(field)]));
  tell(button, button.dataset.value ?? (fields.length > 1 ? values : fields.length ? fields[0].value : null));
}});
element.addEventListener('change', (event) => {{
  event.stopPropagation();
  if (event.target.matches('input[type=checkbox][data-op]')) tell(event.target, event.target.checked);
  if (event.target.matches('select[data-op]')) tell(event.target, event.target.value);
}});
// What is being learned is looked at again, unless something is typed meanwhile.
setInterval(() => {{
  const isTyping = document.activeElement.matches('#campaign-list :is(textarea, input, select)');
  if (element.querySelector('[data-look-again]') && element.offsetParent !== null && !isTyping) trigger('look');
}}, {AGAIN_MS});
// Answers come in on the pad, of which nothing is told here: whoever comes back is shown them.
document.addEventListener('click', (event) => {{
  if (event.target.closest && event.target.closest('#label-campaigns-button')) trigger('look');
}});
{PART}
"""
EMPTY = tag(
    "div",
    tag("h3", "No campaign yet")
    + tag(
        "p",
        "A campaign is a number of questions about pictures: which of two is better, say. Choose at the left what to "
        "draw, or bring pictures you have, and press Make the campaign. Its pictures are drawn in the background, and "
        "as soon as the first pair is there, Collect asks about it, one key for each answer.",
    )
    + tag(
        "p",
        "To begin, leave everything as it is: 30 pairs of Stencil whose prompts leave style and colour open, so that "
        "there is something to prefer.",
    ),
    class_="campaigns-empty",
)


@dataclass(frozen=True)
class Looked:
    """What a page has opened.

    quality: number of the campaign whose answers are looked into, 0 for none.
    archived: whether archived campaigns are shown.
    scores: whether, of that campaign, what published scorers say is looked at too.
    """

    quality: int = 0
    archived: bool = False
    scores: bool = False


def list_html(studio: Studio, looked: Looked) -> str:
    """All of them, newest first."""
    campaigns = studio.labels.campaigns(archived=looked.archived)
    if not campaigns and not looked.archived:
        has_archived = bool(studio.labels.campaigns(archived=True))
        return EMPTY + (_footer(looked) if has_archived else "")
    rows = "".join(_row(studio, campaign, looked) for campaign in campaigns)
    return tag("ol", rows, class_="campaigns") + _footer(looked)


def _row(studio: Studio, campaign: Campaign, looked: Looked) -> str:
    standing, counts = studio.campaigns.standing(campaign.id), studio.labels.counts(campaign.id)
    design = studio.campaigns.design(campaign.id)
    state = "archived" if campaign.archived else "paused" if campaign.paused else ""
    mark = tag("span", state, class_="state") if state else ""
    head = tag("header", tag("h3", text(campaign.name)) + mark)
    parts = [
        head,
        tag("p", text(about(campaign, design)), class_="about"),
        _drawn(studio, campaign, standing, counts),
        _answered(campaign, counts, standing),
        _remarks(studio, campaign, standing),
        _actions(campaign, standing, counts, design is not None),
        _guideline(campaign),
        _detail(studio, campaign, counts, looked),
    ]
    return tag("li", "".join(parts), class_="campaign" + f" {state}" * bool(state), data_campaign=str(campaign.id))


def about(campaign: Campaign, design: CampaignDesign | None) -> str:
    """What it asks and draws, in a line."""
    made_at = campaign.created_at.astimezone().strftime("%d %b, %H:%M").lstrip("0")
    questions = " and ".join(QUESTIONS[question] for question in campaign.questions)
    parts = [MODES[campaign.mode], questions if campaign.mode != "thumb" else "good or bad"]
    if design is not None:
        parts.append(", ".join(arm.name for arm in design.arms) if len(design.arms) > 1 else _recipe(design))
        parts.append("open prompts" if not design.prompts else f"{len(design.prompts)} prompts of your own")
        if design.hidden_share:
            parts.append("all with hidden words" if design.hidden_share == 1 else "half with hidden words")
    if campaign.reveal != "never":
        parts.append(REVEALS[campaign.reveal])
    if campaign.target_per_item > 1:
        parts.append(f"{campaign.target_per_item} people each")
    return " · ".join([*parts, f"made {made_at}"])


def _recipe(design: CampaignDesign) -> str:
    recipe = design.arms[0].recipe
    model = recipe.model.capitalize() if recipe.model == "stencil" else recipe.model
    return f"{model}, {recipe.steps} steps, {rule.label(recipe.guidance)}" + (", with edits" if recipe.edits else "")


def _drawn(studio: Studio, campaign: Campaign, standing: Standing, counts: Counts) -> str:
    """How far it is drawn, while it is not all drawn."""
    planned = standing.counts
    if not planned.missing:
        return ""
    drawn_count = planned.pictures - planned.missing
    if not standing.jobs:
        button = _button("draw", campaign.id, "Draw the rest", main=not counts.items)
        words = f"{standing.trouble} {drawn_count} of {planned.pictures} pictures are drawn."
        return tag("div", alert(words, kind="note") + button, class_="held-up")
    job = standing.jobs[0]
    entry = studio.jobs.standing(job)
    left = time_left(entry.left_s) if entry is not None and len(standing.jobs) == 1 else ""
    doing = (
        f"{drawn_count} of {planned.pictures} pictures drawn, {planned.published} of {planned.items} ready to be asked"
    )
    finished = len(studio.archive.generations.numbers_of_job(job))
    # Looked at again for the first item, and then now and then: for every picture it would cost as much as drawing it.
    due = finished + (LOOK_EVERY - 1 if counts.items else 0)
    words = tag("p", tag("span", text(doing)) + tag("span", text(left), class_="left"))
    bar = _bar(drawn_count, planned.pictures, "Pictures drawn")
    return tag("div", bar + words, class_="drawn", data_watch=job, data_drawn=str(due))


def _answered(campaign: Campaign, counts: Counts, standing: Standing) -> str:
    total = max(counts.items, standing.counts.items - standing.counts.alike - standing.counts.checks)
    people = [f"{alias} {count}" for alias, count in sorted(counts.by_annotator.items(), key=lambda pair: -pair[1])]
    who = f" by {', '.join(people[:6])}" + (f" and {len(people) - 6} more" if len(people) > 6 else "") if people else ""
    answers = f"{counts.labels} answer{'s' * (counts.labels != 1)}{who}" if counts.labels else "no answer yet"
    items = "item has" if total == 1 else "items have"
    words = f"{counts.answered} of {total} {items} {'its answer' if total == 1 else 'their answers'} · {answers}"
    bar = _bar(counts.answered, total, "Items with their answers")
    return tag("div", bar + tag("p", text(words)), class_="answered")


def _bar(amount: int, total: int, label: str) -> str:
    share = tag("span", "", style=f"width:{100 * amount / max(total, 1):.1f}%")
    values = {"aria_valuemin": 0, "aria_valuemax": total, "aria_valuenow": amount}
    return tag("div", share, class_="bar", role="progressbar", aria_label=label, **values)


def _remarks(studio: Studio, campaign: Campaign, standing: Standing) -> str:
    sentences: list[str] = []
    if (foreign := studio.campaigns.foreign_share(campaign.id)) > 0:
        whose = "All of its pictures are" if foreign == 1 else f"{max(1, round(100 * foreign))} % of its pictures are"
        sentences.append(f"{whose} from elsewhere: they do not say what the models here draw.")
    if alike := standing.counts.alike:
        items = "1 item was" if alike == 1 else f"{alike} items were"
        sentences.append(f"{items} left out, for the pictures came out nearly equal at three tries.")
    return "".join(tag("p", text(sentence), class_="hint") for sentence in sentences)


def _actions(campaign: Campaign, standing: Standing, counts: Counts, is_drawn_here: bool) -> str:
    id, buttons = campaign.id, list[str]()
    if not campaign.archived and not campaign.paused:
        label = "Label" if counts.items else "Label, once the first is drawn"
        buttons.append(_button("label", id, label, main=True, disabled=not counts.items))
    if standing.jobs:
        buttons.append(_button("stop", id, "Stop drawing"))
    if campaign.archived:
        buttons.append(_button("unarchive", id, "Back among the others"))
    else:
        buttons.append(_button("go_on" if campaign.paused else "pause", id, "Go on" if campaign.paused else "Pause"))
        if is_drawn_here:
            field = _input(type="number", min=1, max=1000, value=MORE, data_value_of="more", aria_label="How many more")
            buttons.append(tag("span", _button("more", id, "Draw more") + field, class_="more"))
        buttons.append(_button("archive", id, "Archive"))
    if counts.labels:
        buttons.append(_button("export", id, "Export"))
    return tag("div", "".join(buttons), class_="campaign-acts")


def _guideline(campaign: Campaign) -> str:
    area = tag(
        "textarea",
        text(campaign.guideline),
        rows=4,
        maxlength=MAX_GUIDELINE_CHARS,
        data_value_of="guideline",
        aria_label=f"Guideline of {campaign.name}",
        placeholder="What to judge by, in a few sentences. Labellers see it with one key (G).",
    )
    summary = tag("summary", "Guideline" if campaign.guideline else "Guideline: none")
    inner = summary + area + _button("guideline", campaign.id, "Save the guideline")
    return tag("details", inner, class_="campaign-guideline", data_keep=f"guideline-{campaign.id}")


def _detail(studio: Studio, campaign: Campaign, counts: Counts, looked: Looked) -> str:
    if not counts.labels:
        return ""
    if looked.quality != campaign.id:
        return _button("quality", campaign.id, "What the answers say", plain=True)
    from studio.ui.label.campaigns.detail_html import detail_html  # which brings statistics, when somebody asks

    return detail_html(studio, campaign, looked.scores) + _button("quality", 0, "Close", plain=True)


def _button(
    op: str, campaign: int, label: str, *, main: bool = False, plain: bool = False, disabled: bool = False
) -> str:
    style = "action main" if main else "small plain" if plain else "action"
    return tag(
        "button", text(label), type="button", class_=style, data_op=op, data_campaign=str(campaign), disabled=disabled
    )


def _footer(looked: Looked) -> str:
    box = _input(type="checkbox", data_op="archived", checked=looked.archived)
    return tag("footer", tag("label", box + " Show archived campaigns"), class_="campaigns-foot")


def _input(**attrs: object) -> str:
    return f"<input{attributes(attrs)}>"
