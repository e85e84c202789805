"""Rules of the tree itself: what may be named in it, how large it may be, and that its lists agree."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import launch
from tests.conftest import is_this_machine, refused

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")
MIB = 1024**2

# Built from pieces, so that this file does not name them either.
MACHINE_PATHS = re.compile(
    "|".join(
        ["/wo" + r"rk/\w", "/tm" + r"p/(venv|train|w/|fresh)", "/ro" + r"ot/\w", "/ho" + r"me/\w", "/opt/" + "pypi"]
    )
)
REGISTRY_HOSTS = re.compile(
    "|".join([r"\bpypi\." + "org", "files.python" + "hosted", "download.py" + "torch", "registry.npm" + "js"])
)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Everything git has or would take; without git (an unpacked archive), everything but what set-up and use make."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        files = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        made = {".git", ".venv", "workspace", "__pycache__", ".pytest_cache", ".ruff_cache"}
        files = [path for path in ROOT.rglob("*") if not made & set(path.relative_to(ROOT).parts)]
    return tuple(path for path in files if path.is_file())


def text_of(path: Path) -> str | None:
    """The text, or None for a binary file."""
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8", errors="replace")


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS], ids=["machine paths", "registry hosts"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        if (text := text_of(path)) is not None and (match := pattern.search(text))
    ]
    assert not found


def test_patterns_find_what_they_are_for() -> None:
    assert MACHINE_PATHS.search("cd /wo" + "rk/main") and REGISTRY_HOSTS.search("https://py" + "pi.org/simple")


def test_no_file_is_huge_and_the_tree_stays_small() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked_files()}
    assert not {name: size for name, size in sizes.items() if size > 20 * MIB}
    assert sum(size for name, size in sizes.items() if name.startswith("assets/")) <= 60 * MIB


def test_every_binary_asset_is_accounted_for() -> None:
    readme = ROOT / "assets" / "README.md"
    binaries = [path for path in tracked_files() if path.is_relative_to(ROOT / "assets") and text_of(path) is None]
    told = readme.read_text(encoding="utf-8") if readme.exists() else ""
    assert not [path.relative_to(ROOT).as_posix() for path in binaries if path.name not in told]


def studio_modules() -> list[Path]:
    return [path for path in tracked_files() if path.is_relative_to(ROOT / "studio") and path.suffix == ".py"]


def test_every_module_has_a_docstring() -> None:
    bare = [path for path in studio_modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not [path.relative_to(ROOT).as_posix() for path in bare]


def test_no_file_is_read_or_written_in_the_encoding_of_the_machine() -> None:
    """Which is another on machines that are set up for one country."""
    silent: list[str] = []
    for path in studio_modules():
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
                named = {keyword.arg for keyword in call.keywords}
                modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                wordless = {"read_text": 1, "write_text": 2}.get(name, 0) > len(call.args)
                is_text = wordless or (name == "open" and {"w", "a", "x", "r"} & set(modes))
                is_text = is_text or (name in ("run", "Popen") and "text" in named)
                if is_text and "encoding" not in named:
                    silent.append(f"{path.relative_to(ROOT).as_posix()}:{call.lineno}")
    assert not silent


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "helpers.py", "misc.py", "common.py"}
    assert not [path.relative_to(ROOT).as_posix() for path in studio_modules() if path.name in drawers]


def test_every_import_is_declared() -> None:
    declared = {launch.normal_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    owners = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in studio_modules()
        for name in third_party_imports(path)
        if not declared & {launch.normal_name(owner) for owner in owners.get(name, [name])}
    }
    assert not undeclared


def third_party_imports(path: Path) -> set[str]:
    """Top-level names a file imports that are neither ours nor the standard library's."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - {"studio"} - set(sys.stdlib_module_names)


def test_locked_versions_lie_in_the_declared_ranges() -> None:
    locked: dict[str, list[Requirement]] = {}
    for lock in LOCKS:
        for name, line in launch.pins(lock):
            locked.setdefault(name, []).append(Requirement(line))
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
        wanted = Requirement(line)
        for pin in locked[launch.normal_name(wanted.name)]:
            (specifier,) = pin.specifier
            assert specifier.operator == "==" and specifier.version in wanted.specifier, f"{pin} is outside {wanted}"


def test_the_lock_leaves_the_choice_of_torch_build_to_the_machine() -> None:
    pins = dict(launch.pins(LOCKS[0]))
    assert re.fullmatch(r"torch==[0-9.]+", pins["torch"]), "no local label such as +cpu, no marker"
    assert not [name for name in pins if name.startswith(("nvidia", "cuda", "triton"))]
    assert not {name for name, _ in launch.pins(LOCKS[1])} & set(pins), "the second lock only adds to the first"


def test_versions_agree() -> None:
    import studio

    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest and newest.group(1) in ("Unreleased", studio.__version__)


def test_launcher_and_project_ask_for_the_same_python() -> None:
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, launch.MINIMUM_PYTHON))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "0.0.0.0", b"localhost", "", None])
def test_this_machine_is_in_bounds(host: str | bytes | None) -> None:
    assert is_this_machine(host)


def test_the_network_is_out_of_bounds() -> None:
    with pytest.raises(OSError, match="must not leave"):
        socket.create_connection(("model-hub.example", 443), timeout=1)
    with socket.socket() as direct, pytest.raises(OSError, match="must not leave"):
        direct.connect(("192.0.2.1", 443))
    assert refused == ["model-hub.example", "192.0.2.1"]
    refused.clear()  # else this very test would fail for having tried
