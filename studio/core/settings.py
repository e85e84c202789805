"""Settings of one run of the program: flag, then environment `PALIMPSEST_<NAME>`, then default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.core.errors import BadInput
from studio.core.params import load

PREFIX = "PALIMPSEST_"


def _shipped_model() -> Path:
    """The embedded model: `assets/models/stencil` beside the package."""
    return Path(__file__).resolve().parents[2] / "assets" / "models" / "stencil"


class Settings(BaseModel):
    """Where things are and what they run on; built once, then only read.

    What is not said here of a field its description says.

    models_dir: each folder and each .safetensors file in it is a model; None for the embedded model alone.
    port: 0 asks the system for a free one.
    threads: of the arithmetic on CPU; None leaves torch's choice.
    memory_budget: None is 60 % of what is free when the engine starts.
    patience: of the page; the command line waits for as long as its user does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    workspace: Path = Field(default=Path("workspace"), description="folder of the database, images and edits")
    model_dir: Path = Field(default_factory=_shipped_model, description="folder of the embedded model")
    models_dir: Path | None = Field(default=None, description="folder of further models")
    host: str = Field(default="127.0.0.1", description="address the page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="port the page listens on")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="where models run")
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field(default="auto", description="number format of the weights")
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads of the arithmetic")
    memory_budget: float | None = Field(default=None, gt=0, le=1e6, description="GB that resident models may take")
    patience: float = Field(
        default=600.0, ge=10, le=86400, description="seconds without progress after which the engine is started again"
    )

    @field_validator("workspace", "model_dir", "models_dir")
    @classmethod
    def _from_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @classmethod
    def resolve(cls, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
        """Settle every setting. flags: name -> value, None for a flag not given; an empty variable is not set.

        Raises BadInput naming the setting, what is allowed, the value, and where it came from.
        """
        values: dict[str, Any] = {}
        origin: dict[str, str] = {}
        for name in cls.model_fields:
            variable = PREFIX + name.upper()
            if flags.get(name) is not None:
                values[name], origin[name] = flags[name], "--" + name.replace("_", "-")
            elif environ.get(variable):
                values[name], origin[name] = environ[variable], variable
        try:
            return load(cls, values, "settings")
        except BadInput as error:
            source = origin.get(error.field or "")
            raise BadInput(error.message, f"It comes from {source}." if source else None, field=error.field) from None
