"""Which networks sit in memory: loaded part by part, counted once when models share them, leased, evicted by cost.

A part (text encoder, denoiser, autoencoder) is known by what is in its files, so two pipelines with the same
autoencoder hold one. When a part needs room, what no lease holds goes, by GreedyDual-Size: each part has a credit of
the clock plus its seconds of loading per byte, renewed at every use; the lowest credit goes and the clock moves up to
it. So what is cheap to have back goes first, of equals the one longest unused, and nothing stays for ever by having
once been dear. Source: P. Cao, S. Irani, "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997, section 3.

Used on one thread, that of the engine. Edits are no part of this: they are values, and whoever changes a resident
weight puts it back before the lease ends.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from studio.core.errors import OutOfMemory
from studio.engine.ahead import Chunks, chunks_by
from studio.engine.kinds import going_on, heed
from studio.engine.memory import budget_for, give_back, memory_of
from studio.models import checksums, loading
from studio.models.bundle import ModelBundle
from studio.models.card import ModelCard
from studio.models.embedded import EmbeddedModel
from studio.models.estimate import Demand, demand, most_rows, smaller_size
from studio.models.files import ModelFiles, PartFiles, dtype_of, open_model, open_part
from studio.models.latent_diffusion import LatentDiffusion
from studio.models.listing import Places
from studio.models.preview import PreviewMap
from studio.models.tokens import PromptTokenizer

_PLAIN_ROWS = 2  # of plain guidance of one prompt: with it and without

PartKey = tuple[str, str]  # sha256 of the part's files, number format


@dataclass(frozen=True)
class Resident:
    """One row of the table.

    part: "unet", ...
    models: which use it.
    bytes: of its weights.
    uses: leases so far.
    leases: those that hold it now.
    seconds: its loading took.
    """

    part: str
    models: tuple[str, ...]
    bytes: int
    device: str
    dtype: str
    uses: int
    leases: int
    seconds: float


@dataclass(frozen=True)
class Load:
    """One loading: of which part, for which model, how many bytes in how many seconds."""

    part: str
    model: str
    bytes: int
    seconds: float


@dataclass(eq=False)
class _Part:
    name: str
    module: nn.Module
    bytes: int
    dtype: str
    seconds: float
    credit: float = 0.0
    uses: int = 0
    leases: int = 0
    models: set[str] = field(default_factory=set[str])


@dataclass(eq=False)
class _Model:
    bundle: ModelBundle
    keys: dict[str, PartKey]  # part -> key

    @property
    def preview_key(self) -> tuple[str, PartKey]:
        """What its preview map depends on: the autoencoder, and how the family fits it."""
        return type(self.bundle).__name__, self.keys["vae"]


class ModelStore:
    """The resident models of one device.

    places: where models are by name; those given by name are the embedded model and its kin.
    dtype: "fp32", "bf16", "fp16" or "auto": fp32 for the embedded model, which is small and should draw the same
    everywhere, and for the others what the device is made for: fp16 on CUDA, else fp32.
    budget_bytes: what resident weights may take; None takes 60 % of what is free now. A model that is needed is loaded
    even if it alone is over the budget. loads: the last loadings, the newest last.
    """

    def __init__(
        self,
        places: Places,
        device: torch.device,
        dtype: str = "auto",
        budget_bytes: int | None = None,
        *,
        require_checksums: bool = True,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.budget_bytes = budget_for(device) if budget_bytes is None else budget_bytes
        self.loads: deque[Load] = deque(maxlen=256)
        self._places = places
        self._require_checksums = require_checksums
        self._parts: dict[PartKey, _Part] = {}
        self._models: dict[str, _Model] = {}
        self._previews: dict[tuple[str, PartKey], PreviewMap] = {}
        self._clock = 0.0

    @contextmanager
    def lease(self, name: str, should_stop: Callable[[], bool] = going_on) -> Iterator[ModelBundle]:
        """Hold a model, loading what of it is not resident; nothing of it is evicted until the lease ends.

        Leases may overlap. Do not keep the bundle beyond: what holds it holds its memory. should_stop: asked between
        two parts, and those that are loaded stay. Raises NotFound, AssetError, OutOfMemory, Cancelled.
        """
        model = self._model(name, should_stop)
        parts = [self._parts[key] for key in model.keys.values()]
        for part in parts:
            part.leases += 1
        try:
            yield model.bundle
        finally:
            for part in parts:
                part.leases -= 1

    def bundle(self, name: str) -> ModelBundle:
        """Give a model without holding it, to look at; the next loading may evict it. Raises as `lease` does."""
        return self._model(name).bundle

    @contextmanager
    def lease_part(self, folder: Path, part: str, should_stop: Callable[[], bool] = going_on) -> Iterator[nn.Module]:
        """Hold one network of the embedded model's kin, such as the denoiser of an earlier checkpoint.

        folder: need not hold a whole model. Raises AssetError, OutOfMemory.
        """
        files, dtype = open_part(folder, part), "fp32" if self.dtype == "auto" else self.dtype
        key = _key(files, dtype)
        if key not in self._parts:
            heed(should_stop)
            self._fetch(files, folder.name, dtype)
        self._use(key)
        record = self._parts[key]
        record.models.add(folder.name)
        record.leases += 1
        try:
            yield record.module
        finally:
            record.leases -= 1

    @contextmanager
    def lease_early(self, name: str, should_stop: Callable[[], bool] = going_on) -> Iterator[ModelBundle | None]:
        """Hold the early checkpoint of a model that is held itself: its denoiser and text encoders, the rest shared.

        Gives None for a model without one. Raises NotFound, AssetError, OutOfMemory.
        """
        folder, bundle = self._places.early(name), self.bundle(name)
        if folder is None or not isinstance(bundle, LatentDiffusion):
            yield None
            return
        checksums.verify(folder, required=self._require_checksums)
        names = ["unet", *bundle.card.layout.text_encoders]
        with ExitStack() as leases:
            parts = {part: leases.enter_context(self.lease_part(folder, part, should_stop)) for part in names}
            digests = "".join(loading.digest_of(open_part(folder, part)) for part in names)
            yield bundle.with_parts(parts, hashlib.sha256(digests.encode()).hexdigest())

    def files(self, name: str) -> ModelFiles:
        """What a model is loaded from, without loading it. Raises NotFound, AssetError."""
        return self._files(name)

    def dtype_of(self, name: str) -> str:
        """The number format a model's network is loaded in: "fp32", "bf16" or "fp16"."""
        return self._dtype_for(name)

    def card(self, name: str) -> ModelCard:
        """Give what a model says of itself, without loading it. Raises NotFound, AssetError."""
        return self._files(name).card

    def chunks(self, name: str) -> Chunks:
        """Say how many chunks a model reads something said in, without loading it. Raises NotFound, AssetError."""
        if name in self._models:
            bundle = self._models[name].bundle
            return chunks_by(bundle.tokenizer, bundle.overflow)
        card = self.card(name)
        tokenizer = PromptTokenizer(card.folder, card.context, card.layout.tokenizers[0])
        return chunks_by(tokenizer, (EmbeddedModel if name in self._places.by_name else ModelBundle).overflow)

    def check_fits(self, name: str, rows: int, width: int, height: int, why: str = "") -> Demand:
        """Estimate what a job needs. Raises OutOfMemory with something smaller if this device can never hold it, and
        NotFound, AssetError.

        rows: of one evaluation of the network; why: what asks for so many, in words. width, height: in pixels.
        """
        files, dtype = self._files(name), self._dtype_for(name)
        needs = demand(files, rows, width, height, dtype)
        total = memory_of(self.device).total_bytes
        if total is None or needs.total <= total:
            return needs
        room, plain = total - needs.weights, demand(files, _PLAIN_ROWS, width, height, dtype)
        size = smaller_size(files.card, rows, width, height, dtype, room)
        demand_text = f"{width} x {height} pixels with {name} need {_gb(needs.total)}"
        smaller = [f"{size[0]} x {size[1]}"] if size else []
        if room > 0 and why and plain.total < needs.total:
            demand_text += f" for {rows} rows of the network at a time ({why})"
            smaller += ["plain guidance of one prompt"] if plain.total <= total else []
        hint = " or ".join(smaller) or "fp16, or a smaller model"
        raise OutOfMemory(f"{demand_text}; {self.device.type} has {_gb(total)}.", f"Take {hint}.")

    def most_rows(self, name: str, width: int, height: int) -> int | None:
        """Estimate how many rows one evaluation can have at this size; at least 1, None where the device does not say.

        Raises NotFound, AssetError.
        """
        total, dtype, files = memory_of(self.device).total_bytes, self._dtype_for(name), self._files(name)
        return None if total is None else most_rows(files.card, width, height, dtype, total - files.bytes_in(dtype))

    def evict(self, room_bytes: int | None = None) -> int:
        """Drop parts that no lease holds until that many bytes are free within the budget; None drops all of them.

        Gives the bytes dropped.
        """
        dropped = 0
        while room_bytes is None or self.resident_bytes + room_bytes > self.budget_bytes:
            free = [key for key, part in self._parts.items() if part.leases == 0]
            if not free:
                break
            # Of equal credit the one longest unused, for a use puts its part at the end.
            key = min(free, key=lambda key: self._parts[key].credit)
            part = self._parts.pop(key)
            self._clock = max(self._clock, part.credit)
            dropped += part.bytes
            for name in [name for name, model in self._models.items() if key in model.keys.values()]:
                self._forget(name)
            del part
        if dropped:
            give_back(self.device)
        return dropped

    @property
    def resident_bytes(self) -> int:
        """What the weights of all resident parts take, each counted once."""
        return sum(part.bytes for part in self._parts.values())

    def table(self) -> tuple[Resident, ...]:
        """What is resident, the least recently used first."""
        return tuple(
            Resident(
                part.name,
                tuple(sorted(part.models)),
                part.bytes,
                self.device.type,
                part.dtype,
                part.uses,
                part.leases,
                round(part.seconds, 3),
            )
            for part in self._parts.values()
        )

    # -- inside -----------------------------------------------------------------------------------------------------

    def _dtype_for(self, name: str) -> str:
        if self.dtype != "auto":
            return self.dtype
        return "fp16" if self.device.type == "cuda" and name not in self._places.by_name else "fp32"

    def _files(self, name: str) -> ModelFiles:
        place = self._places.find(name)
        if name not in self._models:
            self._verified(name, place)  # before its headers are read: a damaged file is told by its checksum
        return open_model(place)

    def _verified(self, name: str, place: Path) -> dict[str, str]:
        """Check the embedded model's files against its list; give what was found, {} for other models."""
        if name not in self._places.by_name:
            return {}
        return checksums.verify(place, required=self._require_checksums)

    def _model(self, name: str, should_stop: Callable[[], bool] = going_on) -> _Model:
        """Give a model, loaded, and count the use."""
        if name not in self._models:
            self._models[name] = self._load(name, should_stop)
        model = self._models[name]
        for key in model.keys.values():
            self._use(key)
        return model

    def _load(self, name: str, should_stop: Callable[[], bool]) -> _Model:
        place = self._places.find(name)
        is_embedded = name in self._places.by_name
        checksums_by_name = self._verified(name, place)
        files = open_model(place)
        model_hash = loading.hash_of(files, checksums_by_name)
        dtype = self._dtype_for(name)
        parts = [files.part(part) for part in files.card.layout.parts]
        keys: dict[str, PartKey] = {}
        for part in parts:
            heed(should_stop)  # its files are hashed: seconds for a large one
            keys[part.name] = _key(part, dtype)
        # What is there already is held while the rest is loaded, and so is each part that comes.
        leased = [self._parts[key] for key in keys.values() if key in self._parts]
        for record in leased:
            record.leases += 1
        try:
            for part in parts:
                if keys[part.name] not in self._parts:
                    heed(should_stop)
                    self._fetch(part, name, dtype)
                    leased.append(self._parts[keys[part.name]])
                    leased[-1].leases += 1
                self._parts[keys[part.name]].models.add(name)
            modules = {part: self._parts[key].module for part, key in keys.items()}
            bundle = loading.assemble(name, files, model_hash, modules, EmbeddedModel if is_embedded else None)
        finally:
            for record in leased:
                record.leases -= 1
        model = _Model(bundle, keys)
        if model.preview_key in self._previews:
            bundle.preview_map = self._previews[model.preview_key]
        return model

    def _fetch(self, files: PartFiles, model: str, dtype: str) -> None:
        """Load a part, making room for it first."""
        needed = files.bytes_in(dtype)
        self.evict(needed)
        self._check_room(files.name, model, needed)
        began = time.monotonic()
        module = loading.load_part(files, self.device, loading.DTYPES[dtype])
        took = time.monotonic() - began
        size = sum(weight.nbytes for weight in module.parameters())
        self._parts[_key(files, dtype)] = _Part(files.name, module, size, dtype_of(files.name, dtype), took)
        self.loads.append(Load(files.name, model, size, took))

    def _use(self, key: PartKey) -> None:
        part = self._parts.pop(key)
        self._parts[key] = part  # the last used is the last in line
        part.uses += 1
        part.credit = self._clock + part.seconds / max(part.bytes, 1)

    def _forget(self, name: str) -> None:
        """Drop a model's bundle, keeping the little that is dear to make again."""
        model = self._models.pop(name)
        fitted = vars(model.bundle).get("preview_map")
        if fitted is not None:
            self._previews[model.preview_key] = fitted

    def _check_room(self, part: str, model: str, needed: int) -> None:
        """Raise OutOfMemory for a part that the whole device is too small for."""
        total = memory_of(self.device).total_bytes
        leased_bytes = sum(record.bytes for record in self._parts.values() if record.leases)
        if total is not None and leased_bytes + needed > total:
            message = f"The {part} of {model} takes {_gb(needed)}; {self.device.type} has {_gb(total)} in all."
            raise OutOfMemory(message, "Take fp16, or a smaller model.")


def _key(files: PartFiles, dtype: str) -> PartKey:
    return loading.digest_of(files), dtype_of(files.name, dtype)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
