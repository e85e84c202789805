"""What learns: any loss, on low-rank factors over a network that others draw with meanwhile.

It gives way after every evaluation of the network; at each of these places the network is as it was. What it learns
from is in studio.training.lora.batches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput, NonFinite
from studio.diffusion.predictions import STATE, UNCONDITIONAL, Loss, Need, Prediction
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.trainable import TrainableEdit
from studio.engine.kinds import Steps
from studio.engine.resident import room_of
from studio.models.bundle import ModelBundle
from studio.training.lora.batches import RETAINED, Batches
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.losses import measures_of, terms_of
from studio.training.lora.plan import Plan
from studio.training.lora.policies import SchedulePlan
from studio.training.lora.questions import Batch, ask, draw_anchors, strengths_of
from studio.training.lora.retention import Retainer
from studio.training.lora.standing import Standing
from studio.training.lora.strength import Strength

_BASE, _NOW = Need("base", "frozen", RETAINED), Need("now", "student", RETAINED)
_PROBE_SEEDS = 2**42  # from here on: of the noise that the base's error is measured at


class Training:
    """What learns, apart from any job. Used on the engine's thread only."""

    def __init__(self, plan: Plan, loss: Loss, bundle: ModelBundle, beneath: EditStack = EMPTY) -> None:
        """beneath: in force in every evaluation of a step, and nowhere else: the states are the base's own.

        Raises BadInput for a plan that does not fit the loss or the model."""
        plan.check_columns({need.condition for need in loss.needs if need.by != "truth"} - {UNCONDITIONAL})
        is_noise_known = plan.pictures is not None or (plan.bank is not None and plan.bank.renoised)
        if not is_noise_known and any(need.by == "truth" for need in loss.needs):
            raise BadInput(f"The loss {plan.loss!r} learns from pictures, and this plan has none.", field="pictures")
        states = {STATE, *(plan.pictures.partners if plan.pictures is not None else ())}
        if wrong := next((need.state for need in loss.needs if need.state not in states), None):
            raise BadInput(f"The loss {plan.loss!r} asks for the state {wrong!r}, which this plan has not.")
        chosen = set(bundle.edit_targets().get(plan.layers, ()))
        self.plan, self.loss, self.bundle, self._beneath = plan, loss, bundle, beneath
        self.edit = TrainableEdit.on(
            bundle.components(),
            lambda component, path: f"{component}.{path}" in chosen,
            rank=plan.rank,
            alpha=plan.alpha,
            seed=plan.seed,
        )
        self.components = sorted({component for component, _ in self.edit.factors})
        self.schedule = plan.schedule or SchedulePlan()
        betas = (0.9, self.schedule.beta2)
        self.optimiser = torch.optim.AdamW(
            self.edit.parameters(), lr=plan.lr, betas=betas, weight_decay=plan.weight_decay
        )
        self.averages = self.edit.state() if plan.ema else {}
        self.generator = torch.Generator().manual_seed(plan.seed)
        self._settled = self.generator.get_state()  # as it was between two steps: one that was begun is drawn again
        self.step, self.seconds = 0, 0.0
        self.retainer = Retainer(plan.retention) if plan.retention is not None else None
        self.batches = Batches(plan, loss, bundle, self.generator)
        self.strength = Strength(plan.auto) if plan.auto is not None else None
        self.measures: dict[str, float] = {}

    @property
    def pace_s(self) -> float:
        """What a step takes, in seconds; 0 before the first."""
        return self.seconds / self.step if self.step else 0.0

    @property
    def base(self) -> str:
        """Hash of the model it learns on, with its configuration: what its bits depend on."""
        return self.bundle.model_hash

    def prepare(
        self, checkpoints: Checkpoints, pictures: Mapping[str, str], latents: Mapping[str, str] | None = None
    ) -> Steps:
        """Make the states it learns at, where that has not been done; as `Batches.prepare`."""
        yield from self.batches.prepare(checkpoints, self.standing, pictures, latents or {})

    def probe(self) -> Steps:
        """Find the parameter that the plan leaves to be found, where that has not been done; it is prepared by then.

        Yields after every evaluation of the network. Raises BadInput for a loss that tells no error of the base's.
        """
        auto = self.plan.auto
        if auto is None or self.strength is None or self.strength.value:
            return
        generator = torch.Generator().manual_seed((self.plan.seed + _PROBE_SEEDS) % 2**63)
        rows = torch.randint(self.plan.learned_rows, (auto.draws,), generator=generator)
        sums: dict[str, float] = {}
        for part in rows.split(self.plan.batch):
            for name, value in self.tried(self.batches.placed(part, generator), is_base=True).items():
                sums[name] = sums.get(name, 0.0) + value * len(part) / auto.draws
            yield
        self.strength.find(sums)
        self.loss = self.strength.applied(self.loss)

    def advance(self) -> Steps:
        """One step of the optimiser. Yields after every evaluation of the network but the last.

        Raises NonFinite, naming the part of the loss; the factors are those of the step before then.
        """
        began = time.monotonic()
        self._settled = self.generator.get_state()
        batch, retained = self.batches.draw(), self.batches.draw_retained()
        frozen, student = ([(batch, need) for need in self.loss.needs if need.by == by] for by in ("frozen", "student"))
        if retained is not None:
            frozen.append((retained, _BASE))
            student.append((retained, _NOW))
        predictions = {need.name: batch.truth(need.state) for need in self.loss.needs if need.by == "truth"}
        anchors = draw_anchors(batch, self.loss.needs, self.bundle, self.generator)
        answers: dict[tuple[int, str], Prediction] = {}
        asides = [(batch, need) for need in self.batches.asides]
        if frozen or asides:
            strengths = [0.0 for question, _ in frozen for _ in question.x] + strengths_of(asides)
            with self.edited(), torch.no_grad(), self.edit.applied(rows=strengths) if asides else nullcontext():
                answers |= ask([*frozen, *asides], self.bundle, anchors)
            yield
        parameters = self.edit.parameters()
        with self.edited(), torch.enable_grad():  # the gradient too passes through the weights as they are edited
            with self.edit.applied(rows=strengths_of(student)):
                answers |= ask(student, self.bundle, anchors)
            predictions |= {need.name: answers[id(batch), need.name] for need in self.loss.needs if need.by != "truth"}
            terms = terms_of(self.loss, predictions, batch.numbers)
            for name, term in terms.items():
                self._check(name, term)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            gradients = self._gradients(total, answers, retained)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.plan.clip)
        self._check("its gradient", norm)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.lr * self.schedule.factor(self.step + 1, self.plan.steps)
        self.optimiser.step()
        if self.retainer is not None:
            self.retainer.settle(parameters)
        self.batches.walk_on(batch, answers)
        self.step += 1
        self._settled = self.generator.get_state()
        decay = min(self.plan.ema, self.step / (self.step + 10))
        for name, parameter in self.edit.parameters_by_name().items() if self.averages else ():
            self.averages[name].lerp_(parameter.detach().cpu(), 1 - decay)
        self.seconds += time.monotonic() - began
        self.measures = {name: float(term.detach()) for name, term in terms.items()}
        self.measures |= {"loss": float(total.detach()), "gradient norm": float(norm)}
        self.measures |= self.retainer.measures() if self.retainer is not None else {}
        self.measures |= measures_of(self.loss, predictions)
        if self.strength is not None:
            self.strength.step(self.measures)
            self.loss = self.strength.applied(self.loss)
            self.measures |= self.strength.plain

    def tried(self, batch: Batch, is_base: bool = False) -> dict[str, float]:
        """The loss and its measures of a batch that nothing is learned from. is_base: of the reference, as it is."""
        frozen, student = ([(batch, need) for need in self.loss.needs if need.by == by] for by in ("frozen", "student"))
        strengths = strengths_of(student)
        answers: dict[tuple[int, str], Prediction] = {}
        with self.edited(), torch.no_grad():
            if frozen:
                answers |= ask(frozen, self.bundle)
            with self.edit.applied(rows=[0.0] * len(strengths) if is_base else strengths):
                answers |= ask(student, self.bundle)
            predictions = {
                need.name: batch.truth(need.state) if need.by == "truth" else answers[id(batch), need.name]
                for need in self.loss.needs
            }
            terms = terms_of(self.loss, predictions, batch.numbers)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
        return {**measures_of(self.loss, predictions), "loss": float(loss)}

    @contextmanager
    def edited(self) -> Iterator[None]:
        """Within it the network has the edits beneath; afterwards it is the base."""
        room = room_of(self.bundle)
        room.use(self._beneath)
        try:
            yield
        finally:
            room.use(EMPTY)

    def _gradients(
        self, total: Tensor, answers: Mapping[tuple[int, str], Prediction], retained: Batch | None
    ) -> Sequence[Tensor]:
        """What to descend along, in the order of the parameters."""
        parameters = self.edit.parameters()
        if self.retainer is None or retained is None or retained.widths is None:
            return torch.autograd.grad(total, parameters, materialize_grads=True)
        student, teacher = (answers[id(retained), need.name] for need in (_NOW, _BASE))
        term = self.retainer.term(student, teacher, retained.widths)
        self._check("retention", term)
        return self.retainer.gradients(total, term, parameters)

    def snapshot(self, provenance: Mapping[str, Any] | None = None) -> Edit:
        """The present state as an edit, averaged where the plan says so."""
        bases = {name: room_of(self.bundle).fingerprint(name) for name in self.components}
        plan = {name: value for name, value in self.plan.plain().items() if name != "provenance"}
        origin = {"training": plan, "steps": self.step, **self.plan.provenance, **(provenance or {})}
        if self.strength is not None and self.strength.value:
            origin["found"] = self.strength.plain
        edit = self.edit.edit(self.plan.name, base=bases, provenance=origin, values=self.averages or None)
        return replace(edit, version=int(self.plan.provenance.get("version", 1)))

    def checkpoint(self) -> Checkpoint:
        """All it needs to go on, besides the bank."""
        tensors = {f"factors/{name}": value for name, value in self.edit.state().items()}
        tensors |= {f"average/{name}": value.clone() for name, value in self.averages.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{name}": value.detach().cpu().clone() for name, value in moments.items()}
        tensors |= {f"pool/{name}": value for name, value in self.batches.state().items()}
        if self.retainer is not None:
            tensors["multiplier/"] = torch.tensor(self.retainer.multiplier, dtype=torch.float64)
        if self.strength is not None:
            tensors["strength/"] = self.strength.state()
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
        groups = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**groups, "state": moments})
        self.generator.set_state(parts["generator"][""])
        self._settled = self.generator.get_state()
        if "pool" in parts:
            self.batches.load(parts["pool"])
        if self.retainer is not None:
            self.retainer.multiplier = float(parts["multiplier"][""])
        if self.strength is not None and "strength" in parts:
            self.strength.load(parts["strength"][""])
            if self.strength.value:
                self.loss = self.strength.applied(self.loss)
        self.step, self.seconds = checkpoint.standing.step, checkpoint.standing.seconds

    def _check(self, name: str, number: Tensor) -> None:
        if not bool(torch.isfinite(number.detach())):
            raise NonFinite(
                f"The training stopped being numbers at step {self.step + 1}; it began with {name}.",
                "Take a lower learning rate; what it had learned by then is kept.",
            )
