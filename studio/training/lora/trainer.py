"""The one trainer: any loss, on low-rank factors over a network that others draw with meanwhile.

A kind of job (studio.engine.kinds). It gives way after every evaluation of the network; at each of these places the
network is as it was. What it needs to go on is in one file, and a run that was killed at any instant ends with the bits
of one that was not (same machine, same number of threads).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput, Cancelled, NonFinite, WorkspaceError
from studio.core.recipe import LIVE
from studio.engine.edits.files import to_bytes
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EMPTY
from studio.engine.edits.trainable import TrainableEdit
from studio.engine.kinds import JobContext, Steps
from studio.engine.resident import room_of
from studio.models.bundle import Conditioning, ModelBundle
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error
from studio.training.lora.checkpoints import Checkpoint, Checkpoints, Standing
from studio.training.lora.files import BANK, EDIT
from studio.training.lora.losses import STATE, Loss, Need, Prediction, build_loss
from studio.training.lora.measures import Measures
from studio.training.lora.plan import Plan
from studio.training.lora.states import Bank, walk

CHECKPOINT_EVERY_S = 30.0


@dataclass(frozen=True, eq=False)
class _Batch:
    """rows: [B], of the plan's prompts. x: [B, C, h, w]. t: [B]. a, s: [B, 1, 1, 1], with x = a x0 + s eps."""

    rows: Tensor
    x: Tensor
    t: Tensor
    a: Tensor
    s: Tensor


