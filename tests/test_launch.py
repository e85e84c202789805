"""The launcher on a bare machine: everything it decides before and besides installing, without installing."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytest import ExitCode

import launch
from tests.conftest import Beside

ROOT = Path(__file__).resolve().parents[1]
NO_SETUP = {**os.environ, "PALIMPSEST_NO_SETUP": "1"}


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in (env or os.environ).items() if k != "TORCH_INDEX_URL"}
    command = [sys.executable, str(folder / "launch.py"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the tree as a newcomer has it, with a studio that only says how it was called."""
    for name in ("launch.py", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "__init__.py").write_text('"""Stand-in."""\n__version__ = "0"\n')
    (tmp_path / "studio" / "cli.py").write_text("import sys\nprint(sys.argv[1:])\nsys.exit(7)\n")
    return tmp_path


@pytest.fixture
def at(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process's launcher, pointed at the bare copy."""
    monkeypatch.setattr(launch, "ROOT", bare)
    monkeypatch.setattr(launch, "VENV", bare / ".venv")
    monkeypatch.setattr(launch, "STAMP", bare / ".venv" / "palimpsest.json")
    monkeypatch.setattr(launch, "LOG", bare / ".venv" / "setup.log")
    monkeypatch.setattr(launch, "LOCKS", {"run": bare / "requirements.lock", "dev": bare / "requirements-dev.lock"})
    monkeypatch.setattr(launch, "venv_python", lambda: bare / ".venv" / "python")
    monkeypatch.delenv("TORCH_INDEX_URL", raising=False)
    monkeypatch.delenv("PALIMPSEST_NO_SETUP", raising=False)
    (bare / ".venv").mkdir()
    (bare / ".venv" / "python").touch()
    return bare


# -- the version of Python ------------------------------------------------------------------------------------------


def test_an_old_python_can_read_the_file() -> None:
    ast.parse((ROOT / "launch.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_old_python_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "MINIMUM_PYTHON", (99, 1))
    assert launch.main(["generate", "a star"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "needs Python 99.1 or newer" in err


# -- the stamp ------------------------------------------------------------------------------------------------------


def test_a_finished_set_up_is_reused(at: Path) -> None:
    want = launch.wanted_stamp(dev=False)
    assert not launch.is_ready(launch.read_stamp(), want)
    launch.write_stamp(want)
    assert launch.is_ready(launch.read_stamp(), want)
    assert not launch.is_ready(want, launch.wanted_stamp(dev=True)), "the checks need more packages"
    assert launch.is_ready(launch.wanted_stamp(dev=True), want), "and with those the studio has what it needs"


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_torn_stamp_is_an_unfinished_set_up(at: Path, text: str) -> None:
    launch.STAMP.write_text(text)
    assert launch.read_stamp() == {}


def test_a_changed_lock_is_installed_in_place(at: Path) -> None:
    have = launch.wanted_stamp(dev=False)
    with open(at / "requirements.lock", "a") as lock:
        lock.write("more==1.0\n")
    want = launch.wanted_stamp(dev=False)
    assert not launch.is_ready(have, want)
    assert launch.must_start_over(have, want) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"python": "3.4"}, "Python changed"), ({"root": "elsewhere"}, "moved")],
)
def test_what_needs_a_new_environment(at: Path, change: dict[str, str], reason: str) -> None:
    want = launch.wanted_stamp(dev=False)
    assert reason in launch.must_start_over({**want, **change}, want)
    assert not launch.is_ready({**want, **change}, want)


def test_the_torch_index_counts_only_where_it_is_set(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = launch.wanted_stamp(dev=False)
    monkeypatch.setenv("TORCH_INDEX_URL", "http://127.0.0.1/torch")
    chosen = launch.wanted_stamp(dev=False)
    assert launch.must_start_over(plain, chosen) == "TORCH_INDEX_URL changed"
    assert launch.is_ready(chosen, plain), "set once, it need not be set at every start"


def test_an_interpreter_that_is_gone_is_not_ready(at: Path) -> None:
    (at / ".venv" / "python").unlink()
    want = launch.wanted_stamp(dev=False)
    assert not launch.is_ready(want, want)


# -- set-up, with pip replaced by a recorder ------------------------------------------------------------------------


@pytest.fixture
def pip_calls(at: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], dict]]:
    """[(what, arguments, stamp at that moment)] of the installs that would have been made."""
    calls: list[tuple[str, list[str], dict]] = []

    def recorder(what: str, arguments: list[str], *_: object) -> None:
        calls.append((what, arguments, launch.read_stamp()))

    monkeypatch.setattr(launch, "pip", recorder)
    monkeypatch.setattr(launch, "make_venv", lambda clear, lock: None)
    monkeypatch.setattr(launch, "write_byte_code", lambda: None)
    monkeypatch.setattr(launch, "require_venv_module", lambda may_install: None)
    return calls


