"""Which models there are, and what can be said of them without loading one."""

from __future__ import annotations

import threading
from pathlib import Path

from studio.core.errors import NotFound
from studio.core.settings import Settings
from studio.engine.config import EngineConfig
from studio.models.card import ModelCard, read_card
from studio.models.tokens import PromptTokenizer


class Sources:
    """The models that settings name. Thread-safe; reads each card and tokenizer once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folders: dict[str, Path] = {"stencil": settings.model_dir.absolute()}
        self._cards: dict[str, ModelCard] = {}
        self._tokenizers: dict[str, PromptTokenizer] = {}
        self._lock = threading.Lock()

    @property
    def is_shipped(self) -> bool:
        """Whether the model is the one that comes with the program, and so must have its list of checksums."""
        return self.settings.model_dir == type(self.settings)().model_dir

    def folder(self, model: str) -> Path:
        """Where a model is. Raises NotFound."""
        if model not in self.folders:
            raise NotFound(f"There is no model named {model[:60]!r}; there are {', '.join(self.folders)}.")
        return self.folders[model]

    def card(self, model: str) -> ModelCard:
        """Give a model's sizes and limits. Raises NotFound, AssetError."""
        folder = self.folder(model)
        with self._lock:
            if model not in self._cards:
                self._cards[model] = read_card(folder)
            return self._cards[model]

    def tokenizer(self, model: str) -> PromptTokenizer:
        """Give a model's tokenizer. Raises NotFound, AssetError."""
        context = self.card(model).context
        with self._lock:
            if model not in self._tokenizers:
                self._tokenizers[model] = PromptTokenizer(self.folders[model], context)
            return self._tokenizers[model]

    def engine_config(self, log: Path | None = None, previews: bool = True) -> EngineConfig:
        """What to start an engine with."""
        settings = self.settings
        return EngineConfig(
            models=self.folders,
            device=settings.device,
            dtype=settings.dtype,
            threads=settings.threads,
            require_checksums=self.is_shipped,
            preload="stencil",
            previews=previews,
            log=log,
        )
