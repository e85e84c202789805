"""What a training learns from: states under its prompts, made once and kept beside its checkpoint; batches of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import torch
from torch import Tensor

from studio.diffusion.predictions import UNCONDITIONAL, Loss, Numbered, Prediction
from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import Steps
from studio.engine.resident import room_of
from studio.metrics.divergence import log_snr_widths
from studio.models.bundle import ModelBundle
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.files import BANK
from studio.training.lora.plan import Plan, PoolPlan
from studio.training.lora.pool import Pool, guided_x0, is_on_way, way_needs, way_strengths
from studio.training.lora.questions import Batch, ask, placed
from studio.training.lora.standing import Standing
from studio.training.lora.states import Bank, Drawn, States, encode, renoised_ends, renoised_pictures, walk

RETAINED = "retained"  # the one column of the prompts that must stay
_OTHER_SEEDS = 2**40  # from here on: no way under a retained prompt begins as one under the plan's own


class Batches:
    """The batches of one training. Used on the engine's thread only.

    pool: the ways that the student walks itself; None of a plan without.
    asides: what these ways want of the student besides what the loss asks, which no gradient goes through.
    strengths: at which they are walked, in turn.
    """

    def __init__(self, plan: Plan, loss: Loss, bundle: ModelBundle, generator: torch.Generator) -> None:
        """loss: told by what it needs. generator: of the training, which every batch is drawn from."""
        self._plan, self._loss, self._bundle, self._generator = plan, loss, bundle, generator
        self.asides = way_needs(plan.pool, loss.needs)
        self.strengths = way_strengths(plan.pool, loss.needs)
        self.pool = self._new_pool(plan.pool) if plan.pool is not None else None
        self._is_staggered = False
        self._states: States | None = None
        self._retained: Bank | None = None
        self._widths: dict[float, float] = {}

    def prepare(
        self, checkpoints: Checkpoints, standing: Standing, pictures: Mapping[str, str], latents: Mapping[str, str]
    ) -> Steps:
        """Make the states to learn at, where that has not been done.

        standing: of the training, by which they are found again.
        pictures, latents: sha256 -> file, of those the plan names and of what they were decoded from.
        Raises WorkspaceError, AssetError, BadInput.
        """
        stored = checkpoints.read(standing.plan, standing.base, BANK)
        if stored is None:
            tensors = yield from self._make_states(pictures, latents)
            if tensors:
                checkpoints.write(Checkpoint(standing, tensors), BANK)
        else:
            tensors = stored.tensors
        if self._plan.pictures is not None:
            self._states = renoised_pictures(tensors["x0"], self._plan.pictures, self._bundle.schedule)
        elif self._plan.bank is not None and self._plan.bank.renoised:
            self._states = renoised_ends(tensors["ends"], self._bundle.schedule)
        elif self._plan.bank is not None:
            self._states = Bank(tensors["x"], tensors["t"])
        if self.pool is not None and not self._is_staggered:
            yield from self._stagger(self.pool)
        if self._plan.retention is not None:
            self._retained = Bank(tensors["retained/x"], tensors["retained/t"])
            once = self._retained.t[0, :: self._plan.retention.bank.ways]  # the times of one way
            widths = log_snr_widths(once, *self._bundle.schedule.at(once.double())) * len(once)  # one place of so many
            self._widths = dict(zip(once.tolist(), widths.tolist(), strict=True))

    def draw(self) -> Batch:
        """What the next step learns from. Not before `prepare`."""
        if self.pool is not None:
            rows, states = self.pool.rows, self.pool.states()
        else:
            assert self._states is not None, "who advances it has prepared it"
            rows = torch.randint(self._plan.learned_rows, (self._plan.batch,), generator=self._generator)
            states = self._states.draw(rows, self._generator)
        return self._placed(rows, states, self._unprompted(len(rows)))

    def draw_retained(self) -> Batch | None:
        """Of the prompts that must stay; None where there are none."""
        retention = self._plan.retention
        if retention is None or self._retained is None:
            return None
        rows = torch.randint(len(retention.prompts), (retention.batch,), generator=self._generator)
        states = self._retained.draw(rows, self._generator)
        widths = torch.tensor([self._widths[t] for t in states.t.tolist()])
        return placed({RETAINED: [retention.prompts[row] for row in rows.tolist()]}, states, self._bundle, widths)

    def placed(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """A batch of these rows of the prompts, [B], at states that are drawn. Not of a plan with a pool."""
        assert self._states is not None, "who advances it has prepared it"
        return self._placed(rows, self._states.draw(rows, generator), [False] * len(rows))

    def walk_on(self, batch: Batch, answers: Mapping[tuple[int, str], Prediction]) -> None:
        """Take the student's own ways one step on, with what it has predicted in a batch that was drawn; see `ask`."""
        if self.pool is None:
            return
        of_needs = {
            (need.condition, need.strength): answers[id(batch), need.name]
            for need in (*self.asides, *self._loss.needs)
            if is_on_way(need)
        }
        self.pool.advance(self._guided(of_needs, self.strengths), self._generator)

    def state(self) -> dict[str, Tensor]:
        """Of the student's own ways, for a checkpoint; empty where it walks none."""
        return {} if self.pool is None else self.pool.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on with the ways that `state` gave."""
        assert self.pool is not None, "only a plan with a pool has ways"
        self.pool.load(state)
        self._is_staggered = True

    # -- inside ------------------------------------------------------------------------------------------------------

    def _new_pool(self, plan: PoolPlan) -> Pool:
        """Apart from the generator of the training: a pool is made at every start, and then taken from a checkpoint."""
        generator = torch.Generator().manual_seed(self._plan.seed)
        side = self._bundle.default_size_px // self._bundle.latent_scale_px
        shape = (self._bundle.latent_channels, side, side)
        return Pool(self._bundle.grid(plan.steps), len(self._plan.prompts), self._plan.batch, shape, generator)

    def _stagger(self, pool: Pool) -> Steps:
        """Take the ways to their places at the beginning, with the base: factors that are fresh change nothing."""
        while bool((behind := pool.at < pool.stagger).any()):
            room_of(self._bundle).use(EMPTY)
            batch = self.draw()
            needs = way_needs(self._plan.pool, ())
            with torch.no_grad():
                answers = ask([(batch, need) for need in needs], self._bundle)
            of_needs = {(need.condition, need.strength): answers[id(batch), need.name] for need in needs}
            pool.advance(self._guided(of_needs, way_strengths(self._plan.pool, ())), self._generator, behind)
            yield
        self._is_staggered = True

    def _guided(self, of_needs: Mapping[tuple[str, float], Prediction], strengths: Sequence[float]) -> Tensor:
        assert self._plan.pool is not None, "only a plan with a pool has ways"
        return guided_x0(self._plan.pool, self._bundle.parameterisation, of_needs, strengths)

    def _make_states(
        self, pictures: Mapping[str, str], latents: Mapping[str, str]
    ) -> Generator[None, None, dict[str, Tensor]]:
        plan, tensors = self._plan, dict[str, Tensor]()
        if plan.pictures is not None:
            tensors["x0"] = yield from encode(plan.pictures, pictures, self._bundle, latents)
        elif plan.bank is not None:
            prompts = [row[plan.bank.condition] for row in plan.prompts]
            bank, ends = yield from walk(plan.bank, prompts, self._bundle, plan.model, plan.seed)
            tensors |= {"ends": ends} if plan.bank.renoised else {"x": bank.x, "t": bank.t}
        if plan.retention is not None:
            size = (
                tuple(side * self._bundle.latent_scale_px for side in tensors["x0"].shape[2:])
                if "x0" in tensors
                else ()
            )
            ways, prompts, seed = plan.retention.bank, plan.retention.prompts, plan.seed + _OTHER_SEEDS
            bank, _ = yield from walk(ways, prompts, self._bundle, plan.model, seed, size)
            tensors |= {"retained/x": bank.x, "retained/t": bank.t}
        return tensors

    def _unprompted(self, rows: int) -> Sequence[bool]:
        """Of each row whether its prompts are left out in this step: drawn once, for all sides of the row."""
        share = self._plan.caption_dropout
        if not share:  # and nothing is drawn: a training without has the bits it had
            return [False] * rows
        return (torch.rand(rows, generator=self._generator) < share).tolist()

    def _placed(self, rows: Tensor, states: Drawn, unprompted: Sequence[bool]) -> Batch:
        row_prompts = [self._plan.prompts[row] for row in rows.tolist()]
        columns = {UNCONDITIONAL, *(column for row in row_prompts for column in row)}
        left_out = list(zip(row_prompts, unprompted, strict=True))
        prompts = {column: ["" if out else row.get(column, "") for row, out in left_out] for column in columns}
        names = self._loss.numbers if isinstance(self._loss, Numbered) else {}
        numbers = {name: self._numbers(name, default, rows) for name, default in names.items()}
        return placed(prompts, states, self._bundle, numbers=numbers)

    def _numbers(self, name: str, default: float, rows: Tensor) -> Tensor:
        """[B]"""
        values = self._plan.numbers.get(name)
        return torch.tensor([default if values is None else values[row] for row in rows.tolist()])