def test_torch_comes_first_and_the_stamp_last(pip_calls: list[tuple[str, list[str], dict]]) -> None:
    launch.environment(dev=True)
    assert [what for what, _, _ in pip_calls] == ["torch", "packages", "studio"]
    assert pip_calls[0][1][0].startswith("torch==")
    assert all(stamp["run"] is None for _, _, stamp in pip_calls), "killed here, the next start goes on"
    pip_calls.clear()
    launch.environment(dev=True)
    launch.environment(dev=False)
    assert not pip_calls


def test_byte_code_is_written_where_the_environment_says_that_none_is(
    at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at / "imported.py").write_text("THERE = True\n", encoding="utf-8")
    monkeypatch.setattr(launch, "venv_python", lambda: Path(sys.executable))
    monkeypatch.setattr(launch, "IMPORTED_AT_START", "import imported")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    launch.write_byte_code()
    assert list(at.glob("__pycache__/imported.*.pyc"))


def test_what_a_start_imports_is_there() -> None:
    done = subprocess.run([sys.executable, "-c", launch.IMPORTED_AT_START], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_torch_index_is_for_torch_alone(
    pip_calls: list[tuple[str, list[str], dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1/torch"
    monkeypatch.setenv("TORCH_INDEX_URL", url)
    launch.environment()
    assert [url in arguments for _, arguments, _ in pip_calls] == [True, False, False]
    monkeypatch.delenv("TORCH_INDEX_URL")
    pip_calls.clear()
    launch.environment(dev=True)
    assert url in pip_calls[0][1], "a later install keeps to the build once chosen"


def test_a_failed_install_leaves_no_stamp(
    pip_calls: list[tuple[str, list[str], dict]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(what: str, *_: object) -> None:
        raise launch.SetUpError(launch.explain(what, ["ERROR: [Errno 28] No space left on device"]), code=1)

    monkeypatch.setattr(launch, "pip", fail)
    assert launch.main(["generate"]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert not launch.is_ready(launch.read_stamp(), launch.wanted_stamp(dev=False))


def test_a_full_disk_is_told_before_anything_is_fetched(
    pip_calls: list[tuple[str, list[str], dict]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "NEEDED_FREE_BYTES", 1 << 60)
    assert launch.main([]) == 2
    assert "free disk" in capsys.readouterr().err and not pip_calls


def test_a_python_without_venv_is_told_what_to_install(
    at: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "has_venv_module", lambda: False)
    monkeypatch.setattr(launch, "apt_get", lambda package: pytest.fail("a studio verb must not touch the system"))
    assert launch.main(["generate"]) == 2
    assert "apt install python3" in capsys.readouterr().err


def test_the_checks_may_add_the_venv_module(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(launch, "has_venv_module", lambda: bool(asked))
    monkeypatch.setattr(launch, "apt_get", lambda package: asked.append(package) is None)
    launch.require_venv_module(may_install=True)
    assert asked == ["python{}.{}-venv".format(*sys.version_info[:2])]


def test_half_written_packages_are_forgotten(tmp_path: Path) -> None:
    for name in ("whole-1.0", "torn_one-1.0"):
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "METADATA").touch()
    (tmp_path / "whole-1.0.dist-info" / "INSTALLER").touch()
    assert launch.installed(tmp_path) == {"whole"}
    launch.drop_torn_packages(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole-1.0.dist-info"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING: Retrying ... NewConnectionError: Connection refused", "could not be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "has no torch==2.13.0"),
        ("ERROR: something nobody thought of", "something nobody thought of"),
        ("nothing that looks amiss", "pip failed"),
    ],
)
def test_a_failure_is_explained(said: str, reason: str) -> None:
    assert reason in launch.explain("packages", [said])


# -- verbs ----------------------------------------------------------------------------------------------------------


def test_arguments_and_exit_code_pass_through(bare: Path) -> None:
    done = run(bare, "generate", "a red star", "--seed", "7", env=NO_SETUP)
    assert (done.stdout, done.returncode) == ("['generate', 'a red star', '--seed', '7']\n", 7)
    assert run(bare, env=NO_SETUP).stdout == "['serve']\n"


def test_a_folder_named_studio_where_the_user_stands_is_not_ours(
    bare: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "studio").mkdir()
    (elsewhere / "studio" / "cli.py").write_text("print('wrong')\n")
    monkeypatch.chdir(elsewhere)
    assert run(bare, "doctor", env=NO_SETUP).stdout == "['doctor']\n"


def test_starting_imports_the_standard_library_alone() -> None:
    """What the launcher adds to every start is its imports: nothing of ours, nothing installed."""
    told = "import sys; before = set(sys.modules); import launch; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", told], cwd=launch.ROOT, capture_output=True, text=True, check=True
    )
    names = {name.split(".")[0] for name in done.stdout.split()} - {"launch"}
    assert names <= set(sys.stdlib_module_names)
    assert not names & {"asyncio", "email", "http", "urllib.request", "multiprocessing"}, (
        "slow ones, not needed to start"
    )


def test_doctor_on_a_bare_machine_installs_nothing(bare: Path) -> None:
    done = run(bare, "doctor", "--json")
    report = json.loads(done.stdout)
    rows = {row["name"]: row for row in report["checks"]}
    assert done.returncode == 1 and report["ok"] is False
    assert rows["environment"]["detail"] == "not made yet" and "setup" in rows["environment"]["hint"]
    assert "environment" in run(bare, "doctor").stdout
    assert not (bare / ".venv").exists()


def test_doctor_names_missing_packages(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "packages missing: accelerate, alembic" in out and "colorama" not in out


def test_help_needs_no_set_up(bare: Path) -> None:
    done = run(bare, "--help")
    assert done.returncode == 0 and "python3 launch.py test" in done.stdout
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize("arguments", [("setup", "--no-such"), ("check", "--slow")])
def test_an_unknown_option_of_the_launcher(bare: Path, arguments: tuple[str, ...]) -> None:
    done = run(bare, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_an_unknown_verb_of_the_studio() -> None:
    done = run(ROOT, "no-such-verb", env=NO_SETUP)
    assert done.returncode == 2 and "no-such-verb" in done.stderr and "Traceback" not in done.stderr


def test_an_incomplete_copy_is_told(bare: Path) -> None:
    (bare / "requirements.lock").unlink()
    done = run(bare, "generate")
    assert done.returncode == 2 and "requirements.lock" in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_told(bare: Path) -> None:
    (bare / ".venv.lock").mkdir()  # stands for a read-only folder, which root could write to
    done = run(bare, "generate")
    assert done.returncode == 2 and "Cannot write" in done.stderr and done.stderr.count("\n") == 1


# -- checks ---------------------------------------------------------------------------------------------------------


def test_pytest_speaks_last_and_every_check_counts(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def recorder(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(" ".join(command[1:]))
        return subprocess.CompletedProcess(command, returncode=1 if "check ." in ran[-1] else 0, stdout=b"")

    monkeypatch.setenv("PALIMPSEST_NO_SETUP", "1")
    monkeypatch.setattr(launch, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(launch.subprocess, "run", recorder)
    assert launch.main(["test", "--slow", "-k", "recipe"]) == 1
    assert [line.split()[1] for line in ran[:2]] == ["ruff", "ruff"] and len(ran) == 4
    cores, python = min(os.cpu_count() or 1, 8), sys.executable
    assert ran[-1] == (
        f"-m pytest -n {cores} --dist loadfile --beside {python} -m pyright --pythonpath {python} --slow -k recipe"
    ), "also after a failure, so that one run tells everything"
    ran.clear()
    assert launch.main(["check"]) == 1
    assert [line.split()[1] for line in ran[:3]] == ["ruff", "ruff", "pyright"] and len(ran) == 4


@pytest.mark.parametrize(
    ("code", "told", "status"),
    [
        ("print('all well')", ": ok", ExitCode.OK),
        ("raise SystemExit('no such type')", ": failed", ExitCode.TESTS_FAILED),
    ],
)
def test_what_runs_beside_the_tests_counts_and_speaks_before_pytest(code: str, told: str, status: ExitCode) -> None:
    check, session = Beside(shlex.join([sys.executable, "-c", code])), SimpleNamespace(exitstatus=ExitCode.OK)
    check.pytest_sessionfinish(cast(Any, session), ExitCode.OK)
    lines: list[str] = []
    check.pytest_terminal_summary(cast(Any, SimpleNamespace(section=lines.append, write_line=lines.append)))
    assert session.exitstatus == status and told in lines[0]
    assert lines[1].endswith("all well" if status == ExitCode.OK else "no such type")
