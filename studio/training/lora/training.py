"""What learns, and what it learns from: any loss, on low-rank factors over a network that others draw with meanwhile.

It gives way after every evaluation of the network; at each of these places the network is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput, NonFinite
from studio.diffusion.predictions import STATE, UNCONDITIONAL, Loss, Need, Numbered, Prediction
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.trainable import TrainableEdit
from studio.engine.kinds import Steps
from studio.engine.resident import room_of
from studio.metrics.divergence import log_snr_widths
from studio.models.bundle import ModelBundle
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.files import BANK
from studio.training.lora.losses import measures_of, terms_of
from studio.training.lora.plan import Plan, PoolPlan
from studio.training.lora.policies import SchedulePlan
from studio.training.lora.pool import Pool, guided_x0, is_on_way, way_needs, way_strengths
from studio.training.lora.questions import Batch, ask, draw_anchors, placed, strengths_of
from studio.training.lora.retention import Retainer
from studio.training.lora.standing import Standing
from studio.training.lora.states import Bank, Drawn, States, encode, renoised_ends, renoised_pictures, walk
from studio.training.lora.strength import Strength

RETAINED = "retained"  # the one column of the prompts that must stay
_BASE, _NOW = Need("base", "frozen", RETAINED), Need("now", "student", RETAINED)
_OTHER_SEEDS = 2**40  # from here on: no way under a retained prompt begins as one under the plan's own
_PROBE_SEEDS = 2**42  # from here on: of the noise that the base's error is measured at


class Training:
    """What learns and what it learns from, apart from any job. Used on the engine's thread only."""

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
        self.asides = way_needs(plan.pool, loss.needs)  # which no gradient goes through
        self.strengths = way_strengths(plan.pool, loss.needs)
        self.pool = self._new_pool(plan.pool) if plan.pool is not None else None
        self._is_staggered = False
        self.strength = Strength(plan.auto) if plan.auto is not None else None
        self._states: States | None = None
        self._retained: Bank | None = None
        self._widths: dict[float, float] = {}
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
        """Make the states it learns at, where that has not been done.

        pictures, latents: sha256 -> file, of those the plan names and of what they were decoded from. Raises
        WorkspaceError, AssetError, BadInput.
        """
        stored = checkpoints.read(self.plan.digest, self.base, BANK)
        if stored is None:
            tensors = yield from self._make_states(pictures, latents or {})
            if tensors:
                checkpoints.write(Checkpoint(self.standing, tensors), BANK)
        else:
            tensors = stored.tensors
        if self.plan.pictures is not None:
            self._states = renoised_pictures(tensors["x0"], self.plan.pictures, self.bundle.schedule)
        elif self.plan.bank is not None and self.plan.bank.renoised:
            self._states = renoised_ends(tensors["ends"], self.bundle.schedule)
        elif self.plan.bank is not None:
            self._states = Bank(tensors["x"], tensors["t"])
        if self.pool is not None and not self._is_staggered:
            yield from self._stagger(self.pool)
        if self.plan.retention is not None:
            self._retained = Bank(tensors["retained/x"], tensors["retained/t"])
            once = self._retained.t[0, :: self.plan.retention.bank.ways]  # the times of one way
            widths = log_snr_widths(once, *self.bundle.schedule.at(once.double())) * len(once)  # one place of so many
            self._widths = dict(zip(once.tolist(), widths.tolist(), strict=True))

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
            for name, value in self.tried(self.placed(part, generator), is_base=True).items():
                sums[name] = sums.get(name, 0.0) + value * len(part) / auto.draws
            yield
        self.strength.find(sums)
        self.loss = self.strength.applied(self.loss)

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
                answers = ask([(batch, need) for need in needs], self.bundle)
            of_needs = {(need.condition, need.strength): answers[id(batch), need.name] for need in needs}
            pool.advance(self._guided(of_needs, way_strengths(self.plan.pool, ())), self.generator, behind)
            yield
        self._is_staggered = True

    def _guided(self, of_needs: Mapping[tuple[str, float], Prediction], strengths: Sequence[float]) -> Tensor:
        assert self.plan.pool is not None, "only a plan with a pool has ways"
        return guided_x0(self.plan.pool, self.bundle.parameterisation, of_needs, strengths)

    def _make_states(
        self, pictures: Mapping[str, str], latents: Mapping[str, str]
    ) -> Generator[None, None, dict[str, Tensor]]:
        plan, tensors = self.plan, dict[str, Tensor]()
        if plan.pictures is not None:
            tensors["x0"] = yield from encode(plan.pictures, pictures, self.bundle, latents)
        elif plan.bank is not None:
            prompts = [row[plan.bank.condition] for row in plan.prompts]
            bank, ends = yield from walk(plan.bank, prompts, self.bundle, plan.model, plan.seed)
            tensors |= {"ends": ends} if plan.bank.renoised else {"x": bank.x, "t": bank.t}
        if plan.retention is not None:
            size = (
                tuple(side * self.bundle.latent_scale_px for side in tensors["x0"].shape[2:]) if "x0" in tensors else ()
            )
            ways, prompts, seed = plan.retention.bank, plan.retention.prompts, plan.seed + _OTHER_SEEDS
            bank, _ = yield from walk(ways, prompts, self.bundle, plan.model, seed, size)
            tensors |= {"retained/x": bank.x, "retained/t": bank.t}
        return tensors

    def advance(self) -> Steps:
        """One step of the optimiser. Yields after every evaluation of the network but the last.

        Raises NonFinite, naming the part of the loss; the factors are those of the step before then.
        """
        began = time.monotonic()
        self._settled = self.generator.get_state()
        batch, retained = self._batch(), self._retained_batch()
        frozen, student = ([(batch, need) for need in self.loss.needs if need.by == by] for by in ("frozen", "student"))
        if retained is not None:
            frozen.append((retained, _BASE))
            student.append((retained, _NOW))
        predictions = {need.name: batch.truth(need.state) for need in self.loss.needs if need.by == "truth"}
        anchors = draw_anchors(batch, self.loss.needs, self.bundle, self.generator)
        answers: dict[tuple[int, str], Prediction] = {}
        asides = [(batch, need) for need in self.asides]
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
        if self.pool is not None:
            of_needs = {
                (need.condition, need.strength): answers[id(batch), need.name]
                for need in (*self.asides, *self.loss.needs)
                if is_on_way(need)
            }
            self.pool.advance(self._guided(of_needs, self.strengths), self.generator)
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
        if self.pool is not None:
            tensors |= {f"pool/{name}": value for name, value in self.pool.state().items()}
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
        if self.pool is not None:
            self.pool.load(parts["pool"])
            self._is_staggered = True
        if self.retainer is not None:
            self.retainer.multiplier = float(parts["multiplier"][""])
        if self.strength is not None and "strength" in parts:
            self.strength.load(parts["strength"][""])
            if self.strength.value:
                self.loss = self.strength.applied(self.loss)
        self.step, self.seconds = checkpoint.standing.step, checkpoint.standing.seconds

    def _batch(self) -> Batch:
        if self.pool is not None:
            rows, states = self.pool.rows, self.pool.states()
        else:
            assert self._states is not None, "who advances it has prepared it"
            rows = torch.randint(self.plan.learned_rows, (self.plan.batch,), generator=self.generator)
            states = self._states.draw(rows, self.generator)
        return self._placed(rows, states, self._unprompted(len(rows)))

    def _unprompted(self, rows: int) -> Sequence[bool]:
        """Of each row whether its prompts are left out in this step: drawn once, for all sides of the row."""
        share = self.plan.caption_dropout
        if not share:  # and nothing is drawn: a training without has the bits it had
            return [False] * rows
        return (torch.rand(rows, generator=self.generator) < share).tolist()

    def placed(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """A batch of these rows of the prompts, [B], at states that are drawn. Not of a plan with a pool."""
        assert self._states is not None, "who advances it has prepared it"
        return self._placed(rows, self._states.draw(rows, generator), [False] * len(rows))

    def _placed(self, rows: Tensor, states: Drawn, unprompted: Sequence[bool]) -> Batch:
        row_prompts = [self.plan.prompts[row] for row in rows.tolist()]
        columns = {UNCONDITIONAL, *(column for row in row_prompts for column in row)}
        left_out = list(zip(row_prompts, unprompted, strict=True))
        prompts = {column: ["" if out else row.get(column, "") for row, out in left_out] for column in columns}
        names = self.loss.numbers if isinstance(self.loss, Numbered) else {}
        numbers = {name: self._numbers(name, default, rows) for name, default in names.items()}
        return placed(prompts, states, self.bundle, numbers=numbers)

    def _numbers(self, name: str, default: float, rows: Tensor) -> Tensor:
        """[B]"""
        values = self.plan.numbers.get(name)
        return torch.tensor([default if values is None else values[row] for row in rows.tolist()])

    def _retained_batch(self) -> Batch | None:
        retention = self.plan.retention
        if retention is None or self._retained is None:
            return None
        rows = torch.randint(len(retention.prompts), (retention.batch,), generator=self.generator)
        states = self._retained.draw(rows, self.generator)
        widths = torch.tensor([self._widths[t] for t in states.t.tolist()])
        return placed({RETAINED: [retention.prompts[row] for row in rows.tolist()]}, states, self.bundle, widths)

    def _check(self, name: str, number: Tensor) -> None:
        if not bool(torch.isfinite(number.detach())):
            raise NonFinite(
                f"The training stopped being numbers at step {self.step + 1}; it began with {name}.",
                "Take a lower learning rate; what it had learned by then is kept.",
            )
