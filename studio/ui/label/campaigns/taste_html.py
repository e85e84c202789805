"""What was learned of a campaign's answers: how right it is, its curve, what it finds unlikely, what to ask next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.services.labels.asking import MAX_MORE
from studio.ui.components.curves.panel import Panel, Series
from studio.ui.components.curves.svg import figure
from studio.ui.label.campaigns.pieces import button, pictured_label
from studio.ui.markup import attributes, tag, text

if TYPE_CHECKING:
    from studio.preference.label import Label
    from studio.services.studio import Studio
    from studio.storage.labels.campaigns import Campaign

MORE = 20  # questions that "Ask more" adds


def taste_html(studio: Studio, campaign: Campaign) -> str:
    """All of it."""
    line = studio.tastes.line(campaign.id)
    inner = tag("h4", "What was learned of it") + tag("p", text(line.text))
    is_waiting = line.state == "learning"
    if line.state == "ready":
        curve = studio.tastes.curve(campaign.id)
        is_waiting = curve is None
        if curve is None:
            inner += tag("p", "Its learning curve is being computed.", class_="hint")
        elif len(curve) > 1:
            series = Series(
                tuple(point.accuracy for point in curve),
                "predicted right",
                low=tuple(point.low for point in curve),
                high=tuple(point.high for point in curve),
            )
            names = tuple(f"{point.labels} answers" if not k else str(point.labels) for k, point in enumerate(curve))
            hint = "Held-out preferences that are predicted right, after so many answers. Flat: more teach little."
            inner += figure(Panel("Learning curve", (series,), names=names, hint=hint, level=0.5))
    inner += _doubtful(studio, campaign) + _features(studio, campaign) + _ask(studio, campaign)
    again = tag("span", "", data_look_again=True) if is_waiting else ""
    return tag("section", inner + again, class_="quality", aria_label="What was learned of it")


def _doubtful(studio: Studio, campaign: Campaign) -> str:
    """Answers that the others make unlikely: slips, or what the features do not see."""
    rows = studio.further_questions.doubtful(campaign.id)
    tokens = studio.looking_back.tokens([label for label, _ in rows])
    items = ""
    for label, likelihood in rows:
        lines = [tag("p", text(label.prompt or "without a prompt"))]
        lines.append(tag("p", text(f"{_answer(label)}, {100 * likelihood:.0f} % likely, by {label.annotator}")))
        if not campaign.archived and not campaign.paused:
            lines.append(button("again", campaign, "Ask again", "small", data_value=label.id))
        items += pictured_label(label, tokens.get(label.id, ""), lines)
    if not items:
        return ""
    summary = tag("summary", text(f"Answers that the others make unlikely: {len(rows)}"))
    about = tag("p", "Slips, or what the features do not see. Asked again, both answers count.", class_="hint")
    return tag("details", summary + about + tag("ul", items, class_="marks"), data_keep=f"doubtful-{campaign.id}")


def _answer(label: Label) -> str:
    """What was said of the pictures as they stood on the screen."""
    answer = label.answer
    if answer.mode == "thumb":
        return "good" if answer.good else "bad"
    order = label.order or tuple(range(len(label.pictures)))
    best = [str(place) for place, picture in enumerate(order, start=1) if answer.ranks and answer.ranks[picture] == 1]
    return "equal" if len(best) == len(order) else f"picture {' and '.join(best)} preferred"


def _features(studio: Studio, campaign: Campaign) -> str:
    names = studio.tastes.extractors(campaign.id)
    if len(names) < 2:
        return ""
    chosen = studio.tastes.extractor(campaign.id)
    options = "".join(tag("option", text(name), value=name, selected=name == chosen) for name in names)
    menu = tag("select", options, data_op="features", data_campaign=str(campaign.id))
    return tag("label", "Learned on the features " + menu, class_="field")


def _ask(studio: Studio, campaign: Campaign) -> str:
    """Further questions about the campaign's own pictures, for one of those who label."""
    if campaign.mode != "pair" or campaign.purpose == "eval" or campaign.archived:
        return ""
    people = [person.alias for person in studio.labels.annotators()]
    if not people:
        return ""
    options = "".join(tag("option", text(alias), value=alias) for alias in people)
    field = {"data_value_of": "ask", "data_field": "count", "aria_label": "How many questions"}
    count = f"<input{attributes({'type': 'number', 'min': 1, 'max': MAX_MORE, 'value': MORE, **field})}>"
    label = "Whose taste they are to tell"
    who = tag("select", options, data_value_of="ask", data_field="annotator", aria_label=label)
    ask = button("ask", campaign, "Ask more", "action")
    about = (
        "Further pairs of the same pictures, those whose answers tell most about this person's taste; one in five at "
        "random. Nothing is drawn for them."
    )
    return tag("div", tag("span", ask + count + who, class_="more"), class_="campaign-acts") + tag(
        "p", text(about), class_="hint"
    )
