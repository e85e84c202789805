"""Doctor: is this machine fit, and if not, what to do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from studio.core.errors import StudioError
from studio.core.settings import Settings
from studio.models.checksums import verify
from studio.models.listing import Listed
from studio.services.sources import Sources
from studio.storage.archive import Archive

MINIMUM_PYTHON = (3, 11)
PACKAGES = ("torch", "diffusers", "transformers", "peft", "gradio", "sqlalchemy", "alembic", "pydantic", "pillow")
_NEEDED_DISK_BYTES = 200 * 1024**2
_NEEDED_MEMORY_BYTES = 1024**3


@dataclass(frozen=True)
class Check:
    """One row of the table.

    detail: what was found.
    hint: what to do about it, "" where all is well.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""


def examine(settings: Settings) -> list[Check]:
    """Look at everything; never raises for what it finds."""
    checks: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("model", _model),
        ("workspace", _workspace),
        ("disk", _disk),
        ("port", _port),
        ("device", _device),
        ("memory", _memory),
    )
    results: list[Check] = []
    for name, check in checks:
        try:
            results.append(check(settings))
        except StudioError as error:
            results.append(Check(name, False, error.message, error.hint or ""))
    return results + _models(settings)


def _python(settings: Settings) -> Check:
    least = ".".join(map(str, MINIMUM_PYTHON))
    ok = sys.version_info >= MINIMUM_PYTHON
    hint = "" if ok else f"Install Python {least} or newer."
    return Check("python", ok, f"{platform.python_version()} on {platform.system()} {platform.machine()}", hint)


def _packages(settings: Settings) -> Check:
    versions: list[str] = []
    missing: list[str] = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", False, f"missing: {', '.join(missing)}", "Run: python3 launch.py setup")
    return Check("packages", True, ", ".join(versions))


def _model(settings: Settings) -> Check:
    sources = Sources(settings)
    listed = verify(settings.model_dir, required=sources.is_shipped)
    card = sources.card("stencil")
    sums = f"{len(listed)} files checked" if listed else "no list of checksums to check against"
    parts = _parts(sources.listing()[0])
    return Check("model", True, f"stencil, {card.default_size_px} px, {card.parameterisation}: {sums}; {parts}")


def _models(settings: Settings) -> list[Check]:
    """A row for each model of the models folder; a broken one has its reason."""
    if settings.models_dir is None:
        return []
    if not settings.models_dir.is_dir():
        detail = f"the folder {settings.models_dir} is missing"
        return [Check("models", False, detail, "Name another with --models-dir.")]
    checks: list[Check] = []
    for model in Sources(settings).listing()[1:]:
        side = model.default_size_px
        sizes = f"{side} px, {model.bytes_on_disk / 1e6:.0f} MB of {model.dtype}: {_parts(model)}"
        detail = f"{model.family}, {sizes}" if model.problem is None else model.problem
        hint = "" if model.problem is None else "The other models are not affected."
        checks.append(Check(f"model {model.name}", model.problem is None, detail, hint))
    return checks


def _parts(model: Listed) -> str:
    return ", ".join(f"{part} {values / 1e6:.1f} M" for part, values in model.parts.items())


def _workspace(settings: Settings) -> Check:
    """Open it as serving would: that also brings its database up to date, which is safe at any time."""
    existed = settings.workspace.exists()
    archive = Archive.open(settings.workspace)
    try:
        count = archive.generations.count()
    finally:
        archive.close()
    if not existed:
        shutil.rmtree(settings.workspace, ignore_errors=True)  # made by this check alone
        return Check("workspace", True, f"{settings.workspace.absolute()} can be made")
    return Check("workspace", True, f"{settings.workspace.absolute()}: {count} pictures")


def _disk(settings: Settings) -> Check:
    folder = settings.workspace.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= _NEEDED_DISK_BYTES
    return Check("disk", ok, f"{free / 1024**3:.1f} GB free", "" if ok else "Free some space, or move the workspace.")


def _port(settings: Settings) -> Check:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just been closed is free
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            detail = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror or error}"
            return Check("port", False, detail, "Take another with --port.")
    return Check("port", True, f"{settings.host}:{settings.port} is free")


def _device(settings: Settings) -> Check:
    import torch

    from studio.engine.memory import budget_for
    from studio.engine.runner import pick_device

    device = pick_device(settings.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    threads = settings.threads or torch.get_num_threads()
    budget = settings.memory_budget or budget_for(device) / 1e9
    detail = f"{device.type} ({name}), {threads} of {os.cpu_count()} threads, torch {torch.__version__}"
    return Check("device", True, f"{detail}; models may take {budget:.1f} GB")


def _memory(settings: Settings) -> Check:
    from studio.engine.memory import host_memory  # brings torch

    memory = host_memory()
    if memory.free_bytes is None or memory.total_bytes is None:
        return Check("memory", True, "not known on this system")
    free, total = memory.free_bytes, memory.total_bytes
    ok = free >= _NEEDED_MEMORY_BYTES
    hint = "" if ok else "Close other programs; the engine takes about 1 GB."
    return Check("memory", ok, f"{min(free, total) / 1024**3:.1f} of {total / 1024**3:.1f} GB free", hint)
