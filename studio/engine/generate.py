"""The kind of job "generate": one picture for each recipe, drawn together where they may be."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from studio.core.errors import OutOfMemory
from studio.core.recipe import LIVE, Recipe
from studio.engine.account import Accounts
from studio.engine.ahead import why_wide, widest
from studio.engine.edits.format import Edit
from studio.engine.edits.gates import build_gate
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.kinds import JobContext, Steps, Tell, heed
from studio.engine.latents import INITIAL, initial_hash, latents_file
from studio.engine.memory import give_back
from studio.engine.order import Order, SampleOptions
from studio.engine.progress import Progress
from studio.engine.resident import room_of
from studio.engine.sampler import Picture, finished_in_turns
from studio.engine.trajectory import StepReport
from studio.engine.trouble import SMALLER, is_out_of_memory
from studio.engine.weak import asks_weak, no_weak
from studio.models.bundle import ModelBundle
from studio.prompts.conditions import Said

OnStep = Callable[[StepReport], None]


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Make pictures; yields after every evaluation of the network.

    job: "recipes" (plain values, one for each picture), "edits" (EditRef.edit -> file); where they are given, "account"
    (keep with each picture what guidance did at its steps), "latents" (keep with each those it was decoded from, and a
    hash of those it began with), "previews" (whether anybody looks at unfinished ones) and "origin" (what they are
    drawn for).
    Tells "started", "progress", "preview", "image" and "done".
    Raises what `sample` and `ModelStore.lease` do, OutOfMemory with something smaller to try.
    """
    engine = context.engine
    recipes = [Recipe.load(values) for values in job["recipes"]]
    try:
        yield from _draw(_orders(recipes, job, context), job, context)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # The error holds the frames it came through, and these hold all that there was no room for.
        traceback.clear_frames(error.__traceback__)
        give_back(engine.device)
        largest = max(recipes, key=lambda recipe: recipe.width * recipe.height)
        raise OutOfMemory(
            f"There was not enough memory on {engine.device.type} for {largest.width} x {largest.height} pixels.",
            _smaller(largest, engine.default_size_px),
        ) from None
    finally:
        if engine.device.type == "cuda":
            torch.cuda.empty_cache()


def _orders(recipes: Sequence[Recipe], job: Mapping[str, Any], context: JobContext) -> list[Order]:
    orders: list[Order] = []
    for recipe in recipes:
        heed(context.should_stop)  # an edit's file may be large
        stack = context.engine.shelf.stack(recipe.edits, job.get("edits", {}), recipe.steps)
        orders.append(Order(recipe, stack))
    return orders


def _draw(orders: Sequence[Order], job: Mapping[str, Any], context: JobContext) -> Steps:
    engine, should_stop, tell = context.engine, context.should_stop, _of_origin(job, context.tell)
    tell("started", {"images": len(orders)})
    began = time.monotonic()
    has_previews = engine.config.previews and job.get("previews", True)
    progress = Progress([order.recipe for order in orders], tell, has_previews)
    pictures = 0
    for name in dict.fromkeys(order.recipe.model for order in orders):
        indices = [index for index, order in enumerate(orders) if order.recipe.model == name]
        company = [orders[index] for index in indices]
        recipes = [order.recipe for order in company]
        max_rows = _check_memory(engine, name, recipes, should_stop)
        with ExitStack() as leases:
            is_edited = any(order.stack.whole.entries for order in company)
            bundle = leases.enter_context(engine.lease(name, should_stop, is_edited))
            weak = _weak(leases, engine, recipes, should_stop)
            progress.begin(engine.note(bundle), indices)
            accounts = Accounts(bundle, recipes) if job.get("account") else None
            turns = finished_in_turns(
                bundle,
                [_gated(order, bundle, engine.config.gates) for order in company],
                progress if accounts is None else _both(accounts, progress),
                should_stop,
                SampleOptions(max_rows, weak, diagnose=accounts is not None),
            )
            for turn in turns:
                if turn is None:
                    yield
                    continue
                place, picture, latents = turn
                pictures += 1
                data = _told(orders[indices[place]], picture, bundle, weak)
                data |= {"image": indices[place], "seconds": round(time.monotonic() - began, 3)}
                if job.get("latents"):
                    data["latents"] = latents_file(latents)
                    data["made_by"][INITIAL] = initial_hash(recipes[place], bundle)
                tell("image", data if accounts is None else {**data, "account": accounts.take(place)})
    tell("done", {"images": pictures, "seconds": round(time.monotonic() - began, 3)})


