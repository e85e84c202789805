"""Which models there are, and what can be said of them without loading one."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from studio.core.settings import Settings
from studio.engine.config import EngineConfig
from studio.models import attention
from studio.models.card import ModelCard
from studio.models.files import open_model
from studio.models.listing import Listed, Places
from studio.models.tokens import PromptTokenizer, TokenReport
from studio.prompts import Dialect, Overflow

EMBEDDED = "stencil"

# Of jobs besides pictures, losses of trainings and gates of edits -> where the engine finds them.
KINDS = {
    "balance": "studio.training.balance.job:run",
    "drift": "studio.training.drift.job:run",
    "card": "studio.training.erase.card.job:run",
    "erase": "studio.training.erase.instant:run",
    "evaluate": "studio.training.evaluate.job:run",
    "features": "studio.training.features.job:run",
    "frames": "studio.engine.frames:run",
    "interference": "studio.training.erase.interference:run",
    "neighbours": "studio.training.erase.neighbours:run",
    "read": "studio.training.readings.job:run",
    "score": "studio.training.scorers.job:run",
    "train": "studio.training.lora.trainer:run",
}
# Scales of plain guidance that leave Stencil's pictures whole: at most one in ten is read as broken by the oracle.
# Measured with `palimpsest evaluate claims-full --guidance-scale W --pictures 96`; assets/README.md has the numbers.
STENCIL_SCALES = (1.0, 4.0)
LOSSES = {
    "bco": "studio.alignment.unpaired:BCO",
    "dpo": "studio.alignment.dpo:DiffusionDPO",
    "dpo_lists": "studio.alignment.lists:ListDPO",
    "dpo_soft": "studio.alignment.soft:SoftDPO",
    "dpo_ties": "studio.alignment.ties:TieAwareDPO",
    "kto": "studio.alignment.unpaired:KTO",
    "mapo": "studio.alignment.mapo:MaPO",
    "sft": "studio.alignment.sft:SFT",
    "all_but_one": "studio.erasure.all_but_one:AllButOne",
    "concept_ablation": "studio.erasure.ablation:ConceptAblation",
    "esd": "studio.erasure.esd:ESD",
    "negation": "studio.erasure.negation:Negation",
    "picture_slider": "studio.erasure.picture_slider:PictureSlider",
    "slider": "studio.erasure.slider:Slider",
    "spm": "studio.erasure.spm:SPM",
}
GATES = {"spm": "studio.engine.edits.transport:FacilitatedTransport"}


class Sources:
    """The models that settings name. Thread-safe; reads each card and tokenizer once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.places = Places({EMBEDDED: settings.model_dir.absolute()}, _absolute(settings.models_dir))
        self._cards: dict[str, ModelCard] = {}
        self._tokenizers: dict[str, PromptTokenizer] = {}
        self._lock = threading.Lock()

    @property
    def is_shipped(self) -> bool:
        """Whether the model is the one that comes with the program, and so must have its list of checksums."""
        return self.settings.model_dir == type(self.settings)().model_dir

    def listing(self) -> list[Listed]:
        """Look at all models anew, Stencil first; a broken one is there with its reason. Never raises for one."""
        return self.places.listing()

    def folder(self, model: str) -> Path:
        """Where a model is: a folder or a .safetensors file. Raises NotFound, AssetError."""
        return self.places.find(model)

    def card(self, model: str = EMBEDDED) -> ModelCard:
        """Give a model's sizes and limits. Raises NotFound, AssetError."""
        with self._lock:
            if model not in self._cards:
                card = open_model(self.places.find(model)).card
                self._cards[model] = replace(card, guidance_scales=STENCIL_SCALES) if model == EMBEDDED else card
            return self._cards[model]

    def tokenizer(self, model: str) -> PromptTokenizer:
        """Give a model's tokenizer, of several the first. Raises NotFound, AssetError."""
        card = self.card(model)
        with self._lock:
            if model not in self._tokenizers:
                self._tokenizers[model] = PromptTokenizer(card.folder, card.context, card.layout.tokenizers[0])
            return self._tokenizers[model]

    def is_of_world(self, model: str) -> bool:
        """Whether a model draws Stencil's world, which its oracle reads: it was taught in Stencil's words.

        Raises NotFound, AssetError.
        """
        return model == EMBEDDED or self.tokenizer(model).shares_words(self.tokenizer(EMBEDDED))

    def prompt_report(self, text: str, model: str = EMBEDDED, dialect: Dialect = "a1111") -> TokenReport:
        """Count a prompt's tokens and say what is cut and which words are unknown.

        Raises BadInput for a prompt that cannot be read in this dialect; as `tokenizer`.
        """
        return self.tokenizer(model).report(text, dialect)

    def overflow(self, model: str) -> Overflow:
        """What becomes of words beyond what the model's text encoder reads at once."""
        return "cut" if model == EMBEDDED else "chunk"  # as the bundles have it, which the page must not import

    def perturbed_layers(self, model: str) -> tuple[str, ...]:
        """The layers that guidance by perturbation works on where nobody says which."""
        return attention.EMBEDDED if model == EMBEDDED else attention.MIDDLE

    def engine_config(self, log: Path | None = None, previews: bool = True) -> EngineConfig:
        """What to start an engine with."""
        settings = self.settings
        return EngineConfig(
            models=dict(self.places.by_name),
            models_dir=self.places.folder,
            memory_budget=None if settings.memory_budget is None else int(settings.memory_budget * 1e9),
            device=settings.device,
            dtype=settings.dtype,
            threads=settings.threads,
            require_checksums=self.is_shipped,
            preload=EMBEDDED,
            previews=previews,
            log=log,
            kinds=KINDS,
            losses=LOSSES,
            gates=GATES,
            patience_s=settings.patience,
        )


def _absolute(folder: Path | None) -> Path | None:
    return folder.absolute() if folder is not None else None
