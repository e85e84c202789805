"""What learns, and what it learns from: any loss, on low-rank factors over a network that others draw with meanwhile.

It gives way after every evaluation of the network; at each of these places the network is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput, NonFinite
from studio.diffusion.predictions import STATE, UNCONDITIONAL, Loss, Need, Prediction
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EMPTY
from studio.engine.edits.trainable import TrainableEdit
from studio.engine.kinds import Steps
from studio.engine.resident import room_of
from studio.metrics.divergence import log_snr_widths
from studio.models.bundle import Conditioning, ModelBundle
from studio.training.lora.checkpoints import Checkpoint, Checkpoints, Standing
from studio.training.lora.files import BANK
from studio.training.lora.plan import Plan, PoolPlan
from studio.training.lora.pool import Pool, guided_x0, way_needs
from studio.training.lora.retention import Retainer
from studio.training.lora.states import Bank, Drawn, Renoised, States, encode, walk

RETAINED = "retained"  # the one column of the prompts that must stay
_BASE, _NOW = Need("base", "frozen", RETAINED), Need("now", "student", RETAINED)
_OTHER_SEEDS = 2**40  # from here on: no way under a retained prompt begins as one under the plan's own


@dataclass(frozen=True, eq=False)
class _Batch:
    """What one step learns from, B rows.

    prompts: column -> one for each row.
    x: [B, C, h, w].
    t: [B].
    a, s: [B, 1, 1, 1], with x = a x0 + s eps.
    noise: eps, where it is known.
    widths: [B], share of the log-SNR that a row's time stands for.
    """

    prompts: Mapping[str, Sequence[str]]
    x: Tensor
    t: Tensor
    a: Tensor
    s: Tensor
    noise: Tensor | None = None
    widths: Tensor | None = None


class Training:
    """What learns and what it learns from, apart from any job. Used on the engine's thread only."""

    def __init__(self, plan: Plan, loss: Loss, bundle: ModelBundle) -> None:
        """Raises BadInput for a plan that does not fit the loss or the model."""
        plan.check_columns({need.condition for need in loss.needs if need.by != "truth"} - {UNCONDITIONAL})
        if plan.pictures is None and any(need.by == "truth" for need in loss.needs):
            raise BadInput(f"The loss {plan.loss!r} learns from pictures, and this plan has none.", field="pictures")
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
        self.retainer = Retainer(plan.retention) if plan.retention is not None else None
        self.asides = way_needs(plan.pool, loss.needs)  # which no gradient goes through
        self.pool = self._new_pool(plan.pool) if plan.pool is not None else None
        self._is_staggered = False
        self._states: States | None = None
        self._retained: Bank | None = None
        self._widths: dict[float, float] = {}
        self.measures: dict[str, float] = {}

    @property
    def base(self) -> str:
        """Hash of the model it learns on, with its configuration: what its bits depend on."""
        return self.bundle.model_hash

    def prepare(self, checkpoints: Checkpoints, pictures: Mapping[str, str]) -> Steps:
        """Make the states it learns at, where that has not been done.

        pictures: sha256 -> file, of those the plan names. Raises WorkspaceError, AssetError, BadInput.
        """
        stored = checkpoints.read(self.plan.digest, self.base, BANK)
        if stored is None:
            tensors = yield from self._make_states(pictures)
            if tensors:
                checkpoints.write(Checkpoint(self.standing, tensors), BANK)
        else:
            tensors = stored.tensors
        if self.plan.pictures is not None:
            self._states = Renoised(tensors["x0"], self.plan.pictures, self.bundle.schedule)
        elif self.plan.bank is not None:
            self._states = Bank(tensors["x"], tensors["t"])
        if self.pool is not None and not self._is_staggered:
            yield from self._stagger(self.pool)
        if self.plan.retention is not None:
            self._retained = Bank(tensors["retained/x"], tensors["retained/t"])
            once = self._retained.t[0, :: self.plan.retention.bank.ways]  # the times of one way
            widths = log_snr_widths(once, *self.bundle.schedule.at(once.double())) * len(once)  # one place of so many
            self._widths = dict(zip(once.tolist(), widths.tolist(), strict=True))

    def _new_pool(self, plan: PoolPlan) -> Pool:
        """Apart from the generator of the training: a pool is made at every start, and then taken from a checkpoint."""
        generator = torch.Generator().manual_seed(self.plan.seed)
        side = self.bundle.default_size_px // self.bundle.latent_scale_px
        shape = (self.bundle.latent_channels, side, side)
        return Pool(self.bundle.grid(plan.steps), len(self.plan.prompts), self.plan.batch, shape, generator)

    def _stagger(self, pool: Pool) -> Steps:
        """Take the ways to their places at the beginning, with the base: factors that are fresh change nothing."""
        while bool((behind := pool.at < pool.stagger).any()):
            room_of(self.bundle).use(EMPTY)
            batch = self._batch()
            needs = way_needs(self.plan.pool, ())
            with torch.no_grad():
                answers = self._predict([(batch, need) for need in needs])
            by_condition = {need.condition: answers[id(batch), need.name] for need in needs}
            pool.advance(self._guided(by_condition), self.generator, behind)
            yield
        self._is_staggered = True

    def _guided(self, by_condition: Mapping[str, Prediction]) -> Tensor:
        assert self.plan.pool is not None, "only a plan with a pool has ways"
        return guided_x0(self.plan.pool, self.bundle.parameterisation, by_condition)

    def _make_states(self, pictures: Mapping[str, str]) -> Generator[None, None, dict[str, Tensor]]:
        plan, tensors = self.plan, dict[str, Tensor]()
        if plan.pictures is not None:
            tensors["x0"] = yield from encode(plan.pictures, pictures, self.bundle)
        elif plan.bank is not None:
            prompts = [row[plan.bank.condition] for row in plan.prompts]
            bank = yield from walk(plan.bank, prompts, self.bundle, plan.model, plan.seed)
            tensors |= {"x": bank.x, "t": bank.t}
        if plan.retention is not None:
            size = (
                tuple(side * self.bundle.latent_scale_px for side in tensors["x0"].shape[2:]) if "x0" in tensors else ()
            )
            ways, prompts, seed = plan.retention.bank, plan.retention.prompts, plan.seed + _OTHER_SEEDS
            bank = yield from walk(ways, prompts, self.bundle, plan.model, seed, size)
            tensors |= {"retained/x": bank.x, "retained/t": bank.t}
        return tensors

    def advance(self) -> Steps:
        """One step of the optimiser. Yields after every evaluation of the network but the last.

        Raises NonFinite, naming the part of the loss; the factors are those of the step before then.
        """
        began = time.monotonic()
        self._settled = self.generator.get_state()
        batch, retained = self._batch(), self._retained_batch()
        room_of(self.bundle).use(EMPTY)
        frozen, student = ([(batch, need) for need in self.loss.needs if need.by == by] for by in ("frozen", "student"))
        if retained is not None:
            frozen.append((retained, _BASE))
            student.append((retained, _NOW))
        predictions = {need.name: _truth(batch) for need in self.loss.needs if need.by == "truth"}
        answers: dict[tuple[int, str], Prediction] = {}
        asides = [(batch, need) for need in self.asides]
        if frozen or asides:
            of_student = [False for question, _ in frozen for _ in question.x]
            of_student += [True for question, _ in asides for _ in question.x]
            with torch.no_grad(), self.edit.applied(rows=of_student) if asides else nullcontext():
                answers |= self._predict([*frozen, *asides])
            yield
            room_of(self.bundle).use(EMPTY)
        parameters = self.edit.parameters()
        with torch.enable_grad():
            with self.edit.applied():
                answers |= self._predict(student)
            predictions |= {need.name: answers[id(batch), need.name] for need in self.loss.needs if need.by != "truth"}
            terms = dict(self.loss.terms(predictions))
            for name, term in terms.items():
                self._check(name, term)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            gradients = self._gradients(total, answers, retained)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.plan.clip)
        self._check("its gradient", norm)
        self.optimiser.step()
        if self.retainer is not None:
            self.retainer.settle(parameters)
        if self.pool is not None:
            by_condition = {
                need.condition: answers[id(batch), need.name]
                for need in (*self.asides, *self.loss.needs)
                if need.by == "student"
            }
            self.pool.advance(self._guided(by_condition), self.generator)
        self.step += 1
        self._settled = self.generator.get_state()
        decay = min(self.plan.ema, self.step / (self.step + 10))
        for name, parameter in self.edit.parameters_by_name().items() if self.averages else ():
            self.averages[name].lerp_(parameter.detach().cpu(), 1 - decay)
        self.seconds += time.monotonic() - began
        self.measures = {name: float(term.detach()) for name, term in terms.items()}
        self.measures |= {"loss": float(total.detach()), "gradient norm": float(norm)}
        self.measures |= self.retainer.measures() if self.retainer is not None else {}

    def _gradients(
        self, total: Tensor, answers: Mapping[tuple[int, str], Prediction], retained: _Batch | None
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
        plan = self.plan.model_dump(mode="json", exclude={"provenance"})
        origin = {"training": plan, "steps": self.step, **self.plan.provenance, **(provenance or {})}
        return self.edit.edit(self.plan.name, base=bases, provenance=origin, values=self.averages or None)

    def checkpoint(self) -> Checkpoint:
        """All it needs to go on, besides the bank."""
        tensors = {f"factors/{name}": value for name, value in self.edit.state().items()}
        tensors |= {f"average/{name}": value.clone() for name, value in self.averages.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{name}": value.detach().cpu().clone() for name, value in moments.items()}
        if self.pool is not None:
            tensors |= {f"pool/{name}": value for name, value in self.pool.state().items()}
        if self.retainer is not None:
            tensors["multiplier/"] = torch.tensor(self.retainer.multiplier, dtype=torch.float64)
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
        if self.pool is not None:
            self.pool.load(parts["pool"])
            self._is_staggered = True
        if self.retainer is not None:
            self.retainer.multiplier = float(parts["multiplier"][""])
        self.step, self.seconds = checkpoint.standing.step, checkpoint.standing.seconds

    def _batch(self) -> _Batch:
        if self.pool is not None:
            rows, states = self.pool.rows, self.pool.states()
        else:
            assert self._states is not None, "who advances it has prepared it"
            rows = torch.randint(len(self.plan.prompts), (self.plan.batch,), generator=self.generator)
            states = self._states.draw(rows, self.generator)
        row_prompts = [self.plan.prompts[row] for row in rows.tolist()]
        columns = {UNCONDITIONAL, *(column for row in row_prompts for column in row)}
        return self._placed({column: [row.get(column, "") for row in row_prompts] for column in columns}, states)

    def _retained_batch(self) -> _Batch | None:
        retention = self.plan.retention
        if retention is None or self._retained is None:
            return None
        rows = torch.randint(len(retention.prompts), (retention.batch,), generator=self.generator)
        states = self._retained.draw(rows, self.generator)
        widths = torch.tensor([self._widths[t] for t in states.t.tolist()])
        return self._placed({RETAINED: [retention.prompts[row] for row in rows.tolist()]}, states, widths)

    def _placed(self, prompts: Mapping[str, Sequence[str]], states: Drawn, widths: Tensor | None = None) -> _Batch:
        device = self.bundle.device
        a, s = (part.float().view(-1, 1, 1, 1).to(device) for part in self.bundle.schedule.at(states.t.double()))
        noise = None if states.noise is None else states.noise.to(device)
        widths = None if widths is None else widths.to(device)
        return _Batch(prompts, states.x.to(device), states.t.to(device), a, s, noise, widths)

    def _predict(self, questions: Sequence[tuple[_Batch, Need]]) -> dict[tuple[int, str], Prediction]:
        """All of them in one evaluation, by batch and name."""
        prompts = tuple(prompt for batch, need in questions for prompt in batch.prompts[need.condition])
        raw = self.bundle.predict(
            torch.cat([batch.x for batch, _ in questions]),
            torch.cat([batch.t for batch, _ in questions]),
            self._encoded(prompts),
        )
        parts = raw.split([len(batch.x) for batch, _ in questions])
        return {
            (id(batch), need.name): Prediction(self.bundle.parameterisation, part, batch.x, batch.a, batch.s)
            for (batch, need), part in zip(questions, parts, strict=True)
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


def _truth(batch: _Batch) -> Prediction:
    """As a network would give that knew the noise."""
    assert batch.noise is not None, "a plan without pictures is refused where a loss asks for this"
    return Prediction("epsilon", batch.noise, batch.x, batch.a, batch.s)