class Training:
    """What learns and what it learns from, apart from any job. Used on the engine's thread only."""

    def __init__(self, plan: Plan, loss: Loss, bundle: ModelBundle) -> None:
        """Raises BadInput for a plan that does not fit the loss or the model."""
        plan.check_columns({need.condition for need in loss.needs})
        if wrong := next((need.state for need in loss.needs if need.state != STATE), None):
            raise BadInput(f"The loss {plan.loss!r} asks for the state {wrong!r}, which this plan has not.")
        chosen = set(bundle.edit_targets().get(plan.layers, ()))
        self.plan, self.loss, self.bundle = plan, loss, bundle
        self.edit = TrainableEdit.on(
            bundle.components(),
            lambda component, path: f"{component}.{path}" in chosen,
            rank=plan.rank,
            alpha=plan.alpha,
            seed=plan.seed,
        )
        self.components = sorted({component for component, _ in self.edit.factors})
        self.optimiser = torch.optim.AdamW(self.edit.parameters(), lr=plan.lr, weight_decay=plan.weight_decay)
        self.averages = self.edit.state() if plan.ema else {}
        self.generator = torch.Generator().manual_seed(plan.seed)
        self._settled = self.generator.get_state()  # as it was between two steps: one that was begun is drawn again
        self.step, self.seconds = 0, 0.0
        self.bank: Bank | None = None
        self.measures: dict[str, float] = {}

    @property
    def base(self) -> str:
        """Hash of the model it learns on, with its configuration: what its bits depend on."""
        return self.bundle.model_hash

    def prepare(self, checkpoints: Checkpoints) -> Steps:
        """Walk the base's ways, where that has not been done. Raises WorkspaceError, AssetError, BadInput."""
        kept = checkpoints.read(self.plan.digest, self.base, BANK)
        if kept is not None:
            self.bank = Bank(kept.tensors["x"], kept.tensors["t"])
        else:
            self.bank = yield from walk(self.plan, self.bundle)
            checkpoints.write(Checkpoint(self.standing, {"x": self.bank.x, "t": self.bank.t}), BANK)

    def advance(self) -> Steps:
        """One step of the optimiser. Yields after every evaluation of the network but the last.

        Raises NonFinite, naming the part of the loss; the factors are those of the step before then.
        """
        began = time.monotonic()
        self._settled = self.generator.get_state()
        batch = self._batch()
        room_of(self.bundle).use(EMPTY)
        frozen, student = ([need for need in self.loss.needs if need.by == by] for by in ("frozen", "student"))
        predictions: dict[str, Prediction] = {}
        if frozen:
            with torch.no_grad():
                predictions |= self._predict(frozen, batch)
            yield
            room_of(self.bundle).use(EMPTY)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.enable_grad():
            with self.edit.applied():
                predictions |= self._predict(student, batch)
            terms = dict(self.loss.terms(predictions))
            for name, term in terms.items():
                self._check(name, term)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.edit.parameters(), self.plan.clip)
        self._check("its gradient", norm)
        self.optimiser.step()
        self.step += 1
        self._settled = self.generator.get_state()
        decay = min(self.plan.ema, self.step / (self.step + 10))
        for name, parameter in self.edit.parameters_by_name().items() if self.averages else ():
            self.averages[name].lerp_(parameter.detach().cpu(), 1 - decay)
        self.seconds += time.monotonic() - began
        self.measures = {name: float(term.detach()) for name, term in terms.items()}
        self.measures |= {"loss": float(total.detach()), "gradient norm": float(norm)}

    def snapshot(self, provenance: Mapping[str, Any] | None = None) -> Edit:
        """The present state as an edit, averaged where the plan says so."""
        bases = {name: room_of(self.bundle).fingerprint(name) for name in self.components}
        origin = {"training": self.plan.model_dump(mode="json"), "steps": self.step, **(provenance or {})}
        return self.edit.edit(self.plan.name, base=bases, provenance=origin, values=self.averages or None)

    def checkpoint(self) -> Checkpoint:
        """All it needs to go on, besides the bank."""
        tensors = {f"factors/{name}": value for name, value in self.edit.state().items()}
        tensors |= {f"average/{name}": value.clone() for name, value in self.averages.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{name}": value.detach().cpu().clone() for name, value in moments.items()}
        return Checkpoint(self.standing, tensors | {"generator": self._settled})

    @property
    def standing(self) -> Standing:
        """How far it is, and what it belongs to."""
        return Standing(self.plan.digest, self.base, self.step, self.seconds, torch.get_num_threads())

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of this plan on this base. Raises BadInput for one of another edit."""
        parts: dict[str, dict[str, Tensor]] = {}
        for name, value in checkpoint.tensors.items():
            kind, _, rest = name.partition("/")
            parts.setdefault(kind, {})[rest] = value
        self.edit.load(parts["factors"])
        self.averages = {name: value.clone() for name, value in parts.get("average", {}).items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts.get("optimiser", {}).items():
            number, _, moment = name.partition("/")
            moments.setdefault(int(number), {})[moment] = value.clone()
        kept = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**kept, "state": moments})
        self.generator.set_state(parts["generator"][""])
        self._settled = self.generator.get_state()
        self.step, self.seconds = checkpoint.standing.step, checkpoint.standing.seconds

    def _batch(self) -> _Batch:
        assert self.bank is not None
        device = self.bundle.device
        rows = torch.randint(len(self.plan.prompts), (self.plan.batch,), generator=self.generator)
        x, t = self.bank.draw(rows, self.generator)
        a, s = (part.float().view(-1, 1, 1, 1).to(device) for part in self.bundle.schedule.at(t.double()))
        return _Batch(rows, x.to(device), t.to(device), a, s)

    def _predict(self, needs: Sequence[Need], batch: _Batch) -> dict[str, Prediction]:
        """All of them in one evaluation."""
        size = len(batch.x)
        told = [self.plan.prompts[row][need.condition] for need in needs for row in batch.rows.tolist()]
        raw = self.bundle.predict(
            batch.x.repeat(len(needs), 1, 1, 1), batch.t.repeat(len(needs)), self._encoded(tuple(told))
        )
        return {
            need.name: Prediction(self.bundle.parameterisation, part, batch.x, batch.a, batch.s)
            for need, part in zip(needs, raw.split(size), strict=True)
        }

    def _encoded(self, prompts: tuple[str, ...]) -> Conditioning:
        """Made outside of inference mode, in which what the page encodes is made: gradients pass by it."""
        with torch.inference_mode():
            encoded = self.bundle.encode(prompts)
        return Conditioning(encoded.tokens.clone(), {name: extra.clone() for name, extra in encoded.extras.items()})

    def _check(self, name: str, number: Tensor) -> None:
        if not bool(torch.isfinite(number.detach())):
            raise NonFinite(
                f"The training stopped being numbers at step {self.step + 1}; it began with {name}.",
                "Take a lower learning rate; what it had learned by then is kept.",
            )


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Train, or go on training.

    job: "id", "plan" (see Plan), "folder" (of the checkpoint: the same for every try at the same training), and
    "checkpoint_every_s" where it is not 30. Tells
    "measure", "progress" and, at its end or where it is stopped, the "edit" it has. Raises NotFound, BadInput,
    AssetError, NonFinite.
    """
    engine, tell = context.engine, context.tell
    plan, folder = Plan.load(job["plan"]), Path(str(job["folder"]))
    loss = build_loss(plan.loss, plan.loss_params, engine.config.losses)
    tell("started", {"images": 0})
    began = time.monotonic()
    with ExitStack() as held:
        bundle = held.enter_context(engine.store.lease(plan.model, context.should_stop))
        training, checkpoints = Training(plan, loss, bundle), Checkpoints(folder)
        if (kept := checkpoints.read(plan.digest, training.base)) is not None:
            training.resume(kept)
        yield from training.prepare(checkpoints)
        live = f"{LIVE}{job['id']}"
        engine.shelf.hold(live, training.snapshot)
        held.callback(engine.shelf.release, live)
        measures = Measures(folder, tell, training.step)
        keep = _Keeper(training, checkpoints, measures, float(job.get("checkpoint_every_s", CHECKPOINT_EVERY_S)))
        try:
            while training.step < plan.steps:
                yield from training.advance()
                measures.add(training.step, training.measures, last=training.step == plan.steps)
                keep.now_and_then()
                tell("progress", _progress(training, keep.trouble))
                yield
        except (Cancelled, NonFinite):
            keep.all()
            if training.step:
                with suppress(WorkspaceError):  # why it ends is what is to be told
                    tell("edit", _written(training, folder))
            raise
        keep.all()
        tell("edit", _written(training, folder))
    tell("done", {"images": 0, "seconds": round(time.monotonic() - began, 3)})


class _Keeper:
    """Writes checkpoints. A disk that does not take one is told, and tried again; the training goes on."""

    def __init__(self, training: Training, checkpoints: Checkpoints, measures: Measures, every_s: float) -> None:
        self._every_s = every_s
        self._training, self._checkpoints, self._measures = training, checkpoints, measures
        self._last_s = time.monotonic()
        self.trouble = ""

    def now_and_then(self) -> None:
        if time.monotonic() - self._last_s >= self._every_s:
            self.all()

    def all(self) -> None:
        self._last_s = time.monotonic()
        try:
            self._checkpoints.write(self._training.checkpoint())
            self._measures.write()
            self.trouble = ""
        except WorkspaceError as error:
            self.trouble = f"{error.message} The training goes on and tries again."


def _progress(training: Training, trouble: str) -> dict[str, Any]:
    step, steps = training.step, training.plan.steps
    left_s = training.seconds / step * (steps - step)
    told = {"step": step, "steps": steps, "left_s": round(left_s, 1), "done": step / steps}
    return {**told, "trouble": trouble} if trouble else told


def _written(training: Training, folder: Path) -> dict[str, Any]:
    """Write the edit where the studio takes it over from. Raises WorkspaceError."""
    edit, path = training.snapshot(), folder / EDIT
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, to_bytes(edit))
    except OSError as error:
        raise workspace_error(error, "The edit that was trained") from None
    return {
        "path": str(path),
        "name": edit.name,
        "sha256": edit.sha256,
        "steps": training.step,
        "final": training.step == training.plan.steps,
    }
