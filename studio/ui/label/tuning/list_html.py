"""The tunings there are: what is known of each, whether to go on, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.core.errors import StudioError
from studio.preference.tuning.standing import Share
from studio.services.tunings.tuning import Tuning
from studio.services.tunings.values import sliders, state
from studio.ui import watch
from studio.ui.components import rule
from studio.ui.errors import sentence
from studio.ui.handover import LABEL
from studio.ui.label.tuning.curves import curves_html
from studio.ui.markup import alert, attributes, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign

SHOWN = 8  # newest tunings, each of which is computed anew
WITH_CURVES = 3  # of these
NAME_CHARS = 60
STATES = {"paused": "paused", "enough": "enough asked", "asked": "all asked", "idle": "nothing to tune"}
# What is done is told as {op, campaign, value}; to answer is the pad's to do, in the browser.
SCRIPT = f"""
const answer = {LABEL};
element.addEventListener('click', (event) => {{
  const button = event.target.closest('button[data-op]');
  if (!button) return;
  const {{op, campaign}} = button.dataset;
  if (op === 'answer') {{ answer(Number(campaign)); return; }}
  const field = button.closest('li').querySelector(`[data-value-of="${{op}}"]`);
  trigger(op === 'accept' ? 'decide' : 'op', {{op, campaign: Number(campaign), value: field ? field.value : ''}});
}});
element.addEventListener('change', (event) => event.stopPropagation());
// Answers come in on the pad, of which nothing is told here: whoever comes back is shown them.
document.addEventListener('click', (event) => {{
  if (event.target.closest && event.target.closest('#label-tune-by-votes-button')) trigger('look');
}});
{watch.PART}
"""
EMPTY = tag(
    "div",
    tag("h3", "Find the best strength by looking")
    + tag(
        "p",
        "Mark what is to be tuned: how strong an edit acts, how far guidance goes. You are then asked which of two "
        "pictures you prefer. They differ in nothing but these numbers, and each question is chosen by your answers "
        "before it. One number takes about 15 of them.",
    )
    + tag("p", "What comes of it are the edits at the strengths you prefer, and a guidance preset."),
    class_="campaigns-empty",
)


def list_html(studio: Studio) -> str:
    """The newest of them, newest first."""
    campaigns = studio.tunings.list()[:SHOWN]
    if not campaigns:
        return EMPTY
    rows = "".join(_row(studio, campaign, place < WITH_CURVES) for place, campaign in enumerate(campaigns))
    return tag("ol", rows, class_="campaigns tunings")


def _row(studio: Studio, campaign: Campaign, has_curves: bool) -> str:
    try:
        tuning = studio.tunings.get(campaign.id)
    except StudioError as error:
        return tag("li", tag("h3", text(campaign.name)) + alert(sentence(error)), class_="campaign")
    word = STATES.get(state(tuning), "")
    mark = tag("span", text(word), class_="state") if word else ""
    parts = [
        tag("header", tag("h3", text(campaign.name)) + mark),
        tag("p", text(_about(tuning)), class_="about"),
        _drawing(studio, tuning),
        tag("p", text(tuning.verdict), class_="tuning-verdict"),
        _best(tuning),
        curves_html(tuning) if has_curves else "",
        _actions(tuning, is_ready=studio.labels.counts(campaign.id).items > 0),
    ]
    return tag("li", "".join(parts), class_="campaign tuning", data_campaign=str(campaign.id))


def _about(tuning: Tuning) -> str:
    recipe, count = tuning.plan.recipe, len(tuning.reading.votes)
    model = recipe.model.capitalize() if recipe.model == "stencil" else recipe.model
    form = "pairs" if tuning.plan.form == "pair" else "best of four"
    made_at = tuning.campaign.created_at.astimezone().strftime("%d %b, %H:%M").lstrip("0")
    votes = f"{count} vote{'s' * (count != 1)} of at most {tuning.plan.most}"
    return " · ".join([votes, form, f"{model}, {rule.label(recipe.guidance)}", f"made {made_at}"])


def _drawing(studio: Studio, tuning: Tuning) -> str:
    """What is being drawn, followed; or why it is not."""
    if not tuning.missing:
        return ""
    jobs = studio.campaigns.standing(tuning.campaign.id).jobs
    if not jobs:
        words = tuning.trouble or "Some pictures are not drawn yet."
        return tag("div", alert(words, kind="note") + _button("draw", tuning, "Draw them"), class_="held-up")
    finished = str(len(studio.archive.generations.numbers_of_job(jobs[0])))
    words = tag("p", text("The next question is being drawn."), class_="hint")
    return tag("div", words, data_watch=jobs[0], data_drawn=finished)


def _best(tuning: Tuning) -> str:
    """Each slider with its best value, and how that does against the start."""
    standing = tuning.reading.standing
    head = "".join(tag("th", text(word), scope="col") for word in ("tuned", "best so far", "95 % between", "start"))
    body = ""
    for row in sliders(tuning):
        name = tag("th", text(row["label"]), scope="row")
        start = tag("td", text(f"{row['start']:g}"))
        if not row["has_effect"]:
            words = f"without effect: its pictures are equal from {row['low']:g} to {row['high']:g}"
            body += tag("tr", name + tag("td", text(words), colspan="2") + start)
        elif row["best"] is not None:
            ends = f"{row['best_low']:g} to {row['best_high']:g}"
            body += tag("tr", name + tag("td", tag("b", text(f"{row['best']:g}"))) + tag("td", text(ends)) + start)
    if not body:
        return ""
    table = tag("table", tag("thead", tag("tr", head)) + tag("tbody", body), class_="tuning-best")
    against = ""
    if standing is not None and standing.votes:
        better = "" if standing.is_better else " That it is better is not certain."
        words = f"Against the start, the best so far would win {_share(standing.against_start)}.{better}"
        against = tag("p", text(words))
    return tag("div", table, class_="table-scroll") + against


def _actions(tuning: Tuning, is_ready: bool) -> str:
    standing = tuning.reading.standing
    buttons: list[str] = []
    has_questions = bool(tuning.reading.pending) and not tuning.campaign.paused
    is_done = state(tuning) in ("enough", "asked")
    if has_questions and standing is not None:
        words = "Answer" if is_ready else "Answer, once the first is drawn"
        buttons.append(_button("answer", tuning, words, main=not is_done, disabled=not is_ready))
    if standing is not None and standing.votes:
        field = ""
        if any(slider.path.startswith("guidance") for slider in tuning.plan.sliders):
            values = {"type": "text", "maxlength": NAME_CHARS, "placeholder": "Name of the preset"}
            values |= {"data-value-of": "accept", "aria-label": "Name of the guidance preset, empty: the tuning's"}
            field = f"<input{attributes(values)}>"
        buttons.append(tag("span", _button("accept", tuning, "Take it over", main=is_done) + field, class_="more"))
    if not tuning.campaign.paused and not is_done and standing is not None:
        buttons.append(_button("pause", tuning, "Pause"))
    elif tuning.campaign.paused:
        buttons.append(_button("go_on", tuning, "Go on"))
    buttons.append(_button("archive", tuning, "Archive"))
    return tag("div", "".join(buttons), class_="campaign-acts")


def _button(op: str, tuning: Tuning, words: str, main: bool = False, disabled: bool = False) -> str:
    data = {"data_op": op, "data_campaign": str(tuning.campaign.id), "disabled": disabled}
    label = f"{words}: {tuning.campaign.name}"
    return tag("button", words, type="button", class_="action" + " main" * main, aria_label=label, **data)


def _share(share: Share) -> str:
    return f"{share.expected:.0%} of the votes ({share.low:.0%} to {share.high:.0%})"