def _told(order: Order, picture: Picture, bundle: ModelBundle, weak: ModelBundle | None) -> dict[str, Any]:
    """What is told of a finished picture, but for its place and its time."""
    return {
        "recipe": order.recipe.model_dump(mode="json"),
        "made_by": _made_by(order, bundle, weak),
        "rgb": picture.tobytes(),
        "width": picture.shape[1],
        "height": picture.shape[0],
    }


def _made_by(order: Order, bundle: ModelBundle, weak: ModelBundle | None) -> dict[str, Any]:
    """unfinished: of each edit that was still being trained, the steps it had by then."""
    refs, made_by = order.recipe.edits, bundle.made_by()
    if weak is not None and asks_weak(order.recipe):
        made_by["weak_hash"] = weak.model_hash
    if any(ref.edit.startswith(LIVE) for ref in refs):
        used = zip((ref.edit for ref in refs if ref.strength), order.stack.whole, strict=True)
        made_by["unfinished"] = {ref: edit.provenance["steps"] for ref, (edit, _) in used if ref.startswith(LIVE)}
    return made_by


def _gated(order: Order, bundle: ModelBundle, gates: Mapping[str, str]) -> Order:
    """The order with the strengths that its edits' gates give its prompt. Raises BadInput for an edit without one."""
    stack = order.stack
    if isinstance(stack, EditStack) or not stack.auto:
        return order

    def share(edit: Edit) -> float:
        return build_gate(edit.name, edit.provenance, gates).strength(order.recipe.prompt, bundle)

    room_of(bundle).use(EMPTY)  # a gate reads the prompt as the base does
    return Order(order.recipe, stack.gated(share))


def _weak(
    leases: ExitStack, engine: Any, recipes: Sequence[Recipe], should_stop: Callable[[], bool]
) -> ModelBundle | None:
    """The early checkpoint of their model, held, if one of them asks it. Raises BadInput if there is none."""
    asking = next((recipe for recipe in recipes if asks_weak(recipe)), None)
    if asking is None:
        return None
    weak = leases.enter_context(engine.store.lease_early(asking.model, should_stop))
    if weak is None:
        raise no_weak(asking.model, asking.guidance)
    return weak


def _check_memory(engine: Any, name: str, recipes: Sequence[Recipe], should_stop: Callable[[], bool]) -> int:
    """Raise OutOfMemory for what this device can never hold, before anything is loaded for it.

    Gives how many rows of these pictures may run together: no more than there is room for.
    """
    store, most = engine.store, engine.config.max_rows
    card, count = store.card(name), store.chunks(name)

    def chunks(text: Said) -> int:  # tokenised to be counted, which takes long texts milliseconds each
        heed(should_stop)
        return count(text)

    alike = dict.fromkeys(recipe.model_copy(update={"seed": 0, "variation_seed": None}) for recipe in recipes)
    rows = {recipe: min(widest(recipe, card, chunks), most) for recipe in alike}
    hardest = max(rows, key=lambda recipe: rows[recipe] * recipe.width * recipe.height)
    largest = max(rows, key=lambda recipe: recipe.width * recipe.height)  # one picture is decoded at a time
    for extreme in (hardest, largest):
        store.check_fits(name, rows[extreme], extreme.width, extreme.height, why_wide(extreme))
    room = store.most_rows(name, largest.width, largest.height)
    # Never fewer than one picture asks for at once: alone it has been found to fit, and where its evaluations are
    # split must not depend on its company.
    return most if room is None else min(most, max(room, *rows.values()))


def _smaller(recipe: Recipe, size_px: int) -> str:
    """What to try in its place. size_px: the model's own."""
    if recipe.width * recipe.height > size_px * size_px:
        return f"Take {max(size_px, recipe.width // 16 * 8)} x {max(size_px, recipe.height // 16 * 8)}."
    return SMALLER


def _of_origin(job: Mapping[str, Any], tell: Tell) -> Tell:
    """Tells with every picture what it was drawn for, where the job says so."""
    if "origin" not in job:
        return tell
    return lambda kind, data: tell(kind, {**data, "origin": job["origin"]} if kind == "image" else data)


def _both(first: OnStep, second: OnStep) -> OnStep:
    def on_step(report: StepReport) -> None:
        first(report)
        second(report)

    return on_step
