"""The launcher on a bare machine: everything it decides before and besides installing, without installing."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytest import ExitCode

import launch
from tests.conftest import Beside
from tests.fake_installer import INDEX, FakeMachine

ROOT = Path(__file__).resolve().parents[1]
NO_SETUP = {**os.environ, "PALIMPSEST_NO_SETUP": "1"}


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    unset = {"TORCH_INDEX_URL"} if env else {"TORCH_INDEX_URL", "PALIMPSEST_NO_SETUP"}
    environ = {name: value for name, value in (env or os.environ).items() if name not in unset}
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
    (bare / ".venv" / "pyvenv.cfg").touch()
    (bare / ".venv" / "python").touch(mode=0o755)
    return bare


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """This process's launcher on a machine whose Python and pip only write small files."""
    made = FakeMachine(tmp_path)
    made.patch(monkeypatch.setattr)
    monkeypatch.delenv("TORCH_INDEX_URL", raising=False)
    monkeypatch.delenv("PALIMPSEST_NO_SETUP", raising=False)
    return made


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


def test_a_stamp_is_replaced_in_one_step(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = launch.wanted_stamp(dev=False)
    launch.write_stamp(want)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(launch.os, "replace", interrupt)
        launch.write_stamp({})
    assert launch.read_stamp() == want


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


@pytest.mark.parametrize("name", ["python", "pyvenv.cfg"])
def test_an_environment_that_lacks_a_part_is_not_ready(at: Path, name: str) -> None:
    want = launch.wanted_stamp(dev=False)
    assert launch.is_ready(want, want)
    (at / ".venv" / name).unlink()
    assert not launch.is_ready(want, want)


# -- set-up, with pip replaced by a recorder ------------------------------------------------------------------------


def installs(machine: FakeMachine) -> list[list[str]]:
    """Arguments of every `pip install` there was."""
    return [command[command.index("install") + 1 :] for command in machine.commands if "install" in command]


def test_torch_comes_first_and_is_not_done_again(machine: FakeMachine) -> None:
    launch.environment(dev=True)
    torch, packages, studio = installs(machine)
    assert "torch==2.0" in torch and "--no-deps" in packages and "--editable" in studio
    machine.commands.clear()
    launch.environment(dev=True)
    launch.environment(dev=False)
    assert not machine.commands


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
    exec(launch.IMPORTED_AT_START, {})  # here, where other tests have most of it: what it names is there


@pytest.mark.parametrize(
    "scenario",
    [
        "first",
        "index once",
        pytest.param("fresh", marks=pytest.mark.slow),
        pytest.param("other index", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_step_the_next_start_comes_to_a_whole_environment(tmp_path: Path, scenario: str) -> None:
    command = [sys.executable, "-m", "tests.fake_installer", str(tmp_path), scenario]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 40


def _without(part: str) -> Callable[[Path], None]:
    return lambda venv: (venv / part).unlink()


def _python_is(target: str) -> Callable[[Path], None]:
    def change(venv: Path) -> None:
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").symlink_to(target)

    return change


def _emptied(venv: Path) -> None:
    shutil.rmtree(venv)
    venv.mkdir()


def _linked_nowhere(venv: Path) -> None:
    shutil.rmtree(venv)
    venv.symlink_to(venv.parent / "nowhere")


def _linked_to_another(venv: Path) -> None:
    """A link to a folder of somebody else's, with a Python that is nobody's environment."""
    another = venv.parent / "another"
    venv.rename(another)
    (another / "pyvenv.cfg").unlink()
    venv.symlink_to(another)


def _stamp_of_another_tree(venv: Path) -> None:
    launch.write_stamp({**launch.read_stamp(), "root": "/elsewhere"})


HALF_MADE = {
    "no pyvenv.cfg": _without("pyvenv.cfg"),
    "no python": _without("bin/python"),
    "a python that cannot be started": lambda venv: (venv / "bin" / "python").chmod(0o644),
    "a python that leads nowhere": _python_is("/nowhere/python"),
    "an empty folder": _emptied,
    "a link that leads nowhere": _linked_nowhere,
    "a link to what is no environment": _linked_to_another,
    "no pip": lambda venv: shutil.rmtree(next(venv.glob("lib/*/site-packages/pip"))),
    "no packages folder": lambda venv: shutil.rmtree(venv / "lib"),
    "killed before it was whole": lambda venv: (venv / "unfinished").touch(),
    "a stamp of another tree": _stamp_of_another_tree,
}


@pytest.mark.parametrize("state", HALF_MADE)
@pytest.mark.parametrize("finished", [True, False], ids=["with stamp", "without stamp"])
def test_a_half_made_environment_is_made_anew(machine: FakeMachine, state: str, finished: bool) -> None:
    launch.environment()
    HALF_MADE[state](launch.VENV)
    if not finished:
        launch.STAMP.unlink(missing_ok=True)
    machine.commands.clear()
    launch.environment(force=True)
    machine.complete()
    anew = [command for command in machine.commands if command[1:3] == ["-m", "venv"]]
    assert len(anew) == (0 if state == "a stamp of another tree" and not finished else 1)
    another = machine.tree / "another"
    assert not another.exists() or (another / "palimpsest.json").exists() == finished, "what a link led to was touched"


@pytest.mark.parametrize("removed", ["a half-made one in the way", "the old one at the end"])
def test_what_has_to_go_is_out_of_its_place_before_any_of_it_is_removed(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    """Interrupted while it is removed, half of it is neither taken for an environment nor put back as one."""
    launch.environment()
    if removed == "a half-made one in the way":
        _without("pyvenv.cfg")(launch.VENV)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(launch.shutil, "rmtree", interrupt)
        assert launch.main(["setup", "--fresh"]) == 130
    assert not os.path.lexists(launch.old_venv())
    assert os.path.lexists(launch.VENV) == (removed == "the old one at the end")
    launch.environment()
    machine.complete()


def test_a_file_in_the_place_of_the_environment_is_left_alone(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.VENV.write_text("mine\n", encoding="utf-8")
    assert launch.main(["generate"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "move it away" in err and launch.VENV.read_text(encoding="utf-8") == "mine\n"


def test_nothing_is_installed_by_an_interpreter_of_another_prefix(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever made the environment wrong, and although `venv` said that it was fine."""
    make = machine.make
    monkeypatch.setattr(machine, "make", lambda venv: (make(venv), (venv / "pyvenv.cfg").unlink()))
    assert launch.main(["generate"]) == 1
    assert "not an environment of its own" in capsys.readouterr().err
    assert not installs(machine) and not list(machine.site(machine.base).iterdir())


def test_a_real_python_is_known_by_where_it_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "VENV", tmp_path / ".venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(launch.VENV)], check=True)
    assert launch.is_environment() and not launch.has_pip()
    (launch.VENV / "pyvenv.cfg").unlink()
    assert launch.flaw()
    monkeypatch.setattr(launch, "flaw", lambda: "")
    assert not launch.is_environment(), "it runs, as the Python it was made from"


def test_variables_that_send_pip_elsewhere_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PYTHONHOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_CERT", "/my/certificates")
    assert "/elsewhere" not in launch.clean_environ().values()
    assert launch.clean_environ()["PIP_CERT"] == "/my/certificates"


def test_packages_that_pip_put_elsewhere_are_missed(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "installed", lambda packages: {"torch"})
    assert launch.main(["generate"]) == 1
    assert "numpy elsewhere" in capsys.readouterr().err and not launch.read_stamp()["run"]


def test_a_failed_set_up_gives_the_place_back_to_the_environment_from_before(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.environment()
    machine.fail_from = "numpy"
    assert launch.main(["setup", "--fresh"]) == 1
    assert "from before is back" in capsys.readouterr().err
    machine.complete()
    assert "No matching distribution" in launch.LOG.read_text(encoding="utf-8"), "the log of what failed is kept"


def test_what_was_fetched_before_a_failure_is_kept_where_there_was_nothing_before(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.fail_from = "numpy"
    assert launch.main(["setup"]) == 1
    assert "goes on from here" in capsys.readouterr().err
    machine.fail_from = ""
    machine.commands.clear()
    launch.environment()
    machine.complete()
    assert not [command for command in machine.commands if "venv" in command]


def test_a_set_up_that_is_interrupted_gives_the_place_back_too(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.environment()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "popen", interrupt)
    machine.patch(monkeypatch.setattr)
    assert launch.main(["setup", "--fresh"]) == 130
    machine.complete()


def test_a_full_disk_in_the_middle_is_one_sentence(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(stamp: dict) -> None:
        raise OSError(28, "No space left on device", str(launch.STAMP))

    monkeypatch.setattr(launch, "write_stamp", full)
    assert launch.main(["generate"]) == 1
    err = capsys.readouterr().err
    assert "no space left" in err and "Traceback" not in err


def test_two_set_ups_do_not_run_at_once(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the lock, then finds that there is nothing left to do."""
    inside, asked, go_on = threading.Event(), threading.Event(), threading.Event()
    make, read_stamp = machine.make, launch.read_stamp

    def slow(venv: Path) -> None:
        inside.set()
        assert go_on.wait(60)
        make(venv)

    machine.make = slow
    first = threading.Thread(target=launch.environment)
    first.start()
    assert inside.wait(60)
    monkeypatch.setattr(launch, "read_stamp", lambda: (read_stamp(), asked.set())[0])
    second = threading.Thread(target=launch.environment)
    second.start()
    assert asked.wait(60)  # it has found that there is something to do
    go_on.set()
    first.join(60)
    second.join(60)
    machine.complete()
    assert len([command for command in machine.commands if command[1:3] == ["-m", "venv"]]) == 1
    assert len(installs(machine)) == 3


@pytest.mark.skipif(os.name == "nt", reason="descriptors are not inherited there")
def test_a_pip_that_outlives_a_killed_launcher_keeps_others_out(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    pip_has: list[int] = []
    popen = machine.popen

    def keeping(command: list[str], env: dict[str, str], pass_fds: tuple[int, ...], **more: object) -> object:
        pip_has.extend(map(os.dup, pass_fds))
        return popen(command, env, **more)

    monkeypatch.setattr(machine, "popen", keeping)
    machine.patch(monkeypatch.setattr)
    launch.environment()
    with open(machine.tree / ".venv.lock", "a") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for descriptor in pip_has:
            os.close(descriptor)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_is_told_before_anything_is_fetched(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "NEEDED_FREE_BYTES", 1 << 60)
    assert launch.main([]) == 2
    assert "free disk" in capsys.readouterr().err and not installs(machine)


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
    files = ("METADATA", "INSTALLER", "RECORD")  # in the order in which pip writes them
    for name, written in (("torn", 1), ("torn_later", 2), ("whole", 3)):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        for file in files[:written]:
            (info / file).touch()
    (tmp_path / "~orch" / "lib").mkdir(parents=True)
    assert launch.installed(tmp_path) == {"whole"}
    launch.drop_torn_packages(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole-1.0.dist-info"]


# -- where torch comes from, and what must not be told of it --------------------------------------------------------


def test_the_torch_index_is_for_torch_alone_and_is_remembered_without_its_password(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INDEX_URL", INDEX)
    launch.environment()
    machine.complete()
    assert launch.read_stamp()["torch_index"] == "http://127.0.0.1/torch"
    assert "s3cret" not in str(machine.commands), "everybody may read a command line"
    monkeypatch.delenv("TORCH_INDEX_URL")
    launch.drop_package(machine.site(launch.VENV), "torch")
    launch.environment(dev=True)
    index = machine.site(launch.VENV) / "torch" / "index"
    assert index.read_text(encoding="utf-8") == "http://127.0.0.1/torch", (
        "a later install keeps to the build once chosen"
    )


def test_an_index_that_never_worked_is_named_and_forgotten(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.fail_from = "torch"
    monkeypatch.setenv("TORCH_INDEX_URL", INDEX + "?key=s3cret-key")
    assert launch.main(["generate"]) == 1
    err = capsys.readouterr().err
    assert "http://127.0.0.1/torch (TORCH_INDEX_URL) has no torch==2.0" in err and "s3cret" not in err
    assert "s3cret" not in launch.LOG.read_text(encoding="utf-8") and "torch_index" not in launch.read_stamp()
    assert launch.LOG.stat().st_mode & 0o077 == 0
    monkeypatch.delenv("TORCH_INDEX_URL")
    machine.fail_from = ""
    launch.environment()
    machine.complete()
    assert launch.read_stamp()["torch_index"] is None


def test_an_index_that_fails_does_not_cost_the_environment_there_is(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch.environment()
    machine.fail_from = "torch"
    monkeypatch.setenv("TORCH_INDEX_URL", INDEX)
    assert launch.main(["generate"]) == 1
    monkeypatch.delenv("TORCH_INDEX_URL")
    machine.commands.clear()
    launch.environment()
    assert not machine.commands
    machine.complete()


def test_an_index_that_an_earlier_version_remembered_before_it_worked_is_forgotten(machine: FakeMachine) -> None:
    launch.environment()
    launch.drop_package(machine.site(launch.VENV), "torch")
    launch.write_stamp({**launch.read_stamp(), "torch_index": INDEX, "run": None})
    launch.environment()
    machine.complete()
    assert launch.read_stamp()["torch_index"] is None


def test_a_password_that_an_earlier_version_wrote_down_is_struck_out_by_the_next_start(machine: FakeMachine) -> None:
    launch.environment()
    launch.write_stamp({**launch.read_stamp(), "torch_index": INDEX})
    machine.commands.clear()
    launch.environment()
    assert launch.read_stamp()["torch_index"] == "http://127.0.0.1/torch" and not machine.commands


def test_a_log_that_others_could_read_is_closed_to_them_by_the_next_set_up(machine: FakeMachine) -> None:
    launch.environment()
    launch.LOG.chmod(0o644)
    launch.environment(force=True)
    assert launch.LOG.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "url",
    [
        "cpu",
        "htps://s3cret@host/whl",
        "https://",
        "https:///whl",
        "http://host:port/whl",
        "http://[::1/whl",
        "http://me:s3cret/half@host/whl",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_done(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("TORCH_INDEX_URL", url)
    assert launch.main(["generate"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "TORCH_INDEX_URL must be" in err and "s3cret" not in err
    assert not machine.commands


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/whl/cpu", "https://host/whl/cpu"),
        ("https://me:pass@host:8443/whl", "https://host:8443/whl"),
        ("https://token@host/whl", "https://host/whl"),
        ("https://me:p@ss@host/whl", "https://host/whl"),
        ("https://host/@scope/whl", "https://host/@scope/whl"),
        ("https://host/whl?key=pass#pass", "https://host/whl"),
        ("me:pass@host/whl", "host/whl"),
        (None, ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str | None, shown: str) -> None:
    assert launch.public(url) == shown


@pytest.mark.parametrize(
    "line",
    [
        "Looking in indexes: https://me:pass-word@host/simple, https://other/simple",
        "WARNING: 401 Error for https://pass-word@host/simple/",
        "Cannot connect to proxy me:pass-word at proxy:3128",
        "tunnel 'http://me:pass%2Dword@proxy:3128' failed",
        "Downloading https://host/torch.whl?X-Signature=pass-word&expires=1 (2 kB)",
        "the key in-query does not fit",
    ],
)
def test_secrets_of_pip_and_of_proxies_do_not_reach_the_log(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:pass-word@host/simple https://other/simple?key=in-query")
    monkeypatch.setenv("https_proxy", "http://me:pass%2Dword@proxy:3128")
    shown = launch.masked(line, launch.environment_secrets())
    assert "pass" not in shown and "in-query" not in shown and launch.HIDDEN in shown
    plain = "Collecting torch==2.0 from https://host/simple (Python >=3.11)"
    assert launch.masked(plain, launch.environment_secrets()) == plain


@pytest.mark.parametrize("name", ["TORCH_INDEX_URL", "PIP_INDEX_URL"])
def test_a_failure_names_the_index_and_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH_INDEX_URL", raising=False)
    monkeypatch.setenv(name, INDEX)
    index = INDEX if name == "TORCH_INDEX_URL" else None
    for said in ("Max retries exceeded", "ERROR: HTTP error 403 while getting", "No matching distribution"):
        sentence = launch.explain("torch", [said], index)
        assert f"http://127.0.0.1/torch ({name})" in sentence and "s3cret" not in sentence
    monkeypatch.delenv(name)
    if index:
        sentence = launch.explain("torch", ["Max retries exceeded"], index)
        assert "(TORCH_INDEX_URL, remembered from an earlier set-up) could not be reached" in sentence


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


def test_a_python_that_cannot_be_started_is_one_sentence(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launch.write_stamp(launch.wanted_stamp(dev=False))  # the empty file in the place of Python is no program
    assert launch.main(["generate"]) == 1
    err = capsys.readouterr().err
    assert "cannot be started" in err and "setup --fresh" in err


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
    workers, python = min((os.cpu_count() or 1) + 1, 8), sys.executable
    assert ran[-1] == (
        f"-m pytest -n {workers} --dist loadfile --beside {python} -m pyright --pythonpath {python} --slow -k recipe"
    ), "also after a failure, so that one run tells everything"
    ran.clear()
    assert launch.main(["check"]) == 1
    assert [line.split()[1] for line in ran[:3]] == ["ruff", "ruff", "pyright"] and len(ran) == 4


@pytest.mark.parametrize(
    ("arguments", "ci", "walks"),
    [
        ([], "true", True),
        ([], "", False),
        (["--slow", "-n", "2", "-q"], "true", True),
        (["tests/guidance"], "true", False),
        (["-k", "apg"], "true", False),
        (["--lf"], "true", False),
        (["--walkthrough", "tests/guidance", "-k", "apg"], "", True),
    ],
)
def test_the_walkthrough_is_a_step_of_its_own_before_the_suite(
    at: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], ci: str, walks: bool
) -> None:
    ran: list[list[str]] = []

    def recorder(command: list[str], **more: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        failed = launch.WALKTHROUGH in command
        assert not failed or more["env"]["CI"] == "true", "without a browser it fails rather than being skipped"
        return subprocess.CompletedProcess(command, returncode=int(failed), stdout=b"")

    monkeypatch.setenv("PALIMPSEST_NO_SETUP", "1")
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(launch, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(launch.subprocess, "run", recorder)
    assert launch.main(["test", *arguments]) == (1 if walks else 0), "where it fails, so does the command"
    walked = [at for at, command in enumerate(ran) if launch.WALKTHROUGH in command]
    assert len(walked) == walks and (not walks or walked[0] == len(ran) - 2), "the suite comes after it, and once"
    assert "--walkthrough" not in ran[-1]
    assert (f"--ignore={launch.WALKTHROUGH}" in ran[-1]) == (walks and "--slow" in arguments)
    assert (ROOT / launch.WALKTHROUGH).is_file()


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
