"""Under the edit stack: how erasures in closed form that are on act together, and one solve that takes their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound, StudioError
from studio.services.together import Member, Reach, refs_replaced
from studio.ui import edit_stack
from studio.ui.components.progress import progress
from studio.ui.edit_stack import EditRow, Stack
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio

# Share on its way under which an erasure is marked. Measured on Stencil, 24 pictures each, two to six objects erased on
# top of each other: from .69 on all pictures showed the substitute, at .62 only 15 did (solved together, .91: all).
ENOUGH = 0.65


@dataclass(frozen=True)
class Mutual:
    """How a stack's erasures act together.

    html: what is said under the rows; "" where fewer than two are on.
    disturbed: a row's edit -> a sentence, of those that the others disturb.
    """

    html: str = ""
    disturbed: Mapping[str, str] = field(default_factory=dict[str, str])


def mutual(studio: Studio, stack: Stack, entries: Mapping[str, EditEntry], model: str) -> Mutual:
    """What is known of a stack; a look is queued where nothing is yet. entries: of its edits, by their rows."""
    rows = {row.edit: row for row in stack.rows}
    members = studio.together.members({name: entries[name] for name in rows if name in entries}, model)
    acting = _acting(members, rows)
    if len(acting) < 2:
        return Mutual()
    if _is_one_solution(acting):
        return Mutual(
            _section(tag("p", "These are shares of one joint solution: they know of each other.", class_="hint"))
        )
    try:
        job = studio.together.look(model, members)
        reaches = studio.together.reaches(job, members)
    except StudioError as error:
        return Mutual(_section(tag("p", text(sentence(error)), class_="hint"), _offers(acting, rows)))
    if reaches is None:
        return Mutual(_section(progress("Reads how they act together", 0, 1, "", job), _offers(acting, rows)))
    return _measured(reaches, members, acting, rows)


def start(studio: Studio, stack: Stack, model: str, sliders: bool) -> Stack:
    """Solve for all erasures that are on, in one; the stack is as it was until that is done. Raises BadInput."""
    if stack.solving:
        raise BadInput("They are being solved together already.", "Wait until that is done.")
    rows = {row.edit: row for row in stack.rows}
    acting = _acting(studio.together.members(studio.edits.known(rows), model), rows)
    return replace(stack, solving=studio.together.solve(acting, sliders))


def solving_html(studio: Studio, stack: Stack) -> str:
    """That a solve is under way; "" else."""
    if not stack.solving:
        return ""
    return progress("Solves the erasures together", 0, 1, "", stack.solving)


def advanced(studio: Studio, stack: Stack) -> tuple[Stack, str]:
    """The stack when its solve is done: one edit, or one for each concept, in the place of those that it was made of.

    Gives what to say as well, as HTML. A solve that failed, or whose edits have left the stack, changes no row.
    """
    if not stack.solving:
        return stack, ""
    try:
        events = studio.jobs.events(stack.solving)
        payload = studio.jobs.get(stack.solving).payload
    except NotFound:  # of another workspace
        return replace(stack, solving=""), ""
    if not events[-1].final:
        return stack, ""
    solved, stack = studio.together.solved(stack.solving), replace(stack, solving="")
    if solved is None:
        return stack, alert(str(events[-1].data.get("error") or "The erasures were not solved together."))
    whole, shares = solved
    rows = {row.edit: row for row in stack.rows if row.edit in refs_replaced(payload)}
    if not rows:
        return stack, alert("What was solved together has left the stack. The joint edit is in the workspace.", "note")
    by_concept = _by_concept(studio, rows)
    first = next(iter(rows.values()))
    in_place = [replace(by_concept.get(words, first), edit=edit) for words, edit in shares.items()]
    stack = edit_stack.put_in_place(stack, set(rows), in_place or [replace(first, edit=whole)])
    return stack, alert(_outcome(studio.edits.show(whole)), "note")


# -- inside ---------------------------------------------------------------------------------------------------------


def _acting(members: Sequence[Member], rows: Mapping[str, EditRow]) -> list[Member]:
    """Those that are on, in the stack's order."""
    order = list(rows)
    acting = (member for member in members if rows[member.name].on and rows[member.name].strength)
    return sorted(acting, key=lambda member: order.index(member.name))


def _is_one_solution(members: Sequence[Member]) -> bool:
    plans = [member.solved_with for member in members]
    return plans[0] is not None and all(plan == plans[0] for plan in plans)


def _measured(
    reaches: Sequence[Reach], members: Sequence[Member], acting: Sequence[Member], rows: Mapping[str, EditRow]
) -> Mutual:
    strengths = [rows[member.name].strength if member in acting else 0.0 for member in members]
    is_on = [reach for reach in reaches if strengths[reach.member]]
    disturbed: dict[str, str] = {}
    for reach in is_on:
        if reach.together(strengths) < ENOUGH <= reach.alone(strengths):
            words = _in_words(reach, strengths)
            disturbed[members[reach.member].name] = (
                f"Together{words.removeprefix('together')}. Its pictures may be of neither."
            )
    worst = min(is_on, key=lambda reach: reach.together(strengths) - reach.alone(strengths))
    summary = f"{len(acting)} erasures act together. Most of all they disturb “{worst.concept.words}”: "
    summary += f"{_in_words(worst, strengths)}."
    lines = [tag("p", text(line), class_="hint wrong") for line in disturbed.values()]
    lines = lines or [tag("p", text(summary), class_="hint")]
    return Mutual(_section(*lines, _offers(acting, rows)), disturbed)


def _in_words(reach: Reach, strengths: Sequence[float]) -> str:
    aim = f"to “{reach.concept.substitute}”" if reach.concept.substitute else "to where no word names it"
    return (
        f"together they send “{reach.concept.words}” {reach.together(strengths):.0%} of the way {aim}, its own edit "
        f"alone {reach.alone(strengths):.0%}"
    )


def _offers(acting: Sequence[Member], rows: Mapping[str, EditRow]) -> str:
    """Where the rows do not act alike, one edit could not act as they do."""
    ways = {replace(rows[member.name], edit="") for member in acting}
    joint = "" if len(ways) > 1 else _button("together", "Solve together", "One joint edit takes their place")
    sliders = _button(
        "together_sliders", "Solve together, a slider each", "One edit for each concept, out of one solution"
    )
    return tag("div", joint + sliders, class_="tools")


def _button(op: str, label: str, title: str) -> str:
    why = f"{title}; Undo brings these back"
    return tag("button", label, type="button", class_="small", data_op=op, title=why)


def _section(*parts: str) -> str:
    return tag("section", "".join(parts), class_="together", aria_label="Erasures that act together")


def _by_concept(studio: Studio, rows: Mapping[str, EditRow]) -> dict[str, EditRow]:
    """What is erased -> the row that did it."""
    by_concept: dict[str, EditRow] = {}
    for name, entry in studio.edits.known(rows).items():
        for concept in entry.provenance.get("erasure", {}).get("concepts", ()):
            by_concept.setdefault(str(concept.get("words")), rows[name])
    return by_concept


def _outcome(entry: EditEntry) -> str:
    measures = entry.provenance["measures"]
    words = [str(concept["words"]) for concept in entry.provenance["erasure"]["concepts"]]
    reached = [f"{name} {measures[f'{name}: completeness']:.2f}" for name in words]
    return f"Solved together as {entry.name}. Completeness: {', '.join(reached)}."
