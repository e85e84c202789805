"""Settings: flag, then environment, then default; a wrong one says where it came from."""

from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.settings import Settings


def test_defaults() -> None:
    settings = Settings.resolve({}, {})
    assert (settings.workspace, settings.host, settings.port) == (Path("workspace"), "127.0.0.1", 7860)
    assert settings.model_dir.is_absolute() and settings.model_dir.parts[-3:] == ("assets", "models", "stencil")
    assert settings.threads is None and settings.models_dir is None and settings.memory_budget is None


def test_flag_beats_environment_beats_default() -> None:
    environ = {"PALIMPSEST_PORT": "99", "PALIMPSEST_THREADS": "2", "PALIMPSEST_DTYPE": "", "PORT": "5"}
    settings = Settings.resolve({"port": 8, "threads": None}, environ)
    assert (settings.port, settings.threads, settings.dtype) == (8, 2, "auto")


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Settings.resolve({"workspace": "~/art"}, {}).workspace == tmp_path / "art"
    assert Settings.resolve({}, {"PALIMPSEST_MODELS_DIR": "~/models"}).models_dir == tmp_path / "models"


@pytest.mark.parametrize(
    ("flags", "environ", "says"),
    [
        ({"port": 70_000}, {}, "port must be a whole number from 0 to 65535, not 70000. It comes from --port."),
        ({}, {"PALIMPSEST_DEVICE": "tpu"}, "one of auto, cpu, cuda, mps, not 'tpu'. It comes from PALIMPSEST_DEVICE."),
        ({}, {"PALIMPSEST_THREADS": "many"}, "not 'many'. It comes from PALIMPSEST_THREADS."),
        ({}, {"PALIMPSEST_MEMORY_BUDGET": "0"}, "not '0'. It comes from PALIMPSEST_MEMORY_BUDGET."),
        ({}, {"PALIMPSEST_PATIENCE": "1"}, "from 10 to 86400, not '1'. It comes from PALIMPSEST_PATIENCE."),
        ({"model_dir": 3}, {}, "model_dir must be a path, not 3. It comes from --model-dir."),
    ],
)
def test_a_wrong_setting_says_where_it_came_from(flags: dict[str, object], environ: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        Settings.resolve(flags, environ)
    assert str(caught.value).endswith(says)
